"""LoRA: low-rank updates of a block's projections.

::

    W' x = W x + (alpha / rank) · B A x          A (rank, in), B (out, rank), no biases

The three of attention's fused projection are updated one by one: q is its first third of rows, k
the second, v the third. B starts at zero, so training starts from the frozen model. In the last
block q, out and the MLP see the wanted token only, k and v all: exact, with or without dropout,
whose masks belong to tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import torch
from torch import nn

from manifests.errors import UserError
from train.methods.blocks import tower_blocks
from train.methods.dropout import KeyedDropout, Tower
from train.methods.initial import kaiming_uniform
from train.methods.method import Method
from train.methods.options import LoRAOptions, Target
from train.models.backbone import Backbone
from train.models.transformer import Block, Extra, Linear, Place, plain_step

# Projections of each target, with input and output in widths of the tower.
_PLACES: Final[Mapping[Target, Mapping[Place, tuple[int, int]]]] = {
    "q": {"q": (1, 1)},
    "k": {"k": (1, 1)},
    "v": {"v": (1, 1)},
    "out": {"out": (1, 1)},
    "mlp": {"c_fc": (1, 4), "c_proj": (4, 1)},
}
_ORDER: Final[tuple[Place, ...]] = ("q", "k", "v", "out", "c_fc", "c_proj")


class LowRank(nn.Module):
    """The update of one projection."""

    def __init__(self, inner: int, outer: int, options: LoRAOptions, dropout: KeyedDropout) -> None:
        super().__init__()
        self.dropout = dropout
        self.lora_A = Linear(inner, options.rank, bias=False)
        self.lora_B = Linear(options.rank, outer, bias=False)
        alpha = options.rank if options.lora_alpha is None else options.lora_alpha
        self.scaling = alpha / options.rank

    def forward(self, x: torch.Tensor, rows: torch.Tensor | None = None) -> torch.Tensor:
        """`(B, N, in)` to `(B, N, out)`; rows: with N = 1, the token `(B,)` it is of each row."""
        hidden = self.lora_A(self.dropout(x, rows))
        found: torch.Tensor = self.lora_B(hidden if self.scaling == 1 else hidden * self.scaling)
        return found


class BlockUpdates(nn.ModuleDict):
    """The updates of one block, by projection."""

    def __init__(self, tower: Tower, number: int, width: int, options: LoRAOptions) -> None:
        super().__init__()
        for target in dict.fromkeys(options.target_modules):
            for place, (inner, outer) in _PLACES[target].items():
                dropout = KeyedDropout(options.dropout, tower, number, _ORDER.index(place))
                self[place] = LowRank(inner * width, outer * width, options, dropout)

    def step(self, block: Block, x: torch.Tensor, rows: torch.Tensor | None) -> torch.Tensor:
        """Output of a block with these updates."""
        out: torch.Tensor = block(x, block.ln_1(x), rows, self.extra(rows))
        return out

    def extra(self, rows: torch.Tensor | None) -> Extra:
        """What these updates add to the projections of a block that computes tokens `rows`."""

        def found(place: Place, x: torch.Tensor) -> torch.Tensor | None:
            if place not in self:
                return None
            added: torch.Tensor = self[place](x, None if place in ("k", "v") else rows)
            return added

        return found


class LoRA(Method):
    """The factors A and B are the only thing that trains."""

    def __init__(self, backbone: Backbone, options: LoRAOptions, seed: int) -> None:
        """seed: decides the first values of A, the same on every rank.

        Raises UserError when the options do not fit the backbone.
        """
        super().__init__(backbone)
        if options.rank < 1 or not 0 <= options.dropout < 1 or not options.target_modules:
            raise UserError(
                f"rank {options.rank}, dropout {options.dropout}, {len(options.target_modules)} "
                "target modules: at least 1, from 0 to below 1, at least 1"
            )
        config = backbone.config
        numbers = tower_blocks(options.blocks, options.towers, config)
        widths: dict[Tower, int] = {"vision": config.vision.width, "text": config.text.width}
        made = {
            tower: nn.ModuleDict(
                {str(n): BlockUpdates(tower, n, widths[tower], options) for n in numbers[tower]}
            )
            for tower in widths
        }
        self.visual_lora, self.text_lora = made["vision"], made["text"]
        kaiming_uniform(self, seed, zeros=("lora_B.weight",))

    @property
    def frozen_text_blocks(self) -> int:
        """Text blocks below the first one with an update."""
        updated = [int(number) for number in self.text_lora]
        if not updated:
            return len(self.backbone.text_encoder.transformer.resblocks)
        return min(updated) - 1

    def vision_step(
        self, number: int, block: Block, x: torch.Tensor, rows: torch.Tensor | None
    ) -> torch.Tensor:
        """Output of vision block `number` with its updates."""
        return _step(self.visual_lora, number, block, x, rows)

    def text_step(
        self, number: int, block: Block, x: torch.Tensor, rows: torch.Tensor | None
    ) -> torch.Tensor:
        """Output of text block `number` with its updates."""
        return _step(self.text_lora, number, block, x, rows)


def _step(
    updates: nn.ModuleDict,
    number: int,
    block: Block,
    x: torch.Tensor,
    rows: torch.Tensor | None,
) -> torch.Tensor:
    if str(number) not in updates:
        return plain_step(number, block, x, rows)
    found = updates[str(number)]
    assert isinstance(found, BlockUpdates)
    return found.step(block, x, rows)
