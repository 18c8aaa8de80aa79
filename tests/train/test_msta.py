"""What the specification of MSTA promises: counts, gradients, first values, refusals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from manifests.errors import UserError
from train.losses import consistency, cross_entropy
from train.methods import MSTAOptions, build_method, default_options
from train.methods.adapter import TemporalUp
from train.methods.dropout import keyed
from train.methods.method import Method
from train.methods.msta import MSTA
from train.models.config import SIZES, BackboneConfig, TextConfig, VisionConfig
from train.models.transformer import Block
from train.models.viclip import ViCLIP

TINY = BackboneConfig(VisionConfig(48, 3, 2, 16, 32, 4), TextConfig(24, 3, 2, 12, 600), 20)
OPTIONS = MSTAOptions(mid=16, blocks=(2, 3), scale=0.5)


def tiny(options: MSTAOptions = OPTIONS, seed: int = 3, sizes: BackboneConfig = TINY) -> Method:
    return build_method("msta", ViCLIP(sizes, seed=1), options, seed)


def inputs(clips: int = 3, classes: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    side = TINY.vision.resolution
    video = torch.randn(clips, TINY.vision.frames, 3, side, side, generator=generator)
    ids = torch.randint(1, 500, (classes, 9), generator=generator)
    ids[torch.arange(classes), 3 + torch.arange(classes) % 5] = TINY.text.vocabulary - 1
    return video, ids


@pytest.mark.parametrize(
    ("mid", "blocks", "count"),
    [
        (256, (1, 12), 8_712_192),
        (128, (8, 12), 1_744_000),
        (128, (1, 12), 4_185_600),
        (64, (1, 12), 12 * 172_480),
    ],
)
def test_published_parameter_counts(mid: int, blocks: tuple[int, int], count: int) -> None:
    with torch.device("meta"):
        options = default_options("msta", mid=mid, blocks=blocks)
        method = build_method("msta", ViCLIP(SIZES["b16"]), options, seed=0)
    assert trainable(method) == count


def test_published_count_of_full_tuning() -> None:
    with torch.device("meta"):
        method = build_method("full", ViCLIP(SIZES["b16"]), default_options("full"), seed=0)
    assert trainable(method) == 124_306_944


def trainable(method: Method) -> int:
    return sum(p.numel() for p in method.parameters() if p.requires_grad)


@pytest.mark.parametrize("pooled", [True, False])
@pytest.mark.parametrize("gradient_scaling", [True, False])
def test_without_lambda_it_is_the_frozen_model(pooled: bool, gradient_scaling: bool) -> None:
    video, ids = inputs()
    options = replace(OPTIONS, scale=0.0, blocks=(1, 3), gradient_scaling=gradient_scaling)
    method = tiny(options)
    frozen = build_method("zero-shot", ViCLIP(TINY, seed=1), default_options("zero-shot"), 0)
    for each in (method, frozen):
        each.backbone.pool_last(pooled)
    with keyed(1, 2, torch.arange(3)):
        features = method.encode_video(video), method.encode_text(method.text_prefix(ids))
    assert torch.equal(features[0], frozen.encode_video(video))
    assert torch.equal(features[1], frozen.encode_text(frozen.text_prefix(ids)))
    assert torch.equal(features[1], frozen.encode_text(ids))
    (features[0].sum() + features[1].sum()).backward()
    for parameter in method.parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None and not parameter.grad.any()


def one_update(method: Method) -> dict[str, torch.Tensor]:
    """The state before one update with every loss."""
    before = {key: value.clone() for key, value in method.state_dict().items()}
    trained = [p for p in method.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-2)
    video, ids = inputs()
    with keyed(1, 0, torch.tensor([7, 1, 4])):
        features, text = method.encode_video(video), method.encode_text(method.text_prefix(ids))
    means = torch.randn(4, TINY.embed, generator=torch.Generator().manual_seed(5))
    loss = cross_entropy(features, text, torch.tensor([0, 2, 3]), method.tau)
    (loss + consistency(text, means, means.flip(0))).backward()
    optimizer.step()
    return before


@pytest.mark.parametrize("class_temporal", ["none", "single_frame"])
def test_exactly_the_adapters_train(class_temporal: Any) -> None:
    method = tiny(replace(OPTIONS, class_temporal=class_temporal))
    before = one_update(method)
    last = "visual_adapter.3.temporal_up"
    for name, parameter in method.named_parameters():
        adapter = not name.startswith("backbone.")
        assert parameter.requires_grad == adapter, name
        assert (parameter.grad is not None) == adapter, name
        same = torch.equal(parameter, before[name])
        if name.startswith(last) and class_temporal == "none":
            # Only the class token of the last block is used, and it has no time: zeros, not None,
            # and with zeros the bias does not move.
            assert parameter.grad is not None and not parameter.grad.any()
        elif adapter:
            assert parameter.grad is not None and parameter.grad.any(), name
            assert not same, name
        else:
            assert same, name


class Both(torch.nn.Module):
    """Both towers in one forward, as ranks need them."""

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method = method

    def forward(self, video: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        with keyed(1, 0, torch.arange(len(video))):
            features, text = self.method.encode_video(video), self.method.encode_text(ids)
        return features.square().sum() + text.square().sum()


def test_ranks_wait_for_no_gradient_that_never_comes(tmp_path: Path) -> None:
    """Data-parallel training refuses a second update when a gradient of the first is missing."""
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1
    )
    try:
        _three_updates()
    finally:
        torch.distributed.destroy_process_group()


def _three_updates() -> None:
    # The model is gone when this returns: were it the last to hold the group, ending it would now
    # and then wait for ever, for a thread that waits for the interpreter.
    model = torch.nn.parallel.DistributedDataParallel(Both(tiny()))
    video, ids = inputs()
    for _ in range(3):
        model(video, ids).backward()


def test_full_tuning_trains_everything_else_alike() -> None:
    for options, frozen in (
        (
            default_options("full"),
            {"backbone.text_encoder.token_embedding.weight", "backbone.temp"},
        ),
        (default_options("full", token_table=True, temperature=True), set()),
    ):
        method = build_method("full", ViCLIP(TINY, seed=1), options, seed=0)
        one_update(method)
        without = {k for k, p in method.named_parameters() if p.grad is None}
        assert without == frozen
        assert {k for k, p in method.named_parameters() if not p.requires_grad} == frozen
    assert isinstance(method.text_prefix(inputs()[1]), torch.Tensor)


def test_nothing_trains_in_zero_shot() -> None:
    method = build_method("zero-shot", ViCLIP(TINY), default_options("zero-shot"), seed=0)
    assert trainable(method) == 0
    assert not method.encode_video(inputs()[0]).requires_grad


def test_no_graph_below_the_first_adapter() -> None:
    method = tiny()
    seen: list[bool] = []

    def step(number: int, block: Block, x: torch.Tensor, rows: Any) -> torch.Tensor:
        seen.append(x.requires_grad)
        return method.vision_step(number, block, x, rows)

    with keyed(1, 0, torch.arange(3)):
        assert method.backbone.encode_video(inputs()[0], step).requires_grad
    assert seen == [False, False, True]


@pytest.mark.parametrize("blocks", [(1, 3), (2, 3), (3, 3), (1, 1)])
@pytest.mark.parametrize("towers", ["both", "vision", "text"])
def test_cached_prefix_changes_nothing(blocks: tuple[int, int], towers: Any) -> None:
    method = tiny(replace(OPTIONS, blocks=blocks, towers=towers)).eval()
    ids = inputs()[1]
    assert torch.equal(method.encode_text(method.text_prefix(ids)), method.encode_text(ids))


def test_training_is_the_same_with_and_without_pooling_the_last_block() -> None:
    """Dropout included: masks belong to tokens, not to tensors."""
    video, ids = inputs()
    gradients = []
    for pooled in (True, False):
        method = tiny(replace(OPTIONS, blocks=(1, 3), dropout=0.4))
        method.backbone.pool_last(pooled)
        with keyed(5, 9, torch.tensor([3, 8, 1])):
            features, text = method.encode_video(video), method.encode_text(ids)
        (features.square().sum() + text.square().sum()).backward()
        gradients.append({k: p.grad for k, p in method.named_parameters() if p.requires_grad})
        gradients[-1]["video"], gradients[-1]["text"] = features.detach(), text.detach()
    for name, found in gradients[0].items():
        assert found is not None
        torch.testing.assert_close(found, gradients[1][name], atol=1e-4, rtol=1e-4, msg=name)


@pytest.mark.parametrize("place", ["shared", "down"])
def test_ranks_see_the_masks_of_one(place: Any) -> None:
    video, _ = inputs(clips=4)
    rows = torch.tensor([40, 12, 7, 99])
    method = tiny(replace(OPTIONS, dropout=0.5, dropout_place=place))

    def features(part: slice | list[int], update: int = 3, seed: int = 1) -> torch.Tensor:
        with keyed(seed, update, rows[part]):
            return method.encode_video(video[part]).detach()

    whole = features(slice(None))
    halves = torch.cat([features(slice(0, 2)), features(slice(2, 4))])
    torch.testing.assert_close(halves, whole, atol=1e-5, rtol=1e-5)
    order = [2, 0, 3, 1]
    torch.testing.assert_close(features(order), whole[order], atol=1e-5, rtol=1e-5)
    assert torch.equal(features(slice(None)), whole)
    assert not torch.allclose(features(slice(None), update=4), whole, atol=1e-3)
    assert not torch.allclose(features(slice(None), seed=2), whole, atol=1e-3)
    method.eval()
    assert not torch.allclose(features(slice(None)), whole, atol=1e-3)
    assert torch.equal(features(slice(None), update=4), features(slice(None)))


def test_shared_gradient_is_that_of_both_towers() -> None:
    """By parts, and against differences in double precision."""
    video, ids = inputs()
    options = replace(OPTIONS, dropout=0.0, gradient_scaling=False, blocks=(1, 3))
    method = tiny(options).double()
    weight = dict(method.named_parameters())["shared_adapter.2.0.weight"]

    def loss(tower: str) -> torch.Tensor:
        total = torch.zeros((), dtype=torch.float64)
        if tower != "text":
            total = total + method.encode_video(video.double()).square().sum()
        if tower != "video":
            total = total + method.encode_text(ids).square().sum()
        return total

    def gradient(tower: str) -> torch.Tensor:
        (found,) = torch.autograd.grad(loss(tower), weight)
        return found

    whole, parts = gradient("both"), [gradient(tower) for tower in ("video", "text")]
    assert all(part.any() for part in parts)
    torch.testing.assert_close(whole, parts[0] + parts[1])
    direction = torch.randn(weight.shape, dtype=torch.float64)
    steps = 1e-6
    with torch.no_grad():
        weight.add_(direction, alpha=steps)
        high = loss("both")
        weight.add_(direction, alpha=-2 * steps)
        low = loss("both")
    slope = float(high - low) / (2 * steps)
    assert slope == pytest.approx(float((whole * direction).sum()), rel=1e-4)


@pytest.mark.parametrize(("mid", "groups"), [(8, 8), (16, 16), (32, 16), (48, 48), (16, 4)])
def test_time_is_convolved_as_in_three_dimensions(mid: int, groups: int) -> None:
    """Against Conv3d over (frames, rows, columns) of tokens that lie patch by patch."""
    layer = TemporalUp(mid, 48, groups)
    torch.nn.init.normal_(layer.weight)
    torch.nn.init.normal_(layer.bias)
    batch, side, frames = 2, 3, 5
    h = torch.randn(batch, side * side, frames, mid)
    picture = h.view(batch, side, side, frames, mid).permute(0, 4, 3, 1, 2)
    wanted = torch.nn.functional.conv3d(
        picture, layer.weight, layer.bias, padding=(1, 0, 0), groups=groups
    )
    wanted = wanted.permute(0, 3, 4, 2, 1).reshape(batch, side * side, frames, 48)
    torch.testing.assert_close(layer(h), wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "absent", "present"),
    [
        ({"towers": "vision"}, "text_adapter", {"visual_adapter", "shared_adapter"}),
        ({"towers": "text"}, "visual_adapter", {"text_adapter", "shared_adapter"}),
        ({"shared": False}, "shared_adapter", {"visual_adapter", "text_adapter"}),
        (
            {"shared": False, "own_layers": True},
            "shared_adapter",
            {"visual_adapter.2.own.0.weight", "text_adapter.3.own.0.bias"},
        ),
        ({"temporal": False}, "temporal_up", {"visual_adapter", "shared_adapter"}),
        ({"blocks": (1, 2)}, ".3.", {".1.", ".2."}),
    ],
)
def test_ablations_leave_parts_out(changes: dict[str, Any], absent: str, present: set[str]) -> None:
    method = tiny(replace(OPTIONS, **changes))
    names = [k for k, p in method.named_parameters() if p.requires_grad]
    assert not any(absent in name for name in names)
    assert all(any(part in name for name in names) for part in present)
    one_update(method)
    missing = [k for k, p in method.named_parameters() if p.requires_grad and p.grad is None]
    assert missing == []


def test_layers_of_one_s_own_do_what_an_equal_shared_one_does() -> None:
    one, own = tiny(), tiny(replace(OPTIONS, shared=False, own_layers=True))
    weights = dict(one.state_dict())
    for name in [name for name in weights if name.startswith("shared_adapter")]:
        _, pair, rest = name.split(".", 2)
        layer = weights.pop(name)
        for tower in ("visual", "text"):
            weights[f"{tower}_adapter.{pair}.own.{rest}"] = layer
    own.load_state_dict(weights)
    video, ids = inputs()
    one.eval(), own.eval()
    assert torch.equal(own.encode_video(video), one.encode_video(video))
    assert torch.equal(own.encode_text(ids), one.encode_text(ids))
    alone = tiny(replace(OPTIONS, shared=False)).eval()
    assert not torch.equal(alone.encode_text(ids), one.encode_text(ids))


def test_first_values() -> None:
    """Kaiming normal by fan-out, from the seed alone; the ways up are not zero."""
    one, same, other = tiny(seed=3), tiny(seed=3), tiny(seed=4)
    with torch.random.fork_rng():
        torch.manual_seed(99)
        again = tiny(seed=3)
    for name, value in one.state_dict().items():
        assert torch.equal(value, same.state_dict()[name])
        assert torch.equal(value, again.state_dict()[name])
        if not name.startswith("backbone.") and name.endswith("weight"):
            assert not torch.equal(value, other.state_dict()[name])
    wide = build_method(
        "msta", ViCLIP(TINY), replace(OPTIONS, mid=768, groups=48), seed=1
    ).state_dict()
    for name, fan_out in (
        ("visual_adapter.2.down.0.weight", 768),
        ("visual_adapter.2.up.weight", TINY.vision.width),
        ("shared_adapter.2.0.weight", 768),
        ("text_adapter.3.up.weight", TINY.text.width),
        ("visual_adapter.2.temporal_up.weight", TINY.vision.width * 3),
    ):
        deviation = wide[name].std().item()
        assert deviation == pytest.approx((2 / fan_out) ** 0.5, rel=0.1), name
        assert not wide[name.replace("weight", "bias")].any()


def test_towers_of_different_depth_meet_at_the_top() -> None:
    sizes = replace(TINY, vision=replace(TINY.vision, blocks=5))
    method = tiny(replace(OPTIONS, blocks=(2, 5)), sizes=sizes)
    assert isinstance(method, MSTA)
    assert list(method.visual_adapter) == ["2", "3", "4", "5"]
    assert list(method.text_adapter) == ["3", "4", "5"]
    assert method.frozen_text_blocks == 0
    one_update(method)
    assert all(p.grad is not None for p in method.parameters() if p.requires_grad)
    text = tiny(replace(OPTIONS, blocks=(1, 5), towers="text"), sizes=sizes)
    assert isinstance(text, MSTA)
    assert list(text.shared_adapter) == list(text.text_adapter) == ["3", "4", "5"]
    with pytest.raises(UserError, match=r"no text adapter.*in pairs 3 to 5; say --blocks 3 5"):
        tiny(replace(OPTIONS, blocks=(1, 2), towers="text"), sizes=sizes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"blocks": (1, 12)}, "between 1 and 3"),
        ({"blocks": (3, 2)}, "blocks 3 to 2"),
        ({"blocks": (0, 2)}, "blocks 0 to 2"),
        ({"mid": 36}, "groups must divide both; say --mid with a divisor of 48, or --groups 12"),
        ({"mid": 16, "groups": 5}, "5 groups"),
        ({"mid": 0}, "at least 1"),
        ({"dropout": 1.0}, "below 1"),
        ({"scale": -1.0}, "at least 0"),
        ({"own_layers": True}, "say --no-shared too"),
    ],
)
def test_options_that_do_not_fit(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        tiny(replace(OPTIONS, **changes))


def test_width_512_needs_groups_of_its_own() -> None:
    with torch.device("meta"):
        backbone = ViCLIP(SIZES["b16"])
        with pytest.raises(UserError, match="--groups 256"):
            build_method("msta", backbone, default_options("msta", mid=512), seed=0)
        method = build_method("msta", backbone, default_options("msta", mid=512, groups=256), 0)
    state = method.state_dict()
    assert state["visual_adapter.1.temporal_up.weight"].shape == (768, 2, 3, 1, 1)
    assert state["text_adapter.1.down.0.weight"].shape == (512, 512)


def test_unknown_methods() -> None:
    with pytest.raises(UserError, match="did you mean msta"):
        default_options("mstaa")
    with pytest.raises(UserError, match="no options of full"):
        build_method("full", ViCLIP(TINY), default_options("msta", mid=16, blocks=(1, 3)), 0)
