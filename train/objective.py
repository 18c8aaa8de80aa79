"""What an update minimises: both towers and the losses in one forward.

One forward, because the layer that the towers share is used by both within one step: wrapped
whole, its two gradients are added before the ranks are averaged.

::

    clips (B, T, 3, H, W) -> video features (B, E) -.
                                                     >- cosine / tau -> cross entropy      (15)
    class prompts (C, L)  -> text features  (C, E) -'
                                   `- against frozen description means (C, E) -> L_cc      (14)
"""

from __future__ import annotations

import torch
from torch import nn

from train.losses import consistency, cross_entropy
from train.methods.dropout import keyed
from train.methods.method import Method
from train.recipes.records import Loss
from train.texts import Means


class Objective(nn.Module):
    """Cross entropy among the training classes plus alpha times their consistency (eq. 16).

    prompts: `(C, L)` token ids of the training classes in the order of the labels. means: of their
    descriptions, by the frozen tower. seed: decides the dropout, with update, row and class.
    """

    spatial: torch.Tensor | None
    temporal: torch.Tensor | None

    def __init__(
        self, method: Method, prompts: torch.Tensor, means: Means, loss: Loss, seed: int
    ) -> None:
        super().__init__()
        self.method = method
        self.loss = loss
        self.seed = seed
        # Blocks below the first adapter are frozen and see the same prompts in every update.
        self.text = method.text_prefix(prompts)
        self.register_buffer("spatial", means.spatial, persistent=False)
        self.register_buffer("temporal", means.temporal, persistent=False)

    def forward(
        self, clips: torch.Tensor, labels: torch.Tensor, rows: torch.Tensor, update: int
    ) -> dict[str, torch.Tensor]:
        """Scalars `loss`, `ce` and, where descriptions are used, `cc`.

        clips `(B, T, 3, H, W)`, labels `(B,)` positions among the training classes, rows `(B,)`
        official row numbers, update: number of the update from 0.
        """
        with keyed(self.seed, update, rows):
            video = self.method.encode_video(clips)
            text = self.method.encode_text(self.text)
        return self.losses(video, text, labels)

    def losses(
        self, video: torch.Tensor, text: torch.Tensor, labels: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """The same from features `(B, E)` and `(C, E)`."""
        entropy = cross_entropy(video, text, labels, self.method.tau)
        if self.spatial is None and self.temporal is None:
            return {"loss": entropy, "ce": entropy}
        held = consistency(text, self.spatial, self.temporal, self.loss.reduction)
        return {"loss": entropy + self.loss.alpha * held, "ce": entropy, "cc": held}
