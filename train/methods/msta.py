"""MSTA: adapters beside whole blocks of both towers, a layer of each pair shared.

::

    block j of a tower     y = E_j(x) + lambda · A_j(ln_1(x))              (eqs. 8, 10)

The adapter reads the block's input, behind the block's own frozen norm, and is added once, after
attention and MLP. Blocks are counted from 1; where the towers differ in depth, pairs are formed
from the top, and numbers are those of the deeper tower.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from manifests.errors import UserError
from train.methods.adapter import TowerAdapter, added, middle_layer
from train.methods.blocks import check_blocks, depth, tower_blocks
from train.methods.method import Method
from train.methods.options import MSTAOptions
from train.models.backbone import Backbone
from train.models.config import BackboneConfig
from train.models.transformer import Block, token_at


class MSTA(Method):
    """Adapters are the only thing that trains."""

    def __init__(self, backbone: Backbone, options: MSTAOptions, seed: int) -> None:
        """seed: decides the adapters' first values, the same on every rank.

        Raises UserError when the options do not fit the backbone.
        """
        super().__init__(backbone)
        config = backbone.config
        check_options(options, config)
        self.options = options
        numbers = tower_blocks(options.blocks, options.towers, config)
        self.above_vision = depth(config) - config.vision.blocks
        self.above_text = depth(config) - config.text.blocks
        self.visual_adapter, self.text_adapter = nn.ModuleDict(), nn.ModuleDict()
        self.shared_adapter = nn.ModuleDict()
        for pair in range(options.blocks[0], options.blocks[1] + 1):
            if pair - self.above_vision in numbers["vision"]:
                adapter = TowerAdapter("vision", pair, config.vision.width, options)
                self.visual_adapter[str(pair)] = adapter
            if pair - self.above_text in numbers["text"]:
                adapter = TowerAdapter("text", pair, config.text.width, options)
                self.text_adapter[str(pair)] = adapter
            present = str(pair) in self.visual_adapter or str(pair) in self.text_adapter
            if options.shared and present:
                self.shared_adapter[str(pair)] = middle_layer(options.mid)
        self._initialise(seed)

    @torch.no_grad()
    def _initialise(self, seed: int) -> None:
        """Kaiming normal by fan-out, also for the ways up; biases 0."""
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            if name.startswith("backbone."):
                continue
            if parameter.ndim == 1:
                parameter.zero_()
            elif not parameter.is_meta:
                fan_out = parameter.shape[0] * math.prod(parameter.shape[2:])
                parameter.normal_(0.0, math.sqrt(2 / fan_out), generator=generator)

    @property
    def frozen_text_blocks(self) -> int:
        """Text blocks below the first one with an adapter."""
        adapted = [int(pair) for pair in self.text_adapter]
        if not adapted:
            return len(self.backbone.text_encoder.transformer.resblocks)
        return min(adapted) - self.above_text - 1

    def vision_step(
        self, number: int, block: Block, x: torch.Tensor, rows: torch.Tensor | None
    ) -> torch.Tensor:
        """Output of vision block `number` with its adapter."""
        return self._step(self.visual_adapter, number + self.above_vision, block, x, rows)

    def text_step(
        self, number: int, block: Block, x: torch.Tensor, rows: torch.Tensor | None
    ) -> torch.Tensor:
        """Output of text block `number` with its adapter."""
        return self._step(self.text_adapter, number + self.above_text, block, x, rows)

    def _step(
        self,
        adapters: nn.ModuleDict,
        pair: int,
        block: Block,
        x: torch.Tensor,
        rows: torch.Tensor | None,
    ) -> torch.Tensor:
        normed = block.ln_1(x)
        out: torch.Tensor = block(x, normed, rows)
        if str(pair) not in adapters:
            return out
        source = normed if self.options.input_norm == "ln_1" else x
        source = source if rows is None else token_at(source, rows)
        shared = self.shared_adapter[str(pair)] if self.options.shared else None
        scale = self.options.scale
        vision = self.backbone.config.vision
        alone = self.options.gradient_scaling and scale > 0
        read = _weakened(source, scale) if alone else source
        everywhere, in_time = adapters[str(pair)](read, shared, vision, rows)
        return added(out, everywhere, in_time, scale, 1.0 if alone else scale)


class _Weakened(torch.autograd.Function):
    """x itself; its gradient times a factor."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, factor: float) -> torch.Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradients[0] * ctx.factor, None


def _weakened(x: torch.Tensor, factor: float) -> torch.Tensor:
    found: torch.Tensor = _Weakened.apply(x, factor)  # type: ignore[no-untyped-call]
    return found


def check_options(options: MSTAOptions, config: BackboneConfig) -> None:
    """Refuse widths and blocks that the backbone cannot have."""
    check_blocks(options.blocks, config)
    if options.mid < 1 or not 0 <= options.dropout < 1 or options.scale < 0:
        raise UserError(
            f"mid {options.mid}, dropout {options.dropout}, scale {options.scale}: "
            "at least 1, from 0 to below 1, at least 0"
        )
    if options.own_layers and options.shared:
        raise UserError("--own-layers stand in the place of the shared one: say --no-shared too")
    if options.class_temporal == "frames" and config.vision.joint:
        raise UserError(
            "--class-temporal frames is of CLIP; a clip of ViCLIP has one class token for all "
            "frames: say none or single_frame"
        )
    width, groups = config.vision.width, options.groups or options.mid
    if options.temporal and options.towers != "text" and (width % groups or options.mid % groups):
        common = math.gcd(width, options.mid)
        raise UserError(
            f"a convolution of {groups} groups from {options.mid} to {width} channels: groups must "
            f"divide both; say --mid with a divisor of {width}, or --groups {common}"
        )
