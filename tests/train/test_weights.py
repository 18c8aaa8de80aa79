"""Weights from every form they come in, and one line for what cannot be loaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from manifests.errors import UserError
from train.models.config import SIZES, BackboneConfig, TextConfig, VisionConfig
from train.models.resize import temporal_embedding
from train.models.viclip import ViCLIP
from train.models.weights import load_backbone, save_backbone

# Heads of 64 channels, as in every released model: all sizes can be read from the shapes.
TINY = BackboneConfig(VisionConfig(64, 2, 1, 8, 24, 8), TextConfig(64, 1, 1, 32, 700), 20)
TIME = "vision_encoder.temporal_positional_embedding"
PLACES = "text_encoder.positional_embedding"
Tensors = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def tensors() -> Tensors:
    return {key: value.clone() for key, value in ViCLIP(TINY, seed=4).state_dict().items()}


def same(model: ViCLIP, tensors: Tensors) -> bool:
    state = model.state_dict()
    return state.keys() == tensors.keys() and all(
        torch.equal(state[key], tensors[key]) for key in state
    )


def test_saved_and_loaded(tmp_path: Path) -> None:
    """Heads of another width than 64 are in the file of sizes beside the weights."""
    model = ViCLIP(SIZES["nano"], seed=4)
    save_backbone(model, tmp_path / "nano")
    found, tokenizer, digest = load_backbone("nano", frames=8, models=tmp_path)
    assert found.config == SIZES["nano"] and same(found, model.state_dict())
    # Where numbers lie decides how their products are rounded.
    assert not any(tensor.data_ptr() % 64 for tensor in found.state_dict().values())
    assert (tokenizer.vocabulary, tokenizer.context) == (4608, 40)
    assert load_backbone(str(tmp_path / "nano"), 8)[2] == digest
    assert load_backbone(str(tmp_path / "nano" / "model.safetensors"), 8)[2] == digest
    (tmp_path / "nano" / "config.json").unlink()
    assert load_backbone("nano", 8, tmp_path)[0].config == SIZES["nano"]
    clips = torch.randn(1, 8, 3, 48, 48)
    assert torch.equal(found.encode_video(clips), model.encode_video(clips))


WRAPPINGS: dict[str, Callable[[Tensors], Any]] = {
    "bare": lambda tensors: tensors,
    "model": lambda tensors: {"model": tensors, "epoch": 3, "optimizer": {"lr": 1.0}},
    "module": lambda tensors: {"module": tensors},
    "state_dict": lambda tensors: {"state_dict": tensors},
    "ranks": lambda tensors: {"model": {f"module.{k}": v for k, v in tensors.items()}},
    "hub": lambda tensors: {f"model.{k}": v for k, v in tensors.items()},
    "half": lambda tensors: {k: v.double() for k, v in tensors.items()},
    "without temp": lambda tensors: {k: v for k, v in tensors.items() if k != "temp"},
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_every_published_form_of_a_checkpoint(
    wrapping: str, tensors: Tensors, tmp_path: Path
) -> None:
    torch.save(WRAPPINGS[wrapping](tensors), tmp_path / "weights.pth")
    model, tokenizer, digest = load_backbone(str(tmp_path / "weights.pth"), frames=8)
    assert model.config == TINY and same(model, tensors)
    assert tokenizer.vocabulary == TINY.text.vocabulary
    assert load_backbone(str(tmp_path), frames=8)[2] == digest, "a folder with one file"
    save_file(tensors, tmp_path / "model.safetensors")
    assert load_backbone(str(tmp_path), frames=8)[2] == digest, "the form does not matter"


def test_another_program_s_config_is_not_read(tensors: Tensors, tmp_path: Path) -> None:
    save_file(tensors, tmp_path / "model.safetensors")
    for text in ('{"vision": {"hidden_size": 768}, "model_type": "viclip"}', "[]", "no json"):
        (tmp_path / "config.json").write_text(text)
        assert load_backbone(str(tmp_path), frames=8)[0].config == TINY


@pytest.mark.parametrize("frames", [1, 4, 8, 16])
def test_other_numbers_of_frames(frames: int, tensors: Tensors, tmp_path: Path) -> None:
    save_file(tensors, tmp_path / "model.safetensors")
    model, _, digest = load_backbone(str(tmp_path), frames)
    # One frame takes the mean of the trained rows, which are kept for it.
    wanted = tensors[TIME] if frames == 1 else temporal_embedding(tensors[TIME], frames)
    assert torch.equal(model.state_dict()[TIME], wanted)
    assert model.config.vision.frames == wanted.shape[1]
    assert digest == load_backbone(str(tmp_path), 8)[2], "the weights are the same"
    assert model.encode_video(torch.randn(2, frames, 3, 24, 24)).shape == (2, TINY.embed)


@pytest.mark.parametrize("rows", [77, 20])
def test_text_places_of_a_named_size(rows: int, tmp_path: Path) -> None:
    nano = SIZES["nano"]
    model = ViCLIP(replace(nano, text=replace(nano.text, context=rows)), seed=1)
    (tmp_path / "nano").mkdir()
    save_file(model.state_dict(), tmp_path / "nano" / "model.safetensors")
    loaded = load_backbone("nano", 8, tmp_path)[0].state_dict()[PLACES]
    kept = min(rows, nano.text.context)
    assert loaded.shape[0] == nano.text.context
    assert torch.equal(loaded[:kept], model.state_dict()[PLACES][:kept])
    assert not loaded[kept:].any()


def test_digest_tells_weights_apart(tensors: Tensors, tmp_path: Path) -> None:
    other = dict(tensors)
    other["vision_encoder.proj"] = other["vision_encoder.proj"] + 1e-3
    save_file(tensors, tmp_path / "one.safetensors")
    save_file(other, tmp_path / "two.safetensors")
    digests = [load_backbone(str(tmp_path / name), 8)[2] for name in ("one.safetensors",) * 2]
    assert digests[0] == digests[1]
    assert load_backbone(str(tmp_path / "two.safetensors"), 8)[2] != digests[0]


def test_faulty_tensors_are_all_named_at_once(tensors: Tensors, tmp_path: Path) -> None:
    faulty = dict(tensors)
    del faulty["vision_encoder.ln_pre.bias"]
    faulty["vision_encoder.extra"] = torch.zeros(2)
    faulty["text_encoder.ln_final.weight"] = torch.zeros(3)
    save_file(faulty, tmp_path / "model.safetensors")
    with pytest.raises(UserError) as caught:
        load_backbone(str(tmp_path), 8)
    assert "missing vision_encoder.ln_pre.bias;" in str(caught.value)
    assert "unexpected vision_encoder.extra;" in str(caught.value)
    assert "misshapen text_encoder.ln_final.weight (3,) instead of (64,)" in str(caught.value)
    assert "\n" not in str(caught.value)


class Opaque:
    """Something a checkpoint may hold besides tensors."""


def damaged(folder: Path, tensors: Tensors) -> dict[str, tuple[Path, str]]:
    """Files that cannot be loaded, and a word of what is said of each."""
    save_file(tensors, folder / "whole.safetensors")
    bytes_of = (folder / "whole.safetensors").read_bytes()
    (folder / "cut.safetensors").write_bytes(bytes_of[: len(bytes_of) // 2])
    (folder / "empty.pth").write_bytes(b"")
    (folder / "text.pth").write_text("<html>not found</html>")
    (folder / "list.txt").write_text("root:x:0:0:root:/root:/bin/bash\n")  # pickle reads on a while
    torch.save(tensors, folder / "cut.pth")
    (folder / "cut.pth").write_bytes((folder / "cut.pth").read_bytes()[:5000])
    torch.save({"model": tensors, "config": Opaque()}, folder / "opaque.pth")
    torch.save([1, 2], folder / "list.pth")
    save_file({"weight": torch.zeros(2)}, folder / "other.safetensors")
    save_file({"vision_encoder.conv1.weight": torch.zeros(4, 3)}, folder / "flat.safetensors")
    return {
        "cut.safetensors": (folder / "cut.safetensors", "no readable file"),
        "empty.pth": (folder / "empty.pth", "no readable file"),
        "text.pth": (folder / "text.pth", "no readable file"),
        "list.txt": (folder / "list.txt", "no readable file"),
        "cut.pth": (folder / "cut.pth", "no readable file"),
        "opaque.pth": (folder / "opaque.pth", "more than tensors"),
        "list.pth": (folder / "list.pth", "no named tensors"),
        "other.safetensors": (folder / "other.safetensors", "holds no ViCLIP"),
        "flat.safetensors": (folder / "flat.safetensors", "holds no whole CLIP"),
        "a folder of many": (folder, "name one of them"),
        "nowhere": (folder / "nowhere", "name a folder with model.safetensors"),
    }


def test_one_line_for_what_cannot_be_loaded(tensors: Tensors, tmp_path: Path) -> None:
    for name, (path, words) in damaged(tmp_path, tensors).items():
        with pytest.raises(UserError, match=words) as caught:
            load_backbone(str(path), 8)
        assert str(path) in str(caught.value), name
        assert "\n" not in str(caught.value), name


def test_absent_sizes_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"`prep demo`.*train/run.py pretrain"):
        load_backbone("nano", 8, tmp_path)
    with pytest.raises(UserError, match="official ViCLIP-B weights"):
        load_backbone("b16", 8, tmp_path)


def test_saved_sizes_are_plain_json(tmp_path: Path) -> None:
    save_backbone(ViCLIP(TINY), tmp_path)
    record = json.loads((tmp_path / "config.json").read_text())
    assert record["vision"]["heads"] == TINY.vision.heads and record["embed"] == TINY.embed
