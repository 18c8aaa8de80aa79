"""Embeddings of one shape turned into those of another."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from tests.train.reference import Reference, read_reference
from train.models.resize import (
    patch_weight,
    spatial_positions,
    temporal_embedding,
    text_positions,
)


@pytest.fixture(scope="module")
def official(oracles: Path) -> Reference:
    return read_reference(oracles / "viclip_interp.safetensors")


def test_time_is_resized_as_officially(official: Reference) -> None:
    [embedding] = official.below("temporal.embed_").values()
    found = 0
    for name in official.tensors:
        if match := re.fullmatch(r"temporal\.(official|linear)_(\d+)", name):
            rule, frames = match[1], int(match[2])
            official.assert_near(temporal_embedding(embedding, frames, rule), name)
            found += 1
    assert found >= 4


def test_patches_and_places_are_inflated_as_officially(official: Reference) -> None:
    for case, words in official.config.items():
        flat, wanted = official[f"init.{case}.conv2d_in"], official[f"init.{case}.conv3d_out"]
        rule = "average" if "average" in words else "centre"
        official.assert_near(patch_weight(flat, wanted.shape[2], rule), f"init.{case}.conv3d_out")
        places = official[f"init.{case}.pos_out"]
        grid = round((len(places) - 1) ** 0.5)
        official.assert_near(
            spatial_positions(official[f"init.{case}.pos_in"], grid), f"init.{case}.pos_out"
        )


@pytest.mark.parametrize(("context", "kept"), [(77, 32), (32, 32), (5, 5)])
def test_text_places_are_cut_or_padded(context: int, kept: int) -> None:
    places = torch.randn(32, 6)
    found = text_positions(places, context)
    assert found.shape == (context, 6)
    assert torch.equal(found[:kept], places[:kept])
    assert not found[kept:].any()


def test_same_frames_are_the_same_tensor() -> None:
    embedding = torch.randn(1, 8, 4)
    assert temporal_embedding(embedding, 8) is embedding
    assert torch.equal(temporal_embedding(embedding, 3), embedding[:, :3])
