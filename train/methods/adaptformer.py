"""AdaptFormer: a bottleneck beside (or behind) the MLP of each block of both towers.

::

    x = x + attention(ln_1(x))
    parallel      y = x + mlp(ln_2(x)) + s · A(x)           A(u) = up(dropout(relu(down(u))))
    sequential    y = x + m + s · A(m),  m = mlp(ln_2(x))

The parallel adapter reads the stream between attention and MLP, before the block's second norm,
and has no norm of its own, as the official code runs it. `up` starts at zero, so training starts
from the frozen model.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from manifests.errors import UserError
from train.methods.blocks import tower_blocks
from train.methods.dropout import KeyedDropout, Tower
from train.methods.initial import kaiming_uniform
from train.methods.method import Method
from train.methods.options import AdaptFormerOptions
from train.models.backbone import Backbone
from train.models.transformer import Block, Linear, plain_step


class Bottleneck(nn.Module):
    """The adapter of one block."""

    def __init__(self, tower: Tower, number: int, width: int, options: AdaptFormerOptions) -> None:
        super().__init__()
        self.down_proj = Linear(width, options.bottleneck)
        self.dropout = KeyedDropout(options.dropout, tower, number)
        self.up_proj = Linear(options.bottleneck, width)
        self.scale, self.insertion = options.scale, options.insertion

    def forward(self, x: torch.Tensor, rows: torch.Tensor | None = None) -> torch.Tensor:
        """`(B, N, W)` to the same shape; rows: as in `train.models.transformer.Step`."""
        found: torch.Tensor = self.up_proj(self.dropout(F.relu(self.down_proj(x)), rows))
        return found

    def step(self, block: Block, x: torch.Tensor, rows: torch.Tensor | None) -> torch.Tensor:
        """Output of a block with this adapter."""
        stream = block.attended(x, block.ln_1(x), rows)
        made = block.mlp(block.ln_2(stream))
        read = stream if self.insertion == "parallel" else made
        return torch.add(stream + made, self(read, rows), alpha=self.scale)


class AdaptFormer(Method):
    """The bottlenecks are the only thing that trains."""

    def __init__(self, backbone: Backbone, options: AdaptFormerOptions, seed: int) -> None:
        """seed: decides the adapters' first values, the same on every rank.

        Raises UserError when the options do not fit the backbone.
        """
        super().__init__(backbone)
        if options.bottleneck < 1 or not 0 <= options.dropout < 1:
            raise UserError(
                f"bottleneck {options.bottleneck}, dropout {options.dropout}: "
                "at least 1, from 0 to below 1"
            )
        config = backbone.config
        numbers = tower_blocks(options.blocks, options.towers, config)
        self.visual_adapter = nn.ModuleDict(
            {
                str(n): Bottleneck("vision", n, config.vision.width, options)
                for n in numbers["vision"]
            }
        )
        self.text_adapter = nn.ModuleDict(
            {str(n): Bottleneck("text", n, config.text.width, options) for n in numbers["text"]}
        )
        kaiming_uniform(self, seed, zeros=("bias", "up_proj.weight"))

    @property
    def frozen_text_blocks(self) -> int:
        """Text blocks below the first one with an adapter."""
        adapted = [int(number) for number in self.text_adapter]
        if not adapted:
            return len(self.backbone.text_encoder.transformer.resblocks)
        return min(adapted) - 1

    def vision_step(
        self, number: int, block: Block, x: torch.Tensor, rows: torch.Tensor | None
    ) -> torch.Tensor:
        """Output of vision block `number` with its adapter."""
        return _step(self.visual_adapter, number, block, x, rows)

    def text_step(
        self, number: int, block: Block, x: torch.Tensor, rows: torch.Tensor | None
    ) -> torch.Tensor:
        """Output of text block `number` with its adapter."""
        return _step(self.text_adapter, number, block, x, rows)


def _step(
    adapters: nn.ModuleDict,
    number: int,
    block: Block,
    x: torch.Tensor,
    rows: torch.Tensor | None,
) -> torch.Tensor:
    if str(number) not in adapters:
        return plain_step(number, block, x, rows)
    adapter = adapters[str(number)]
    assert isinstance(adapter, Bottleneck)
    return adapter.step(block, x, rows)
