"""Clips against their captions: how a nano backbone comes to be (recipe `pretrain`).

The symmetric contrastive loss of ViCLIP, with every clip of the batch that has the same caption
counted as a match, plus a head that names the caption's words from the video feature alone. The
head is thrown away afterwards: without it the two directions of a motion stay indistinct, because
neither tower begins to tell them apart before the other does.

No masking and no drop-path: the clips are small and the model is.
"""

from __future__ import annotations

import math

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.distributed.nn.functional import all_gather

from train.losses import contrastive
from train.models.backbone import Backbone


class CaptionObjective(nn.Module):
    """Contrastive loss of clips and captions plus the loss of the word head.

    bare: `(C, L)` token ids, one row a caption; templated: the same in the sentence that class
    names are put into downstream. They take turns, so that both kinds of text are known.
    word_weight: weight of the word head's loss.
    """

    bare: torch.Tensor
    templated: torch.Tensor
    words: torch.Tensor
    weights: torch.Tensor

    def __init__(
        self,
        backbone: Backbone,
        bare: torch.Tensor,
        templated: torch.Tensor,
        word_weight: float,
        seed: int,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.word_weight = word_weight
        words = _word_table(bare)
        self.head = nn.Linear(backbone.config.embed, words.shape[1])
        _fill(self.head, seed)
        self.register_buffer("bare", bare, persistent=False)
        self.register_buffer("templated", templated, persistent=False)
        self.register_buffer("words", words, persistent=False)
        # Rare words weigh more: a word in half of the captions tells little.
        share = words.mean(dim=0).clamp(1e-3, 1 - 1e-3)
        self.register_buffer("weights", (1 - share) / share, persistent=False)

    def forward(
        self, clips: torch.Tensor, labels: torch.Tensor, rows: torch.Tensor, update: int
    ) -> dict[str, torch.Tensor]:
        """Scalars `loss`, `contrastive` and `words` of clips `(B, T, 3, H, W)`, labels `(B,)`."""
        del rows  # nothing here is drawn at random
        captions = self.templated if update % 2 else self.bare
        video = self.backbone.encode_video(clips)
        text = self.backbone.encode_text(captions[labels])
        named = F.binary_cross_entropy_with_logits(
            self.head(F.normalize(video.float(), dim=-1) * math.sqrt(video.shape[-1])),
            self.words[labels],
            pos_weight=self.weights,
        )
        matched = contrastive(
            _all_ranks(video), _all_ranks(text), _all_ranks(labels), self.backbone.tau
        )
        loss = matched + self.word_weight * named
        return {"loss": loss, "contrastive": matched, "words": named}


def _word_table(captions: torch.Tensor) -> torch.Tensor:
    """Which tokens each caption holds, float `(C, W)`, over the W tokens that vary at all."""
    # Behind the end mark, the largest id, there is padding, whose id is that of a token too.
    held = torch.arange(captions.shape[1]) <= captions.argmax(dim=1, keepdim=True)
    table = torch.zeros(len(captions), int(captions.max()) + 1)
    table.scatter_reduce_(1, captions, held.float(), "amax")
    share = table.mean(dim=0)
    return table[:, (share > 0) & (share < 1)]


def _fill(head: nn.Linear, seed: int) -> None:
    """First values from the seed alone, whatever was drawn before."""
    draws = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        head.weight.normal_(0.0, head.in_features**-0.5, generator=draws)
        head.bias.zero_()


def _all_ranks(values: torch.Tensor) -> torch.Tensor:
    """Values of all ranks, this rank's with their gradient: negatives are those of the batch."""
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return values
    if values.is_floating_point():
        return torch.cat(all_gather(values))  # type: ignore[no-untyped-call]
    gathered = [torch.empty_like(values) for _ in range(dist.get_world_size())]
    dist.all_gather(gathered, values)
    return torch.cat(gathered)
