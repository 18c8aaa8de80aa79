"""The text tower: token ids to a feature at the end mark; the same in CLIP and ViCLIP.

::

    ids (C, L) -> tokens + their place -> causal blocks -> ln_final at the end mark
               -> text_projection -> (C, E)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from train.models.config import TextConfig
from train.models.transformer import Step, Transformer, plain_step


@dataclass(frozen=True)
class TextPrefix:
    """Texts on their way through the tower: what frozen blocks made of them, computed once.

    hidden: input `(C, L, W)` of block `blocks` (from 0). ends: place `(C,)` of the end mark.
    """

    hidden: torch.Tensor
    ends: torch.Tensor
    blocks: int


class TextTower(nn.Module):
    """Token ids to features."""

    def __init__(self, config: TextConfig, embed: int) -> None:
        super().__init__()
        width = config.width
        self.token_embedding = _TokenTable(config.vocabulary, width)
        self.positional_embedding = nn.Parameter(torch.empty(config.context, width))
        self.transformer = Transformer(width, config.blocks, config.heads, causal=True)
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.empty(width, embed))

    def prefix(self, ids: torch.Tensor, blocks: int = 0) -> TextPrefix:
        """Ids `(C, L)` after the embedding and the first `blocks` blocks as they are."""
        x = self.token_embedding(ids) + self.positional_embedding[: ids.shape[1]]
        # The end mark is the largest id of the vocabulary; the first one ends the text.
        return TextPrefix(self.transformer.first(x, blocks), ids.argmax(dim=1), blocks)

    def forward(self, texts: torch.Tensor | TextPrefix, step: Step = plain_step) -> torch.Tensor:
        """Un-normalised features `(C, E)`."""
        start = texts if isinstance(texts, TextPrefix) else self.prefix(texts)
        x = self.transformer(start.hidden, start.ends, step, start.blocks)
        features: torch.Tensor = self.ln_final(x) @ self.text_projection
        return features


class _TokenTable(nn.Embedding):
    def reset_parameters(self) -> None:
        """Leave the values to whoever builds the model."""
