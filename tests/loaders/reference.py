"""The chain from JPEG to normalised clip, slow and plain: what both backends are held against.

::

    JPEG --PIL--> frame --box--> bilinear, no antialias --flip--> jitter, grey --> normalise

Two jitters: ``stepwise``, ours as its definition says, one step after another in floats; and
``torchvision_jitter``, torchvision's functions of 8-bit pictures written out, which cut and
truncate after every step, turn hues in HSV and take the steps in a random order.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from PIL import Image

from loaders.colour import COLOUR_SLOTS, FACTORS, LUMA
from loaders.draws import row_uniforms
from loaders.plan import Planner, StepPlan
from loaders.views import DEVIATION, MEAN, TrainViews
from shards.store import ShardStore

STEPS = ("brightness", "contrast", "saturation", "hue")
TORCHVISION_LUMA = np.array([0.2989, 0.587, 0.114])

Mean = Literal["clip", "frame"]
Paint = Callable[[np.ndarray, int, int], np.ndarray]
"""Colours frames (T, S, S, 3) of the clip at a place of a plan with that row."""


def decoded(jpeg: bytes) -> np.ndarray:
    """A frame, float64 (h, w, 3) on 0..255."""
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"), dtype=np.float64)


def bilinear(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resize float (h, w, 3) by the two nearest pixels each way, centres of pixels aligned."""
    for axis, size in ((0, height), (1, width)):
        n = image.shape[axis]
        place = np.clip((np.arange(size) + 0.5) * n / size - 0.5, 0, n - 1)
        low = np.floor(place).astype(int)
        high = np.minimum(low + 1, n - 1)
        weight = np.expand_dims(place - low, [a for a in range(3) if a != axis])
        image = image.take(low, axis) * (1 - weight) + image.take(high, axis) * weight
    return image


def batch_of(store: ShardStore, plan: StepPlan, size: int, paint: Paint) -> np.ndarray:
    """A batch (B * C * K, T, 3, S, S), not yet normalised, frame by frame as the plan says."""
    batch = []
    for i, row in enumerate(plan.rows.tolist()):
        x, y, w, h = plan.geometry.boxes[i]
        clip = []
        for jpeg in store.read_frames(int(plan.clips[i]), plan.frames[i].ravel().tolist()):
            frame = bilinear(decoded(jpeg)[y : y + h, x : x + w], *plan.geometry.resized[i])
            clip.append(frame[:, ::-1] if plan.geometry.flips[i] else frame)
        views = paint(np.stack(clip), i, row)
        for x, y in plan.geometry.windows[i]:
            part = views[:, y : y + size, x : x + size]
            batch.append(part.reshape(*plan.frames[i].shape, size, size, 3))
    return np.moveaxis(np.concatenate(batch), -1, 2)


def normalised(batch: np.ndarray, statistics: str) -> np.ndarray:
    """Pixels (..., 3, S, S) on 0..255 less the mean, over the deviation."""
    mean, deviation = MEAN[statistics], DEVIATION[statistics]
    return (batch - mean[:, None, None]) / deviation[:, None, None]


def factors_of(draws: np.ndarray, views: TrainViews) -> dict[str, float]:
    """The factors that six draws stand for, by the words of TrainViews."""
    if draws[0] >= views.jitter_p:
        return dict.fromkeys(STEPS[:3], 1.0) | {"hue": 0.0}
    spread = {s: (2 * d - 1) * x for s, d, x in zip(STEPS, draws[1:5], views.jitter, strict=True)}
    return {step: spread[step] + (step != "hue") for step in STEPS}


def drawn(planner: Planner, epoch: int, row: int) -> tuple[list[dict[str, float]], bool]:
    """Factors of a row's clip, one set or one for each frame, and whether it turns grey."""
    views = planner.views
    if not isinstance(views, TrainViews):
        return [dict.fromkeys(STEPS[:3], 1.0) | {"hue": 0.0}], False
    rows, t = np.array([row]), views.frames
    [draws] = row_uniforms(planner.seed, epoch, "colour", rows, COLOUR_SLOTS)
    grey = bool(draws[5] < views.grey_p)
    if not views.per_frame:
        return [factors_of(draws, views)], grey
    frames = row_uniforms(planner.seed, epoch, "jitter", rows, t * FACTORS).reshape(t, FACTORS)
    return [factors_of(np.array([draws[0], *frame]), views) for frame in frames], grey


def turned(clip: np.ndarray, hue: float) -> np.ndarray:
    """A turn about the axis of greys by Rodrigues' formula, pixel by pixel."""
    axis, angle = np.ones(3) / np.sqrt(3), 2 * np.pi * hue
    along = (clip @ axis)[..., None] * axis
    return along + np.cos(angle) * (clip - along) + np.sin(angle) * np.cross(axis, clip)


