"""Sizes of the two towers, of ViCLIP and of CLIP.

A tower of `width` w with `heads` h has heads of w / h channels and MLPs of 4 w hidden units. The
two kinds differ in what a vision block sees at once: all frames of a clip, or one frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# CLIP's byte-pair table: 512 byte symbols, merges, start and end mark.
BYTE_SYMBOLS: Final = 512
MARKS: Final = 2


@dataclass(frozen=True)
class VisionConfig:
    """Vision tower: clips of `frames` pictures of `resolution` squared pixels."""

    width: int
    blocks: int
    heads: int
    patch: int  # pixels, side of a square
    resolution: int  # pixels, side of a square
    frames: int
    joint: bool = True  # attention over all frames of a clip (ViCLIP), or within each (CLIP)

    @property
    def grid(self) -> int:
        """Patches along one side."""
        return self.resolution // self.patch

    @property
    def patches(self) -> int:
        """Patches of one frame."""
        return self.grid**2


@dataclass(frozen=True)
class TextConfig:
    """Text tower: sentences of at most `context` ids below `vocabulary`."""

    width: int
    blocks: int
    heads: int
    context: int
    vocabulary: int


@dataclass(frozen=True)
class BackboneConfig:
    """Both towers and the width of the space they meet in."""

    vision: VisionConfig
    text: TextConfig
    embed: int


def _clip(patch: int) -> BackboneConfig:
    """The sizes CLIP ViT-B/32 and B/16 share."""
    return BackboneConfig(
        VisionConfig(768, blocks=12, heads=12, patch=patch, resolution=224, frames=8, joint=False),
        TextConfig(width=512, blocks=12, heads=8, context=77, vocabulary=49408),
        embed=512,
    )


# Names of `--backbone`. CLIP sees 8 frames one by one; its frames are no part of its weights.
SIZES: Final[Mapping[str, BackboneConfig]] = {
    "b16": BackboneConfig(
        VisionConfig(width=768, blocks=12, heads=12, patch=16, resolution=224, frames=8),
        TextConfig(width=512, blocks=12, heads=8, context=32, vocabulary=49408),
        embed=512,
    ),
    "l14": BackboneConfig(
        VisionConfig(width=1024, blocks=24, heads=16, patch=14, resolution=224, frames=8),
        TextConfig(width=768, blocks=12, heads=12, context=32, vocabulary=49408),
        embed=768,
    ),
    # Small enough to be pre-trained in minutes on two cores. As many blocks in one tower as in
    # the other, so that every pair of blocks can share a layer.
    "nano": BackboneConfig(
        VisionConfig(width=96, blocks=3, heads=3, patch=16, resolution=48, frames=8),
        TextConfig(width=64, blocks=3, heads=2, context=40, vocabulary=BYTE_SYMBOLS + 4094 + MARKS),
        embed=64,
    ),
    "clip-b32": _clip(patch=32),
    "clip-b16": _clip(patch=16),
    "clip-l14": BackboneConfig(
        VisionConfig(1024, blocks=24, heads=16, patch=14, resolution=224, frames=8, joint=False),
        TextConfig(width=768, blocks=12, heads=12, context=77, vocabulary=49408),
        embed=768,
    ),
    "clip-nano": BackboneConfig(
        VisionConfig(96, blocks=3, heads=3, patch=16, resolution=48, frames=8, joint=False),
        TextConfig(width=64, blocks=3, heads=2, context=40, vocabulary=BYTE_SYMBOLS + 4094 + MARKS),
        embed=64,
    ),
}
