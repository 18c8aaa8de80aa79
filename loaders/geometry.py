"""Where a view lies in a frame: crop, resize, crop again, flip; pure arithmetic on whole batches.

::

    stored frame --box (x, y, w, h)--> part --resize (w, h)--> picture --windows (x, y)--> S x S

Training cuts a random box and resizes it to S x S: its one window is the whole picture. The box
is one of RandomResizedCrop, or one of the followed code's MultiScaleCrop. Test resizes the whole
frame and cuts one window, or three.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loaders.views import TestViews, TrainViews

Pixels = npt.NDArray[np.int64]
Draws = npt.NDArray[np.float64]

ATTEMPTS = 10
CROP_SLOTS = 2 * ATTEMPTS + 2

SCALES = (1.0, 0.875, 0.75, 0.66)
SNAP = 2
"""Multi-scale sides so near to the side that the model sees become that side, pixels."""
# Scales of width and height at most one rank apart; places in quarters of the room there is, and
# the centre last.
_PAIRS = np.array([(i, j) for j in range(4) for i in range(4) if abs(i - j) <= 1])
_PLACES = np.array([(0, 0), (4, 0), (0, 4), (4, 4), (2, 2)])


@dataclass(frozen=True)
class Geometry:
    """The way of B clips: ``boxes`` (B, 4) x, y, w, h; ``resized`` (B, 2) w, h; ``windows``
    (B, C, 2) x, y of the S x S crops of the resized picture; ``flips`` (B,)."""

    boxes: Pixels
    resized: Pixels
    windows: Pixels
    flips: npt.NDArray[np.bool_]


def training_geometry(widths: Pixels, heights: Pixels, draws: Draws, views: TrainViews) -> Geometry:
    """Random crops, resized, and flips from uniform draws (B, CROP_SLOTS + 1)."""
    if views.crop == "multi-scale":
        boxes = multi_scale_boxes(widths, heights, draws, views.size)
    else:
        boxes = random_boxes(widths, heights, draws[:, :-1], views.crop_area, views.crop_aspect)
    b = len(widths)
    return Geometry(
        boxes=boxes,
        resized=np.full((b, 2), views.size, dtype=np.int64),
        windows=np.zeros((b, 1, 2), dtype=np.int64),
        flips=draws[:, -1] < views.flip,
    )


def random_boxes(
    widths: Pixels,
    heights: Pixels,
    draws: Draws,
    area: tuple[float, float],
    aspect: tuple[float, float],
) -> Pixels:
    """Boxes x, y, w, h, int64 (B, 4), as torchvision's RandomResizedCrop draws them.

    The first of ten attempts that fits in the frame, each with a uniform share of its area and a
    log-uniform aspect; if none fits, the largest centred box of an allowed aspect. draws: uniform,
    (B, CROP_SLOTS): areas and aspects of the attempts, then the place in x and in y.
    """
    share, ratio = draws[:, :ATTEMPTS], draws[:, ATTEMPTS : 2 * ATTEMPTS]
    x, y = draws[:, -2], draws[:, -1]
    pixels = (area[0] + share * (area[1] - area[0])) * (widths * heights)[:, None]
    low, high = np.log(aspect)
    ratio = np.exp(low + ratio * (high - low))
    w = np.rint(np.sqrt(pixels * ratio)).astype(np.int64)
    h = np.rint(np.sqrt(pixels / ratio)).astype(np.int64)
    fits = (w > 0) & (w <= widths[:, None]) & (h > 0) & (h <= heights[:, None])
    first = fits.argmax(axis=1)[:, None]
    w, h = (np.take_along_axis(values, first, axis=1)[:, 0] for values in (w, h))
    left = (x * (widths - w + 1)).astype(np.int64)
    top = (y * (heights - h + 1)).astype(np.int64)
    drawn = np.stack([left, top, w, h], axis=1)
    return np.where(fits.any(axis=1)[:, None], drawn, _centred(widths, heights, aspect))


def multi_scale_boxes(widths: Pixels, heights: Pixels, draws: Draws, size: int) -> Pixels:
    """Boxes x, y, w, h, int64 (B, 4), as the followed code's MultiScaleCrop draws them.

    It resizes the short side to 8/7 of ``size`` (256 for 224), then cuts ten pairs of sides at five
    places (protocols 2). Here the box is found in that picture and carried back to the frame, to
    whole pixels: exact where the frame's short side is that already. draws: uniform, (B, >= 2):
    the pair and the place.
    """
    short = int(256 / 224 * size)
    frame = np.stack([widths, heights], axis=1)
    scale = short / frame.min(axis=1)[:, None]
    picture = np.floor(frame * scale + 0.5).astype(np.int64)
    sides = np.array([int(short * scale) for scale in SCALES])
    sides = np.where(np.abs(sides - size) <= SNAP, size, sides)
    sides = sides[_PAIRS[(draws[:, 0] * len(_PAIRS)).astype(np.int64)]]
    place = _PLACES[(draws[:, 1] * len(_PLACES)).astype(np.int64)]
    start = (picture - sides) // 4 * place
    low = np.rint(start / scale).astype(np.int64)
    high = np.minimum(np.rint((start + sides) / scale).astype(np.int64), frame)
    low = np.minimum(low, frame - 1)
    return np.concatenate([low, np.maximum(high - low, 1)], axis=1)


def _centred(widths: Pixels, heights: Pixels, aspect: tuple[float, float]) -> Pixels:
    """The largest centred box whose aspect is allowed."""
    w = np.minimum(widths, np.rint(heights * aspect[1]).astype(np.int64))
    h = np.minimum(heights, np.rint(widths / aspect[0]).astype(np.int64))
    w, h = np.maximum(w, 1), np.maximum(h, 1)
    return np.stack([(widths - w) // 2, (heights - h) // 2, w, h], axis=1)


def test_geometry(widths: Pixels, heights: Pixels, views: TestViews) -> Geometry:
    """The whole frame, resized by its short side; a centre window or three along the long side."""
    b = len(widths)
    short = views.short_side if views.crops == 1 else views.size
    scale = short / np.minimum(widths, heights)
    resized = np.floor(np.stack([widths, heights], axis=1) * scale[:, None] + 0.5).astype(np.int64)
    room = resized - views.size
    if views.crops == 1:
        windows = room[:, None, :] // 2
    else:
        windows = np.stack([0 * room, room // 2 * 2, room // 2], axis=1)
    zero = np.zeros_like(widths)
    return Geometry(
        boxes=np.stack([zero, zero, widths, heights], axis=1),
        resized=resized,
        windows=windows,
        flips=np.zeros(b, dtype=np.bool_),
    )
