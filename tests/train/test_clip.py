"""CLIP frame by frame: against the official towers, against ViFi-CLIP, and with adapters."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from manifests.errors import UserError
from tests.train.reference import Reference, read_reference
from train.losses import cosines
from train.methods import MSTAOptions, build_method, default_options
from train.methods.adapter import TowerAdapter
from train.methods.dropout import keyed
from train.methods.method import Method
from train.models.build import build_backbone
from train.models.clip import CLIP, FrameTower
from train.models.config import SIZES, BackboneConfig, TextConfig, VisionConfig
from train.models.forms import Tensors, renamed
from train.models.text import TextPrefix
from train.models.transformer import Block, Step, plain_step

TINY = BackboneConfig(
    VisionConfig(48, 3, 2, 16, 32, frames=3, joint=False), TextConfig(24, 3, 2, 12, 600), 20
)
OPTIONS = MSTAOptions(mid=16, blocks=(2, 3), scale=0.5)


def sizes(c: dict[str, Any], frames: int) -> BackboneConfig:
    """Vision heads have 64 channels; text heads are as the file says."""
    return BackboneConfig(
        VisionConfig(c["vw"], c["vl"], c["vw"] // 64, c["patch"], c["res"], frames, joint=False),
        TextConfig(c["tw"], c["tl"], c["th"], c["ctx"], c["vocab"]),
        c["embed"],
    )


def clip(config: BackboneConfig, weights: Tensors) -> CLIP:
    model = CLIP(config)
    model.load_state_dict(renamed(weights, "openai", ""))
    return model


def tower(model: CLIP) -> FrameTower:
    assert isinstance(model.vision_encoder, FrameTower)
    return model.vision_encoder


@pytest.fixture(scope="module")
def official(oracles: Path) -> Reference:
    return read_reference(oracles / "clip_tiny.safetensors")


def of_official(official: Reference) -> CLIP:
    return clip(sizes(official.config, official.config["T"]), official.below("weights."))


def recorded(outputs: list[torch.Tensor], step: Step = plain_step) -> Step:
    """A step that appends what each block gives; the first entry is the input of block 0."""

    def record(
        number: int, block: Block, x: torch.Tensor, rows: torch.Tensor | None
    ) -> torch.Tensor:
        if not outputs:
            outputs.append(x)
        outputs.append(step(number, block, x, rows))
        return outputs[-1]

    return record


@pytest.mark.parametrize("pooled", [True, False])
@torch.no_grad()
def test_features_and_logits_are_the_official_ones(official: Reference, pooled: bool) -> None:
    model = of_official(official)
    model.pool_last(pooled)
    video, ids = official["input.video_btchw"], official["input.token_ids"]
    official.assert_near(tower(model).frame_features(video), "vision.frame_features")
    pooled_feature, text = model.encode_video(video), model.encode_text(ids)
    official.assert_near(pooled_feature, "vision.pooled_feature")
    official.assert_near(text, "text.feature")
    near = {"atol": official.atol / float(model.tau), "rtol": official.rtol}
    logits = cosines(pooled_feature, text) / model.tau
    torch.testing.assert_close(logits, official["video_logits"], **near)
    one = CLIP(sizes(official.config, 1))
    one.load_state_dict(model.state_dict())
    image = cosines(one.encode_video(video[:, :1]), text) / one.tau
    torch.testing.assert_close(image, official["image_logits_per_image"], **near)


@torch.no_grad()
def test_every_block_gives_what_the_official_one_does(official: Reference) -> None:
    model = of_official(official)
    model.pool_last(False)
    for name, encode, given in (
        ("vision", model.encode_video, "input.video_btchw"),
        ("text", model.encode_text, "input.token_ids"),
    ):
        seen: list[torch.Tensor] = []
        encode(official[given], recorded(seen))
        official.assert_near(seen[0], f"{name}.block0_input")
        for number, output in enumerate(seen[1:]):
            official.assert_near(output, f"{name}.block{number}_output")


@torch.no_grad()
def test_as_vifi_clip_scores_a_video(oracles: Path) -> None:
    """Its prompt table holds token embeddings instead of ids: the tower is entered behind them."""
    facts = json.loads((oracles / "methods/vificlip_full.json").read_text())
    tensors = load_file(oracles / "methods/vificlip_full.safetensors")
    c, near = facts["config"], facts["tolerance"]
    weights = {key[2:]: value for key, value in tensors.items() if key.startswith("w.")}
    config = BackboneConfig(
        VisionConfig(
            c["vision_width"], c["vision_layers"], c["vision_heads"], c["patch"], c["image"],
            c["T"], joint=False,
        ),
        TextConfig(c["text_width"], c["text_layers"], c["text_heads"], 77, 2),
        c["embed"],
    )  # fmt: skip
    named = {
        re.sub("^image_encoder", "vision_encoder", key): value
        for key, value in weights.items()
        if not key.startswith("prompt_learner")
    }
    named["text_encoder.token_embedding.weight"] = torch.zeros(2, c["text_width"])
    model = CLIP(config)
    model.load_state_dict(named)
    embedded = weights["prompt_learner.complete_text_embeddings"]
    entered = embedded + model.text_encoder.positional_embedding
    text = model.encode_text(TextPrefix(entered, tensors["in.tokens"].argmax(dim=1), blocks=0))
    clips = tensors["in.video"]
    video = model.encode_video(clips)
    bounds = {"atol": near["atol"], "rtol": near["rtol"]}
    frames = tower(model).frame_features(clips).view(*clips.shape[:2], -1)
    torch.testing.assert_close(frames, tensors["mid.frame_features"], **bounds)
    torch.testing.assert_close(text, tensors["mid.text_features"], **bounds)
    logits = cosines(video, text) / model.tau
    bounds["atol"] /= float(model.tau)
    torch.testing.assert_close(logits, tensors["out.logits"], **bounds)


@pytest.fixture(scope="module")
def parent(oracles: Path) -> Reference:
    """The adapters MSTA's are built on, official code: spatial only, on pictures."""
    return read_reference(oracles / "adapter_mma_tiny.safetensors")


