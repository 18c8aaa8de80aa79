"""CLIP frame by frame: its vision tower sees pictures, a clip is the mean of its frames.

::

    clips (B, T, 3, H, W) -> pictures (B·T, 3, H, W)
      patches + their place, class token in front, ln_pre
      blocks over the 1 + P tokens of one picture
      ln_post of each class token, proj
    -> (B·T, E) -> mean over T, before any norm -> (B, E)

Pictures are clip-major: row b·T + t is frame t of clip b. Names and shapes of parameters are the
official ones below `vision_encoder` and `text_encoder`; `logit_scale` is -log of the temperature.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from train.models.backbone import TEMPERATURE, Backbone
from train.models.config import BackboneConfig, VisionConfig
from train.models.transformer import Step, Transformer, plain_step


class FrameTower(nn.Module):
    """Clips to features, a picture at a time."""

    def __init__(self, config: VisionConfig, embed: int) -> None:
        super().__init__()
        width = config.width
        self.patch, self.frames = config.patch, config.frames
        self.conv1 = _PatchEmbedding(3, width, config.patch)
        self.class_embedding = nn.Parameter(torch.empty(width))
        self.positional_embedding = nn.Parameter(torch.empty(1 + config.patches, width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = Transformer(width, config.blocks, config.heads, causal=False)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(torch.empty(width, embed))

    def embed(self, pictures: torch.Tensor) -> torch.Tensor:
        """Tokens that enter the first block: `(N, 3, H, W)` to `(N, 1 + P, W)`."""
        patches = F.conv2d(pictures, self.conv1.weight, stride=self.patch)
        first = self.class_embedding.expand(len(pictures), 1, -1)
        x = torch.cat([first, patches.flatten(2).transpose(1, 2)], dim=1)
        tokens: torch.Tensor = self.ln_pre(x + self.positional_embedding)
        return tokens

    def frame_features(self, clips: torch.Tensor, step: Step = plain_step) -> torch.Tensor:
        """Un-normalised features `(B·T, E)` of the frames of clips `(B, T, 3, H, W)`.

        Raises ValueError for another T than the tower was built for, which methods rely on.
        """
        if clips.shape[1] != self.frames:
            raise ValueError(f"clips of {clips.shape[1]} frames, the tower expects {self.frames}")
        x = self.embed(clips.flatten(0, 1))
        rows = torch.zeros(len(x), dtype=torch.int64, device=x.device)
        features: torch.Tensor = self.ln_post(self.transformer(x, rows, step)) @ self.proj
        return features

    def forward(self, clips: torch.Tensor, step: Step = plain_step) -> torch.Tensor:
        """Un-normalised features `(B, E)` of clips `(B, T, 3, H, W)`."""
        features = self.frame_features(clips, step)
        return features.view(len(clips), self.frames, -1).mean(dim=1)


class _PatchEmbedding(nn.Conv2d):
    """Holds the weight `(W, 3, patch, patch)`."""

    def __init__(self, channels: int, width: int, patch: int) -> None:
        super().__init__(channels, width, patch, stride=patch, bias=False)

    def reset_parameters(self) -> None:
        """Leave the values to whoever builds the model."""


class CLIP(Backbone):
    """Both towers and the scale of their cosines."""

    def __init__(self, config: BackboneConfig, seed: int = 0) -> None:
        """A model that has learnt nothing yet, drawn from `seed`."""
        super().__init__(config, FrameTower(config.vision, config.embed), seed)
        self.logit_scale = nn.Parameter(torch.tensor(-math.log(TEMPERATURE)))

    @property
    def temperature(self) -> nn.Parameter:
        """Its logarithm, negative."""
        return self.logit_scale

    @property
    def tau(self) -> torch.Tensor:
        """Temperature that cosines are divided by."""
        return torch.exp(-self.logit_scale)

    def set_tau(self, tau: float) -> None:
        """Let training start from another temperature."""
        with torch.no_grad():
            self.logit_scale.fill_(-math.log(tau))
