"""What methods stand on: two towers that put a clip and a sentence into one space.

`ViCLIP` and `CLIP` differ in the vision tower and in how they keep their temperature.
"""

from __future__ import annotations

import torch
from torch import nn

from train.models.config import BackboneConfig
from train.models.initial import initialise
from train.models.text import TextPrefix, TextTower
from train.models.transformer import Step, Transformer, plain_step

TEMPERATURE = 0.01  # of both kinds' pre-training, and the least it may become


class Backbone(nn.Module):
    """Both towers; parameters of the text tower have the same names in both kinds."""

    def __init__(self, config: BackboneConfig, vision: nn.Module, seed: int) -> None:
        """vision: the tower, maps (clips, step) to features. seed: of a model that learnt nothing.

        Subclasses add their temperature.
        """
        super().__init__()
        self.config = config
        self.vision_encoder = vision
        self.text_encoder = TextTower(config.text, config.embed)
        if not self.text_encoder.text_projection.is_meta:
            initialise(self.vision_encoder, self.text_encoder, seed)

    @property
    def temperature(self) -> nn.Parameter:
        """The parameter that the temperature is kept in."""
        raise NotImplementedError

    @property
    def tau(self) -> torch.Tensor:
        """Temperature that cosines are divided by."""
        raise NotImplementedError

    def set_tau(self, tau: float) -> None:
        """Let training start from another temperature."""
        raise NotImplementedError

    def pool_last(self, only: bool) -> None:
        """Whether the last blocks compute the wanted token only (the default), or all."""
        for tower in (self.vision_encoder, self.text_encoder):
            transformer = tower.transformer
            assert isinstance(transformer, Transformer)
            transformer.pooled_last = only

    def encode_video(self, clips: torch.Tensor, step: Step = plain_step) -> torch.Tensor:
        """Un-normalised features `(B, E)` of clips `(B, T, 3, H, W)`."""
        features: torch.Tensor = self.vision_encoder(clips, step)
        return features

    def encode_text(
        self, texts: torch.Tensor | TextPrefix, step: Step = plain_step
    ) -> torch.Tensor:
        """Un-normalised features `(C, E)` of ids `(C, L)`, L <= context, or of a prefix."""
        features: torch.Tensor = self.text_encoder(texts, step)
        return features
