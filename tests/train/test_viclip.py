"""Both towers against the official ones, and the economies against doing everything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.train.reference import Reference, read_reference
from train.models.config import SIZES
from train.models.transformer import Block, plain_step
from train.models.viclip import ViCLIP

SMALL = SIZES["nano"]


@pytest.fixture(scope="module")
def official(oracles: Path) -> Reference:
    return read_reference(oracles / "viclip_tiny.safetensors")


class Recorder:
    """A step that remembers what each block gave."""

    def __init__(self) -> None:
        self.inputs: list[torch.Tensor] = []
        self.outputs: list[torch.Tensor] = []

    def __call__(
        self, number: int, block: Block, x: torch.Tensor, rows: torch.Tensor | None
    ) -> torch.Tensor:
        self.inputs.append(x)
        self.outputs.append(plain_step(number, block, x, rows))
        return self.outputs[-1]


@pytest.mark.parametrize("pooled", [True, False])
@torch.no_grad()
def test_features_and_logits_are_the_official_ones(official: Reference, pooled: bool) -> None:
    model = official.backbone()
    model.pool_last(pooled)
    video = model.encode_video(official["input.video_btchw"])
    text = model.encode_text(official["input.token_ids"])
    official.assert_near(video, "vision.feature")
    official.assert_near(text, "text.feature")
    cosine = torch.nn.functional.normalize(video) @ torch.nn.functional.normalize(text).T
    official.assert_near(cosine, "similarity")
    # A logit is a cosine over the temperature, and so is its error.
    logits, scale = official["logits"], 1 / float(official["weights.temp"])
    torch.testing.assert_close(
        cosine / model.tau, logits, atol=official.atol * scale, rtol=official.rtol
    )


@torch.no_grad()
def test_every_block_gives_what_the_official_one_does(official: Reference) -> None:
    model = official.backbone()
    model.pool_last(False)
    for tower, encode, given in (
        ("vision", model.encode_video, "input.video_btchw"),
        ("text", model.encode_text, "input.token_ids"),
    ):
        seen = Recorder()
        encode(official[given], seen)
        official.assert_near(seen.inputs[0], f"{tower}.block0_input")
        for number, output in enumerate(seen.outputs):
            official.assert_near(output, f"{tower}.block{number}_output")


@torch.no_grad()
def test_a_single_picture_gets_the_mean_of_all_times(official: Reference) -> None:
    found = official.backbone().encode_video(official["input.video_btchw"][:, :1])
    official.assert_near(found, "vision.feature_single_image")


@torch.no_grad()
def test_text_ends_at_its_first_end_mark(official: Reference) -> None:
    ids = official["input.token_ids"]
    ends = official.backbone().text_encoder.prefix(ids).ends
    assert torch.equal(ends, official["text.eot_index"])


@torch.no_grad()
def test_text_cut_to_the_longest_gives_the_same(official: Reference) -> None:
    model, ids = official.backbone(), official["input.token_ids"]
    ends = ids.argmax(dim=1)
    for end in ends.unique():
        some = ids[ends <= end]
        found = model.encode_text(some[:, : int(end) + 1])
        torch.testing.assert_close(
            found, official["text.feature"][ends <= end], atol=official.atol, rtol=official.rtol
        )


@torch.no_grad()
def test_tokens_run_over_frames_first() -> None:
    """Token 1 + n·T + t is patch n of frame t: a change of that patch changes that token alone."""
    model = ViCLIP(SMALL, seed=1)
    vision, patch = SMALL.vision, SMALL.vision.patch
    clips = torch.randn(1, vision.frames, 3, vision.resolution, vision.resolution)
    changed = clips.clone()
    frame, row, column = 5, 1, 2
    changed[:, frame, :, patch * row : patch * (row + 1), patch * column : patch * (column + 1)] = 0
    before, after = (model.vision_encoder.embed(x) for x in (clips, changed))
    differs = (before != after).any(dim=-1)[0].nonzero().flatten().tolist()
    assert differs == [1 + (row * vision.grid + column) * vision.frames + frame]


@pytest.mark.parametrize(
    ("name", "parameters", "keys"), [("b16", 149_603_841, 303), ("l14", 427_590_145, 447)]
)
def test_released_sizes(name: str, parameters: int, keys: int) -> None:
    with torch.device("meta"):
        model = ViCLIP(SIZES[name])
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    assert len(model.state_dict()) == keys


def test_nano_has_as_many_blocks_in_both_towers() -> None:
    assert SMALL.vision.blocks == SMALL.text.blocks


def test_first_values_depend_on_the_seed_alone() -> None:
    one = ViCLIP(SMALL, seed=5).state_dict()
    before = torch.get_rng_state()
    torch.randn(7)
    two = ViCLIP(SMALL, seed=5).state_dict()
    other = ViCLIP(SMALL, seed=6).state_dict()
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert not torch.equal(one["vision_encoder.proj"], other["vision_encoder.proj"])
    assert all(value.isfinite().all() for value in one.values())
    torch.set_rng_state(before)
    drawn = torch.randn(3)
    torch.set_rng_state(before)
    ViCLIP(SMALL, seed=7)
    assert torch.equal(torch.randn(3), drawn), "the global generator was used"


def test_temperature_is_bounded_and_can_rise_again() -> None:
    model = ViCLIP(SMALL)
    with torch.no_grad():
        model.temp.fill_(0.004)
    tau = model.tau
    assert tau.item() == pytest.approx(0.01)
    tau.backward()
    assert model.temp.grad is not None and float(model.temp.grad) == 1.0


def test_gradients_are_those_of_all_tokens() -> None:
    """The last block for one token only changes no gradient."""
    sizes = replace(SMALL, text=replace(SMALL.text, vocabulary=600))
    clips = torch.randn(2, 8, 3, 48, 48)
    ids = torch.tensor([[598, 4, 599, 0], [598, 7, 9, 599]])
    gradients = []
    for pooled in (True, False):
        model = ViCLIP(sizes, seed=2)
        model.pool_last(pooled)
        (model.encode_video(clips).sum() + model.encode_text(ids).square().sum()).backward()
        gradients.append({k: p.grad for k, p in model.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    assert set(dict(ViCLIP(sizes).named_parameters())) - gradients[0].keys() == {"temp"}
    for key, found in gradients[0].items():
        torch.testing.assert_close(found, gradients[1][key], atol=2e-4, rtol=2e-3, msg=key)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_clips_rounded_before_the_tower_are_those_rounded_in_it(dtype: torch.dtype) -> None:
    """Under autocast the patch embedding rounds its input, so loaders may as well."""
    model = ViCLIP(SIZES["nano"], 3)
    side = SIZES["nano"].vision.resolution
    clips = torch.randn(2, 8, 3, side, side, generator=torch.Generator().manual_seed(1))
    with torch.no_grad(), torch.autocast("cpu", dtype=dtype):
        assert torch.equal(model.encode_video(clips), model.encode_video(clips.to(dtype)))
