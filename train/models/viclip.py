"""ViCLIP: every block of the vision tower sees all frames of a clip at once.

::

    clips (B, T, 3, H, W)
      patches of each frame + their place
      + time, class token in front, ln_pre
      blocks over all 1 + P·T tokens at once
      ln_post of the class token, proj
    -> (B, E)

There is one class token a clip and the frame index runs fastest: token 1 + n·T + t is patch n of
frame t. Parameter names and shapes are those of the official weights. Tuning and testing use
neither token masking nor drop-path, so neither is here.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from train.models.backbone import TEMPERATURE, Backbone
from train.models.config import BackboneConfig, VisionConfig
from train.models.transformer import Step, Transformer, plain_step


class VisionTower(nn.Module):
    """Clips to features."""

    def __init__(self, config: VisionConfig, embed: int) -> None:
        super().__init__()
        width = config.width
        self.patch = config.patch
        self.conv1 = _PatchEmbedding(3, width, (1, config.patch, config.patch))
        self.class_embedding = nn.Parameter(torch.empty(width))
        self.positional_embedding = nn.Parameter(torch.empty(1 + config.patches, width))
        self.temporal_positional_embedding = nn.Parameter(torch.empty(1, config.frames, width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = Transformer(width, config.blocks, config.heads, causal=False)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(torch.empty(width, embed))

    def embed(self, clips: torch.Tensor) -> torch.Tensor:
        """Tokens that enter the first block: `(B, T, 3, H, W)` to `(B, 1 + P·T, W)`."""
        batch, frames = clips.shape[:2]
        # A kernel of one frame: the 3-D convolution is a 2-D one over each frame.
        patches = F.conv2d(clips.flatten(0, 1), self.conv1.weight[:, :, 0], stride=self.patch)
        x = patches.flatten(2).transpose(1, 2)  # (B·T, P, W)
        x = (x + self.positional_embedding[1:]).view(batch, frames, *x.shape[1:])
        x = x.transpose(1, 2) + self._time(frames)  # (B, P, T, W)
        first = (self.class_embedding + self.positional_embedding[0]).expand(batch, 1, -1)
        tokens: torch.Tensor = self.ln_pre(torch.cat([first, x.flatten(1, 2)], dim=1))
        return tokens

    def _time(self, frames: int) -> torch.Tensor:
        """Embedding of each frame, `(1, T, W)`; a single picture gets the mean of all."""
        embedding = self.temporal_positional_embedding
        return embedding.mean(dim=1, keepdim=True) if frames == 1 else embedding

    def forward(self, clips: torch.Tensor, step: Step = plain_step) -> torch.Tensor:
        """Un-normalised features `(B, E)` of clips `(B, T, 3, H, W)`."""
        x = self.embed(clips)
        rows = torch.zeros(len(x), dtype=torch.int64, device=x.device)
        features: torch.Tensor = self.ln_post(self.transformer(x, rows, step)) @ self.proj
        return features


class _PatchEmbedding(nn.Conv3d):
    """Holds the weight `(W, 3, 1, patch, patch)`."""

    def __init__(self, channels: int, width: int, kernel: tuple[int, int, int]) -> None:
        super().__init__(channels, width, kernel, stride=kernel, bias=False)

    def reset_parameters(self) -> None:
        """Leave the values to whoever builds the model."""


class ViCLIP(Backbone):
    """Both towers and their temperature."""

    def __init__(self, config: BackboneConfig, seed: int = 0) -> None:
        """A model that has learnt nothing yet, drawn from `seed`."""
        super().__init__(config, VisionTower(config.vision, config.embed), seed)
        self.temp = nn.Parameter(torch.tensor(TEMPERATURE))

    @property
    def temperature(self) -> nn.Parameter:
        """The temperature itself."""
        return self.temp

    @property
    def tau(self) -> torch.Tensor:
        """Temperature that cosines are divided by, at least 0.01.

        The bound does not stop the gradient, so a learnt temperature can rise again.
        """
        return self.temp + (self.temp.clamp(min=TEMPERATURE) - self.temp).detach()

    def set_tau(self, tau: float) -> None:
        """Let training start from another temperature."""
        with torch.no_grad():
            self.temp.fill_(tau)
