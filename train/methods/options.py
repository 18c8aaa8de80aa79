"""What each method can be told, with its defaults.

The words become options of the command line as they stand. Open points of the paper that an option
settles are listed in `README.md` beside this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True)
class MSTAOptions:
    """Multi-modal spatio-temporal adapters."""

    mid: int = 256
    """Width of the adapters (m)."""
    blocks: tuple[int, int] = (1, 12)
    """First and last block with adapters, counted from 1."""
    scale: float = 0.005
    """Weight of the adapters' output (lambda); 0 is the frozen model."""
    dropout: float = 0.1
    """Share of adapter channels dropped in training."""
    towers: Literal["both", "vision", "text"] = "both"
    """Towers with adapters."""
    shared: bool = True
    """A layer between down and up that both towers share; without it, its ReLU goes too."""
    own_layers: bool = False
    """With --no-shared: in the place of the shared layer one of the same form in each tower."""
    input_norm: Literal["ln_1", "none"] = "ln_1"
    """What adapters read: the block's input behind its first norm, or as it is."""
    temporal: bool = True
    """The convolution over time in the vision adapters."""
    class_temporal: Literal["none", "single_frame", "frames"] = "none"
    """What it does to a class token: nothing, or what it would to a clip of one frame; or, on
    CLIP alone, it takes the class tokens of a clip's frames as it takes a patch."""
    groups: int | None = None
    """Groups of that convolution; by default one a channel (m), which must divide the width."""
    dropout_place: Literal["shared", "down"] = "shared"
    """Dropout after the shared layer, or before it, after the way down."""
    gradient_scaling: bool = True
    """Adapters' gradients divided by lambda, as if it were 1 for them alone."""


@dataclass(frozen=True)
class FullOptions:
    """Everything is trained."""

    token_table: bool = False
    """Train the table of token embeddings too."""
    temperature: bool = False
    """Train the temperature too."""


@dataclass(frozen=True)
class ZeroShotOptions:
    """Nothing is trained."""


@dataclass(frozen=True)
class AdaptFormerOptions:
    """Bottlenecks beside the MLPs of both towers; the defaults have Table 5's 7.9 M."""

    bottleneck: int = 256
    """Width of the adapters."""
    blocks: tuple[int, int] | None = None
    """First and last block with adapters, counted from 1; by default all."""
    scale: float = 0.1
    """Weight of the adapters' output."""
    dropout: float = 0.1
    """Share of adapter channels dropped in training."""
    towers: Literal["both", "vision", "text"] = "both"
    """Towers with adapters."""
    insertion: Literal["parallel", "sequential"] = "parallel"
    """Beside the MLP, reading what it reads before its norm, or behind it, reading its output."""


Target = Literal["q", "k", "v", "out", "mlp"]


@dataclass(frozen=True)
class LoRAOptions:
    """Low-rank updates; the defaults are a preset with Table 5's 9.4 M (`vision-qv-256`)."""

    rank: int = 256
    """Rank of the updates."""
    lora_alpha: float | None = None
    """Updates are weighted by alpha / rank; by default alpha is the rank."""
    dropout: float = 0.0
    """Share of the updates' inputs dropped in training."""
    target_modules: tuple[Target, ...] = ("q", "v")
    """Projections that are updated; mlp stands for both layers of the MLP."""
    towers: Literal["both", "vision", "text"] = "vision"
    """Towers that are updated."""
    blocks: tuple[int, int] | None = None
    """First and last block that is updated, counted from 1; by default all."""


# The paper gives 9.4 M and neither rank nor place. `vision-qv-256` has 9,437,184 parameters of
# ViCLIP-B/16, `both-qkvo-16` 1,966,080: with both towers no customary rank gives 9.4 M.
LORA_PRESETS: Final[Mapping[str, LoRAOptions]] = {
    "vision-qv-256": LoRAOptions(),
    "vision-qkvo-128": LoRAOptions(rank=128, target_modules=("q", "k", "v", "out")),
    "both-qkvo-16": LoRAOptions(rank=16, target_modules=("q", "k", "v", "out"), towers="both"),
}

Options = MSTAOptions | AdaptFormerOptions | LoRAOptions | FullOptions | ZeroShotOptions
