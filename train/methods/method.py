"""What all methods are to the trainer: a backbone that encodes, and what of it is trained."""

from __future__ import annotations

import torch
from torch import nn

from train.models.backbone import Backbone
from train.models.text import TextPrefix
from train.models.transformer import Block, plain_step


class Method(nn.Module):
    """A backbone, and a say in what happens at each of its blocks.

    A method trains what has `requires_grad` and nothing else. Subclasses add their parameters
    and override the steps; blocks that neither train nor lie above something trained run without
    a graph by themselves.
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        backbone.requires_grad_(False)

    @property
    def tau(self) -> torch.Tensor:
        """Temperature that cosines are divided by."""
        return self.backbone.tau

    @property
    def frozen_text_blocks(self) -> int | None:
        """Blocks of the text tower that no trained parameter touches; None: not even its input."""
        return 0

    def encode_video(self, clips: torch.Tensor) -> torch.Tensor:
        """Un-normalised features `(B, E)` of clips `(B, T, 3, H, W)`."""
        return self.backbone.encode_video(clips, self.vision_step)

    def encode_text(self, texts: torch.Tensor | TextPrefix) -> torch.Tensor:
        """Un-normalised features `(C, E)` of ids `(C, L)` or of what `text_prefix` made of them."""
        return self.backbone.encode_text(texts, self.text_step)

    @torch.no_grad()
    def text_prefix(self, ids: torch.Tensor) -> torch.Tensor | TextPrefix:
        """What frozen blocks make of fixed texts `(C, L)`, to be computed once for all updates.

        Good for as long as the backbone is frozen; a method that trains the tower from its input
        on gives the ids back.
        """
        blocks = self.frozen_text_blocks
        if blocks is None:
            return ids
        # The last block computes its one token anew: it is cheap, and the same as without cache.
        last = len(self.backbone.text_encoder.transformer.resblocks) - 1
        return self.backbone.text_encoder.prefix(ids, min(blocks, last))

    def vision_step(
        self, number: int, block: Block, x: torch.Tensor, rows: torch.Tensor | None
    ) -> torch.Tensor:
        """Output of vision block `number` (from 1); see `train.models.transformer.Step`."""
        return plain_step(number, block, x, rows)

    def text_step(
        self, number: int, block: Block, x: torch.Tensor, rows: torch.Tensor | None
    ) -> torch.Tensor:
        """Output of text block `number` (from 1)."""
        return plain_step(number, block, x, rows)


class ZeroShot(Method):
    """The frozen backbone."""

    @property
    def frozen_text_blocks(self) -> int:
        """All of them."""
        return len(self.backbone.text_encoder.transformer.resblocks)
