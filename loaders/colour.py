"""Colour jitter, grey and normalisation of a clip as one affine map of its pixels.

Factors are drawn as torchvision's ColorJitter draws them: brightness b, contrast c, saturation s
uniform about 1, hue a part of a turn. With Y = l . x the luma of a pixel (BT.601) and m the mean
of Y over all pixels of the clip as cropped::

    brightness   x -> b x
    contrast     x -> c x + (1 - c) m          about the mean luma at that moment
    saturation   x -> s x + (1 - s) Y          about the grey of each pixel
    hue          chroma turned by 2 pi h in the plane of I and Q
    grey         x -> Y

None of them but contrast and brightness touches Y, so in whatever order they come the result is

    x' = b c (Y + s R(h) (x - Y)) + b (1 - c) m        grey: s = 0

which is why no order is drawn. Only m waits for the pixels: ``Colours`` holds the matrix, already
divided by the deviations, and the weight b (1 - c) of m; a backend measures m on the resized crop
and completes the offset with ``offsets``. The result is cut to what 0..255 can become.

Where this is not torchvision: it cuts after every step and rounds to 8 bits, so there the order
matters for very bright and very saturated pixels; its hue turns in HSV, which is not linear; its
mean is that of each frame and not of the clip. README.md has the measured differences.
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

_YIQ = np.array([LUMA, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
_GREY = np.tile(LUMA, (3, 1))
_CHROMA = np.eye(3) - _GREY
_TURN = np.linalg.inv(_YIQ) @ np.array([[0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]]) @ _YIQ


@dataclass(frozen=True)
class Colours:
    """The maps of B clips: pixel (3,) on 0..255 -> ``matrix @ pixel + offset``, normalised.

    ``matrix`` (B, 3, 3); ``about_mean`` (B,), the weight of the clip's mean luma; ``cut`` (B,),
    whether results can leave 0..255 and are to be cut; ``mean`` and ``deviation`` (3,).
    """

    matrix: Floats
    about_mean: Floats
    cut: npt.NDArray[np.bool_]
    mean: Floats
    deviation: Floats

    def offsets(self, luma: Floats, clips: slice = slice(None)) -> Floats:
        """Offsets (B, 3) of some clips once their mean luma (B,) is known, on 0..255."""
        weighted = (self.about_mean[clips] * luma)[:, None]
        return (weighted - self.mean) / self.deviation

    @property
    def limits(self) -> tuple[Floats, Floats]:
        """What 0 and 255 become, (3,) each."""
        return -self.mean / self.deviation, (255 - self.mean) / self.deviation


def training_colours(draws: Draws, views: TrainViews) -> Colours:
    """Random maps of B clips from uniform draws (B, COLOUR_SLOTS)."""
    strengths = np.array(views.jitter)
    jittered = draws[:, 0] < views.jitter_p
    spread = np.where(jittered[:, None], (2 * draws[:, 1:5] - 1) * strengths, 0.0)
    brightness, contrast, saturation = 1 + spread[:, :3].T
    grey = draws[:, 5] < views.grey_p
    return _colours(
        brightness, contrast, np.where(grey, 0.0, saturation), spread[:, 3], views.statistics
    )


def plain_colours(clips: int, statistics: Statistics) -> Colours:
    """Normalisation alone, for B clips."""
    one = np.ones(clips)
    return _colours(one, one, one, 0 * one, statistics)


def _colours(
    brightness: Draws, contrast: Draws, saturation: Draws, hue: Draws, statistics: Statistics
) -> Colours:
    angle = 2 * np.pi * hue
    chroma = saturation * np.stack([np.cos(angle), np.sin(angle)])
    gain = (brightness * contrast)[:, None, None]
    linear = gain * (_GREY + chroma[0][:, None, None] * _CHROMA + chroma[1][:, None, None] * _TURN)
    deviation = DEVIATION[statistics]
    # Greys of pixels that were inside stay inside, so what only loses its colour needs no cut.
    moved = (brightness != 1) | (contrast != 1) | (hue != 0)
    return Colours(
        matrix=(linear / deviation[:, None]).astype(np.float32),
        about_mean=(brightness * (1 - contrast)).astype(np.float32),
        cut=moved | ((saturation != 0) & (saturation != 1)),
        mean=MEAN[statistics].astype(np.float32),
        deviation=deviation.astype(np.float32),
    )