def adapted(parent: Reference, scale: float) -> Method:
    c = parent.config
    backbone = clip(sizes(c, 1), parent.below("weights.clip."))
    options = MSTAOptions(
        mid=c["mid"], blocks=(c["start"], c["end"]), scale=scale, temporal=False, dropout=0.0
    )
    method = build_method("msta", backbone, options, seed=0)
    weights = {k: v for k, v in parent.below("weights.").items() if not k.startswith("clip.")}
    missing, unexpected = method.load_state_dict(weights, strict=False)
    assert not unexpected and all(name.startswith("backbone.") for name in missing)
    return method.eval()


@pytest.mark.parametrize("pooled", [True, False])
def test_adapters_are_those_of_the_parent_method(parent: Reference, pooled: bool) -> None:
    picture, ids = parent["input.image"][:, None], parent["input.token_ids"]
    for scale in parent.config["scales"]:
        method = adapted(parent, scale)
        method.backbone.pool_last(pooled)
        for name, encode, given, step in (
            ("image", method.backbone.encode_video, picture, method.vision_step),
            ("text", method.backbone.encode_text, ids, method.text_step),
        ):
            seen: list[torch.Tensor] = []
            parent.assert_near(encode(given, recorded(seen, step)), f"scale_{scale}.{name}.feature")
            for number, output in enumerate(seen[1:] if not pooled else seen[1:-1]):
                parent.assert_near(output, f"scale_{scale}.{name}.block{number}_output")
        image, text = method.encode_video(picture), method.encode_text(ids)
        pulled = (image * parent["grad.cotangent_image"]).sum()
        (pulled + (text * parent["grad.cotangent_text"]).sum()).backward()
        wanted = parent.below(f"scale_{scale}.grad.")
        trained = {k: p for k, p in method.named_parameters() if p.requires_grad}
        assert trained.keys() == {k for k in wanted if not k.startswith("clip.")} != set()
        for key, parameter in trained.items():
            assert parameter.grad is not None
            parent.assert_near(parameter.grad, f"scale_{scale}.grad.{key}")


@torch.no_grad()
def test_without_adapters_it_is_plain_clip(parent: Reference) -> None:
    model = clip(sizes(parent.config, 1), parent.below("weights.clip."))
    image = model.encode_video(parent["input.image"][:, None])
    parent.assert_near(image, "image.feature_no_adapter")
    parent.assert_near(model.encode_text(parent["input.token_ids"]), "text.feature_no_adapter")


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("clip-b16", 149_620_737), ("clip-l14", 427_616_513), ("clip-b32", 151_277_313)],
)
def test_released_sizes(name: str, parameters: int) -> None:
    with torch.device("meta"):
        model = build_backbone(SIZES[name])
        full = build_method("full", model, default_options("full"), seed=0)
    assert isinstance(model, CLIP)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    text = SIZES[name].text
    tuned = sum(p.numel() for p in full.parameters() if p.requires_grad)
    assert tuned == parameters - text.vocabulary * text.width - 1


