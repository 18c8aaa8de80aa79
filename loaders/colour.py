"""Colour jitter, grey and normalisation of a clip as one affine map of its pixels.

Factors are drawn as torchvision's ColorJitter draws them: brightness b, contrast c, saturation s
uniform about 1, hue h a part of a turn. With Y = l . x the luma of a pixel (BT.601) and m the mean
of Y over all pixels of the clip as cropped::

    brightness   x -> b x
    contrast     x -> c x + (1 - c) m          about the mean luma at that moment
    saturation   x -> s x + (1 - s) Y          about the grey of each pixel
    hue          x -> R(h) x                   a turn about the axis of greys, red to yellow
    grey         x -> Y

The first three give the same in whatever order they come, so none is drawn; hue is the fourth::

    x' = R(h) b c (Y + s (x - Y)) + b (1 - c) m        grey: the luma of that

Only m waits for the pixels: ``Colours`` holds the matrix, already divided by the deviations, and
the weight b (1 - c) of m; a backend measures m on the resized crop and completes the offset. The
result is cut to what 0..255 can become. With jitter per frame each frame has factors of its own,
and m is its own mean.

Where this is not torchvision: it cuts after every step and rounds to 8 bits, and takes the steps
in a random order, which shows in very bright and very saturated pixels; its mean is that of each
frame, not of the clip; its hue turns in HSV, which no matrix does. R(h) is a turn in RGB, which
is HSV's own for whole thirds; it comes closer than the turn in YIQ that DALI's hue operator makes.
README.md has the measured differences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loaders.views import DEVIATION, MEAN, Statistics, TrainViews

Floats = npt.NDArray[np.float32]
Draws = npt.NDArray[np.float64]

LUMA = np.array([0.299, 0.587, 0.114])
COLOUR_SLOTS = 6
FACTORS = 4
"""Of a frame: brightness, contrast, saturation, hue."""

_GREY = np.tile(LUMA, (3, 1))
_CHROMA = np.eye(3) - _GREY
_AXIS = np.full((3, 3), 1 / 3)
_ACROSS = np.array([[0, -1.0, 1.0], [1.0, 0, -1.0], [-1.0, 1.0, 0]]) / np.sqrt(3)
# R(h) is _AXIS + cos (1 - _AXIS) + sin _ACROSS (Rodrigues) and leaves greys as they are, so chroma
# alone is turned: _STILL + cos _WITH + sin _AGAINST.
_STILL = _AXIS @ _CHROMA
_WITH = _CHROMA - _STILL
_AGAINST = _ACROSS @ _CHROMA


@dataclass(frozen=True)
class Colours:
    """The maps of B clips: pixel (3,) on 0..255 -> ``matrix @ pixel + offset``, normalised.

    F is 1, one map for all frames of a clip, or the number of its frames. ``matrix`` (B, F, 3, 3);
    ``about_mean`` (B, F), the weight of the mean luma of the clip, or of each frame; ``cut`` (B,),
    whether results can leave 0..255 and are to be cut; ``mean`` and ``deviation`` (3,).
    """

    matrix: Floats
    about_mean: Floats
    cut: npt.NDArray[np.bool_]
    mean: Floats
    deviation: Floats

    def affine(self, clip: int, lumas: Draws) -> Floats:
        """The whole maps of one clip, (F, 3, 4), once the mean lumas of its frames are known."""
        if self.matrix.shape[1] == 1:
            lumas = lumas.mean(keepdims=True)
        offset = (self.about_mean[clip] * lumas)[:, None] - self.mean
        offset = (offset / self.deviation)[..., None]
        return np.concatenate([self.matrix[clip], offset], axis=2, dtype=np.float32)

    @property
    def limits(self) -> tuple[Floats, Floats]:
        """What 0 and 255 become, (3,) each."""
        return -self.mean / self.deviation, (255 - self.mean) / self.deviation


def training_colours(draws: Draws, views: TrainViews, frames: Draws | None = None) -> Colours:
    """Random maps of B clips from uniform draws (B, COLOUR_SLOTS): coin, four factors, grey.

    frames: (B, T, FACTORS), factors for each frame by itself instead.
    """
    factors = draws[:, None, 1:5] if frames is None else frames
    jittered = draws[:, 0] < views.jitter_p
    spread = np.where(jittered[:, None, None], (2 * factors - 1) * np.array(views.jitter), 0.0)
    grey = draws[:, 5] < views.grey_p
    return _colours(spread, grey, views.statistics)


def plain_colours(clips: int, statistics: Statistics) -> Colours:
    """Normalisation alone, for B clips."""
    return _colours(np.zeros((clips, 1, FACTORS)), np.zeros(clips, np.bool_), statistics)


def _colours(spread: Draws, grey: npt.NDArray[np.bool_], statistics: Statistics) -> Colours:
    """Maps of factors 1 + spread (hue: spread), (B, F, FACTORS)."""
    brightness, contrast, saturation = np.moveaxis(1 + spread[..., :3], 2, 0)
    angle = (2 * np.pi * spread[..., 3])[..., None, None]
    chroma = _STILL + np.cos(angle) * _WITH + np.sin(angle) * _AGAINST
    gain = (brightness * contrast)[..., None, None]
    linear = gain * (_GREY + saturation[..., None, None] * chroma)
    linear = np.where(grey[:, None, None, None], (LUMA @ linear)[..., None, :], linear)
    deviation = DEVIATION[statistics]
    return Colours(
        matrix=(linear / deviation[:, None]).astype(np.float32),
        about_mean=(brightness * (1 - contrast)).astype(np.float32),
        cut=(spread != 0).any(axis=(1, 2)),
        mean=MEAN[statistics].astype(np.float32),
        deviation=deviation.astype(np.float32),
    )