def stepwise(
    clip: np.ndarray, factors: dict[str, float], order: Sequence[str] = STEPS
) -> np.ndarray:
    """The four steps one after another in floats, none cut, about the mean of all frames given."""
    for step in order:
        f = factors[step]
        if step == "brightness":
            clip = f * clip
        elif step == "contrast":
            clip = f * clip + (1 - f) * (clip @ LUMA).mean()
        elif step == "saturation":
            clip = f * clip + (1 - f) * (clip @ LUMA)[..., None]
        else:
            clip = turned(clip, f)
    return clip


def our_paint(planner: Planner, epoch: int) -> Paint:
    """Jitter and grey as our definition says, cut to 0..255 once at the end."""

    def paint(frames: np.ndarray, i: int, row: int) -> np.ndarray:
        del i
        factors, grey = drawn(planner, epoch, row)
        if len(factors) == 1:
            frames = stepwise(frames, factors[0])
        else:
            frames = np.stack(
                [stepwise(frame, f) for frame, f in zip(frames, factors, strict=True)]
            )
        if grey:
            frames = np.repeat((frames @ LUMA)[..., None], 3, axis=-1)
        return np.clip(frames, 0, 255)

    return paint


def torchvision_paint(planner: Planner, epoch: int, rng: np.random.Generator, mean: Mean) -> Paint:
    """The same factors by torchvision's rules, in a random order of the steps for each clip."""

    def paint(frames: np.ndarray, i: int, row: int) -> np.ndarray:
        del i
        factors, grey = drawn(planner, epoch, row)
        order = tuple(rng.permutation(STEPS))
        frames = np.floor(frames + 0.5)
        if len(factors) == 1:
            frames = torchvision_jitter(frames, factors[0], order, mean)
        else:
            parts = [
                torchvision_jitter(frame[None], f, order, mean)
                for frame, f in zip(frames, factors, strict=True)
            ]
            frames = np.concatenate(parts)
        return np.repeat(_grey(frames)[..., None], 3, axis=-1) if grey else frames

    return paint


def torchvision_jitter(
    frames: np.ndarray, factors: dict[str, float], order: Sequence[str], mean: Mean = "frame"
) -> np.ndarray:
    """torchvision's ColorJitter of 8-bit frames (T, H, W, 3), which stay whole numbers.

    mean: what contrast is taken about; torchvision takes each frame's.
    """
    for step in order:
        f = factors[step]
        if step == "brightness":
            frames = _blend(frames, 0.0, f)
        elif step == "contrast":
            axes = (0, 1, 2) if mean == "clip" else (1, 2)
            about = _grey(frames).mean(axis=axes, keepdims=True)[..., None]
            frames = _blend(frames, about, f)
        elif step == "saturation":
            frames = _blend(frames, _grey(frames)[..., None], f)
        elif f:
            hue, *rest = _hsv(frames / 255)
            frames = np.floor(_rgb((hue + f) % 1, *rest) * 255.999)
    return frames


def _blend(frames: np.ndarray, other: np.ndarray | float, ratio: float) -> np.ndarray:
    return np.floor(np.clip(ratio * frames + (1 - ratio) * other, 0, 255))


def _grey(frames: np.ndarray) -> np.ndarray:
    return np.floor(frames @ TORCHVISION_LUMA)


def _hsv(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hue, saturation and value, each on 0..1."""
    r, g, b = np.moveaxis(rgb, -1, 0)
    high, low = rgb.max(axis=-1), rgb.min(axis=-1)
    flat, room = high == low, high - low
    saturation = room / np.where(flat, 1, high)
    rc, gc, bc = ((high - channel) / np.where(flat, 1, room) for channel in (r, g, b))
    sixth = np.where(high == r, bc - gc, np.where(high == g, 2 + rc - bc, 4 + gc - rc))
    return (sixth / 6 + 1) % 1, saturation, high


def _rgb(hue: np.ndarray, saturation: np.ndarray, value: np.ndarray) -> np.ndarray:
    sixth = np.floor(hue * 6)
    part = hue * 6 - sixth
    p, q, t = (np.clip(value * (1 - saturation * share), 0, 1) for share in (1.0, part, 1 - part))
    corners = [(value, t, p), (q, value, p), (p, value, t), (p, q, value), (t, p, value)]
    corners.append((value, p, q))
    which = sixth.astype(int) % 6
    channels = [np.choose(which, [corner[c] for corner in corners]) for c in range(3)]
    return np.stack(channels, axis=-1)