def tiny(options: MSTAOptions = OPTIONS, frames: int = 3) -> Method:
    config = replace(TINY, vision=replace(TINY.vision, frames=frames))
    return build_method("msta", build_backbone(config, seed=1), options, seed=3)


def clips_and_ids(count: int = 2, frames: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    video = torch.randn(count, frames, 3, 32, 32, generator=generator)
    ids = torch.randint(1, 500, (4, 9), generator=generator)
    ids[:, 8] = TINY.text.vocabulary - 1
    return video, ids


def in_time(
    adapter: TowerAdapter, h: torch.Tensor, vision: VisionConfig, mode: str
) -> torch.Tensor:
    """The temporal term by its definition: a 3-D convolution of (B, m, T, g, g), `(B·T, n, W)`."""
    assert adapter.temporal_up is not None
    weight, bias = adapter.temporal_up.weight, adapter.temporal_up.bias
    up = adapter.temporal_up
    batch, grid = len(h) // vision.frames, vision.grid

    def convolved(volume: torch.Tensor) -> torch.Tensor:
        return F.conv3d(volume, weight, bias, padding=(1, 0, 0), groups=up.groups)

    patches = h[:, 1:].view(batch, vision.frames, grid, grid, -1).permute(0, 4, 1, 2, 3)
    found = convolved(patches).permute(0, 2, 3, 4, 1).flatten(0, 1).flatten(1, 2)
    if mode == "none":
        return found
    first = h[:, :1].view(batch, vision.frames, -1)
    if mode == "frames":
        volume = first.transpose(1, 2)[..., None, None]
    else:
        volume = first.flatten(0, 1)[..., None, None, None]
    classes = convolved(volume).flatten(2).transpose(1, 2).reshape(len(h), 1, -1)
    return torch.cat([classes, found], dim=1)


@pytest.mark.parametrize("mode", ["none", "single_frame", "frames"])
@torch.no_grad()
def test_time_is_convolved_for_each_patch_over_the_frames_of_its_clip(mode: Any) -> None:
    vision = replace(TINY.vision, frames=4)
    adapter = TowerAdapter("vision", 1, vision.width, replace(OPTIONS, class_temporal=mode))
    for parameter in adapter.parameters():
        parameter.normal_()
    x = torch.randn(2 * 4, 1 + vision.patches, vision.width)
    adapter.eval()
    _, found = adapter(x, None, vision, None)
    torch.testing.assert_close(found, in_time(adapter, adapter.down(x), vision, mode))
    # The last block's class tokens alone: the same as among all tokens.
    alone = adapter(x[:, :1], None, vision, torch.zeros(8, dtype=torch.int64))[1]
    if mode == "none":
        assert alone is None
    else:
        torch.testing.assert_close(alone, found[:, :1])


@pytest.mark.parametrize("mode", ["none", "single_frame", "frames"])
def test_last_block_s_convolution_trains_only_where_a_class_token_has_time(mode: Any) -> None:
    method = tiny(replace(OPTIONS, class_temporal=mode))
    video, ids = clips_and_ids()
    with keyed(1, 0, torch.tensor([5, 6])):
        (method.encode_video(video).sum() + method.encode_text(ids).sum()).backward()
    for name, parameter in method.named_parameters():
        assert parameter.requires_grad == (not name.startswith("backbone."))
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            idle = mode == "none" and name.startswith("visual_adapter.3.temporal_up")
            assert parameter.grad.any() != idle, name


def test_class_tokens_over_frames_are_of_clip_alone() -> None:
    viclip = build_backbone(replace(TINY, vision=replace(TINY.vision, joint=True)))
    with pytest.raises(UserError, match="--class-temporal frames is of CLIP"):
        build_method("msta", viclip, replace(OPTIONS, class_temporal="frames"), seed=0)


@pytest.mark.parametrize("mode", ["none", "frames"])
def test_training_is_the_same_with_and_without_pooling_the_last_block(mode: Any) -> None:
    """Dropout included: masks belong to a clip's frames and tokens, not to tensors."""
    video, ids = clips_and_ids()
    gradients = []
    for pooled in (True, False):
        method = tiny(replace(OPTIONS, blocks=(1, 3), dropout=0.4, class_temporal=mode))
        method.backbone.pool_last(pooled)
        with keyed(5, 9, torch.tensor([3, 8])):
            features, text = method.encode_video(video), method.encode_text(ids)
        (features.square().sum() + text.square().sum()).backward()
        gradients.append({k: p.grad for k, p in method.named_parameters() if p.requires_grad})
        gradients[-1]["video"], gradients[-1]["text"] = features.detach(), text.detach()
    for name, found in gradients[0].items():
        assert found is not None
        torch.testing.assert_close(found, gradients[1][name], atol=1e-4, rtol=1e-4, msg=name)


def test_masks_belong_to_row_and_frame() -> None:
    method = tiny(replace(OPTIONS, dropout=0.5))
    video, _ = clips_and_ids(count=2)
    rows = torch.tensor([40, 12])

    def features(part: list[int], which: torch.Tensor = video) -> torch.Tensor:
        with keyed(1, 3, rows[part]), torch.no_grad():
            return method.encode_video(which[part])

    together = features([0, 1])
    torch.testing.assert_close(torch.cat([features([1]), features([0])]), together.flip(0))
    # The same picture in every frame: each frame's features differ, for each has a mask of its own.
    still = video[:, :1].expand_as(video)
    seen: list[torch.Tensor] = []
    with keyed(1, 3, rows), torch.no_grad():
        method.backbone.encode_video(still, recorded(seen, method.vision_step))
    last = seen[-1].view(2, 3, -1)
    assert not torch.allclose(last[:, 0], last[:, 1], atol=1e-4)


@torch.no_grad()
def test_order_of_frames_matters_to_adapters_alone() -> None:
    video, _ = clips_and_ids()
    flipped = video.flip(1)
    plain = build_method("zero-shot", build_backbone(TINY, 1), default_options("zero-shot"), 0)
    torch.testing.assert_close(plain.encode_video(video), plain.encode_video(flipped))
    method = tiny(replace(OPTIONS, blocks=(1, 3))).eval()
    before, after = method.encode_video(video), method.encode_video(flipped)
    assert not torch.allclose(before, after, atol=1e-4)


def test_clips_of_another_length_are_refused_not_mixed() -> None:
    with pytest.raises(ValueError, match="clips of 2 frames, the tower expects 3"):
        build_backbone(TINY).encode_video(torch.zeros(3, 2, 3, 32, 32))


@pytest.mark.parametrize("name", ["l14", "clip-l14"])
def test_the_default_recipe_says_what_l14_needs(name: str) -> None:
    with torch.device("meta"):
        backbone = build_backbone(SIZES[name])
        for mid, first in ((256, 1), (128, 8)):
            options = default_options("msta", mid=mid, blocks=(first, 12))
            with pytest.raises(UserError, match=r"in pairs 13 to 24; say --blocks 13 24 for all"):
                build_method("msta", backbone, options, seed=0)
        whole = build_method("msta", backbone, default_options("msta", blocks=(13, 24)), 0)
        vision = default_options("msta", blocks=(1, 12), towers="vision")
        build_method("msta", backbone, vision, seed=0)
    names = [name for name, p in whole.named_parameters() if p.requires_grad]
    for part in ("visual_adapter", "text_adapter", "shared_adapter"):
        pairs = {int(name.split(".")[1]) for name in names if name.startswith(part)}
        assert pairs == set(range(13, 25))


def test_the_page_of_backbones_is_right() -> None:
    page = Path(__file__).parents[2] / "train/models/README.md"
    told: dict[str, tuple[int, int]] = {}
    for line in page.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        names = re.findall(r"`([\w-]+)`", cells[0])
        if len(cells) == 5 and names and names[0] in SIZES:
            counts = zip(cells[3].split(", "), cells[4].split(", "), strict=True)
            numbers = [(int(p.replace(",", "")), int(t)) for p, t in counts]
            told.update(zip(names, numbers, strict=True))
    assert told.keys() == SIZES.keys()
    for name, counts in told.items():
        with torch.device("meta"):
            state = build_backbone(SIZES[name]).state_dict()
        assert (sum(value.numel() for value in state.values()), len(state)) == counts, name
