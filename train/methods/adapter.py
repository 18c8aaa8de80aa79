"""The adapters of one pair of blocks (eqs. 11 to 13).

::

    vision   h = relu(W_s relu(W_d^v u))      A = W_us h + W_ut * h      u (B, 1 + P·T, 768)
    text     h = relu(W_s relu(W_d^t u))      A = W_u^t h                u (C, L, 512)
                      ^ the same layer

`*` is a convolution over time, alone for each patch and each group of channels. Its weight has the
shape of a 3-D one, `(768, m / groups, 3, 1, 1)`, but no extent in space: the plane of patches and
frames is all it needs, and tokens lie in memory as that plane already, `(P, T)` in ViCLIP and
`(T, P)` in CLIP. ViCLIP's class token has no time: the convolution leaves it out (or sees a clip
of one frame). CLIP has a class token a frame, which it leaves out too unless asked.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import nn

from train.methods.dropout import KeyedDropout
from train.methods.options import MSTAOptions
from train.models.config import VisionConfig
from train.models.transformer import Linear

TAPS = 3  # frames the convolution sees: before, now, after


class TemporalUp(nn.Module):
    """The convolution over time, from `mid` channels to `width`."""

    def __init__(self, mid: int, width: int, groups: int) -> None:
        super().__init__()
        self.groups = groups
        self.weight = nn.Parameter(torch.empty(width, mid // groups, TAPS, 1, 1))
        self.bias = nn.Parameter(torch.empty(width))

    def forward(self, h: torch.Tensor, frames_first: bool = False) -> torch.Tensor:
        """Patches over time `(B, P, T, m)` to `(B, P, T, W)`; beyond the ends there is zero.

        frames_first: it is `(B, T, P, m)` to `(B, T, P, W)`.
        """
        # Channels stay last: several times faster than a 1-D convolution, which needs them before
        # the frames, and copies for that.
        plane = h.permute(0, 3, 1, 2)
        weight, padding = self.weight[..., 0], (TAPS // 2, 0)  # (W, m / groups, 3, 1)
        if not frames_first:
            weight, padding = weight.transpose(2, 3), (0, TAPS // 2)
        found = F.conv2d(plane, weight, self.bias, padding=padding, groups=self.groups)
        return found.permute(0, 2, 3, 1)

    def untouched(self, x: torch.Tensor) -> torch.Tensor:
        """x itself, with exact zeros as the gradient of this layer, which took no part in it."""
        found: torch.Tensor = _Untouched.apply(x, self.weight, self.bias)  # type: ignore[no-untyped-call]
        return found


class _Untouched(torch.autograd.Function):
    """Ties parameters to a value that does not depend on them.

    Their gradients are then zeros instead of none, as they are when everything is computed; ranks
    that wait for each other's gradients need them.
    """

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
    ) -> torch.Tensor:
        ctx.save_for_backward(weight, bias)
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, ...]:
        weight, bias = ctx.saved_tensors
        return gradients[0], torch.zeros_like(weight), torch.zeros_like(bias)


def middle_layer(mid: int) -> nn.Sequential:
    """What lies between down and up: shared by both towers, unless each has its own."""
    return nn.Sequential(Linear(mid, mid), nn.ReLU(inplace=True))


class TowerAdapter(nn.Module):
    """One tower's share: down, dropout, up; in the vision tower with `temporal_up`."""

    def __init__(
        self,
        tower: Literal["vision", "text"],
        number: int,
        width: int,
        options: MSTAOptions,
    ) -> None:
        super().__init__()
        mid = options.mid
        self.down = nn.Sequential(Linear(width, mid), nn.ReLU(inplace=True))
        self.own = middle_layer(mid) if options.own_layers else None
        self.dropout = KeyedDropout(options.dropout, tower, number)
        self.dropout_place = options.dropout_place
        self.up = Linear(mid, width)
        self.temporal_up: TemporalUp | None = None
        self.class_temporal = options.class_temporal
        if tower == "vision" and options.temporal:
            self.temporal_up = TemporalUp(mid, width, options.groups or mid)

    def forward(
        self,
        x: torch.Tensor,
        shared: nn.Module | None,
        vision: VisionConfig,
        rows: torch.Tensor | None,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """What to add to all tokens `(B, N, W)`, and to the last of them `(B, n, W)` besides.

        x: `(B, N, W)`, in CLIP's vision tower `(B·T, N, W)`. rows: as in
        `train.models.transformer.Step`.
        shared: the layer both towers use, None where there is none. vision: how the vision tower's
        tokens lie.
        """
        h = self.down(x)
        if self.dropout_place == "down":
            h = self.dropout(h, rows)
        layer = self.own if shared is None else shared
        if layer is not None:
            h = layer(h)
        if self.dropout_place == "shared":
            h = self.dropout(h, rows)
        spatial: torch.Tensor = self.up(h)
        if self.temporal_up is None:
            return spatial, None
        if self.class_temporal == "none" and h.shape[1] == 1:
            return self.temporal_up.untouched(spatial), None
        return spatial, self._in_time(h, vision, self.temporal_up)

    def _in_time(
        self, h: torch.Tensor, vision: VisionConfig, temporal_up: TemporalUp
    ) -> torch.Tensor:
        """What the convolution makes of the tokens that have a time."""
        if self.class_temporal == "frames":
            apart = h.view(-1, vision.frames, *h.shape[1:])  # (B, T, 1 + P, m)
            everywhere: torch.Tensor = temporal_up(apart, frames_first=True)
            return everywhere.flatten(0, 1)
        terms = []
        if self.class_temporal == "single_frame":
            terms.append(temporal_up(h[:, None, :1])[:, 0])
        if h.shape[1] > 1:
            terms.append(self._patches_in_time(h, vision, temporal_up))
        return terms[0] if len(terms) == 1 else torch.cat(terms, dim=1)

    def _patches_in_time(
        self, h: torch.Tensor, vision: VisionConfig, temporal_up: TemporalUp
    ) -> torch.Tensor:
        if vision.joint:
            plane = h[:, 1:].reshape(len(h), vision.patches, -1, h.shape[2])
            found: torch.Tensor = temporal_up(plane)
            return found.flatten(1, 2)
        apart = h.view(-1, vision.frames, *h.shape[1:])[:, :, 1:]
        found = temporal_up(apart, frames_first=True)
        return found.flatten(0, 1)


class _Added(torch.autograd.Function):
    """One pass forward over x, and none backward where the factor there is 1."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        spatial: torch.Tensor,
        temporal: torch.Tensor | None,
        scale: float,
        backward: float,
    ) -> torch.Tensor:
        ctx.tokens = 0 if temporal is None else temporal.shape[1]
        ctx.factor = backward
        out = torch.add(x, spatial, alpha=scale)
        if temporal is not None:
            out[:, -ctx.tokens :].add_(temporal, alpha=scale)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        gradient = gradients[0]
        within = gradient if ctx.factor == 1 else gradient * ctx.factor
        temporal = within[:, -ctx.tokens :] if ctx.tokens else None
        return gradient, within, temporal, None, None


def added(
    x: torch.Tensor,
    spatial: torch.Tensor,
    temporal: torch.Tensor | None,
    scale: float,
    backward: float,
) -> torch.Tensor:
    """x + scale · (spatial, and temporal at the last tokens).

    backward: factor of the gradient that the adapter receives; `scale` is plain differentiation.
    """
    out: torch.Tensor = _Added.apply(x, spatial, temporal, scale, backward)  # type: ignore[no-untyped-call]
    return out
