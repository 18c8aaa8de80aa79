"""How a clip is looked at, for training and for test: plain records that decide every pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from manifests.errors import UserError

Statistics = Literal["imagenet", "clip"]
Crop = Literal["resized", "multi-scale"]
FlipLabels = Literal["keep", "swap"]

MEAN = {
    "imagenet": np.array([123.675, 116.28, 103.53]),
    "clip": np.array([0.48145466, 0.4578275, 0.40821073]) * 255,
}
"""Mean of red, green and blue in a model's training images, on the scale 0..255."""
DEVIATION = {
    "imagenet": np.array([58.395, 57.12, 57.375]),
    "clip": np.array([0.26862954, 0.26130258, 0.27577711]) * 255,
}


@dataclass(frozen=True)
class TrainViews:
    """One random clip of each video: segments, resized crop, flip, jitter, grey.

    All draws are shared by the frames of a clip, unless jitter is ``per_frame``. The defaults are
    torchvision's for the crop and those of the followed code for colours.
    """

    frames: int = 8
    """Frames of a clip (T)."""
    size: int = 224
    """Side of the square the model sees, pixels."""
    crop: Crop = "resized"
    """resized: a random area and aspect anywhere; multi-scale: the followed code's ten sizes at
    five places of the picture."""
    crop_area: tuple[float, float] = (0.08, 1.0)
    """Smallest and largest share of the picture that a resized crop takes."""
    crop_aspect: tuple[float, float] = (3 / 4, 4 / 3)
    """Smallest and largest width over height of a resized crop."""
    flip: float = 0.5
    """Probability of a horizontal flip; 0 switches it off."""
    flip_labels: FlipLabels = "keep"
    """keep: a flipped clip keeps its label, as in the followed code; swap: where its class names
    left or right it gets the class that names the other, and is not flipped if that is no
    candidate."""
    jitter_p: float = 0.8
    """Probability of colour jitter."""
    jitter: tuple[float, float, float, float] = (0.4, 0.4, 0.2, 0.1)
    """Strength of jitter in brightness, contrast, saturation (factors 1 +- x) and hue (turns)."""
    per_frame: bool = False
    """Draw the strengths anew for every frame of a jittered clip, as the followed code does, and
    take contrast about each frame's mean instead of the clip's."""
    grey_p: float = 0.2
    """Probability of dropping the colours."""
    statistics: Statistics = "imagenet"
    """Mean and deviation that pixels are normalised with."""

    def __post_init__(self) -> None:
        _check_common(self.frames, self.size, self.statistics)
        for name in ("flip", "jitter_p", "grey_p"):
            _check(0 <= getattr(self, name) <= 1, f"{name} {getattr(self, name)}: from 0 to 1")
        _check(0 < self.crop_area[0] <= self.crop_area[1] <= 1, f"crop_area {self.crop_area}")
        _check(0 < self.crop_aspect[0] <= self.crop_aspect[1], f"crop_aspect {self.crop_aspect}")
        _check_one_of("crop", self.crop, Crop)
        _check_one_of("flip_labels", self.flip_labels, FlipLabels)
        good = min(self.jitter) >= 0 and max(self.jitter[:3]) <= 1 and self.jitter[3] <= 0.5
        _check(good, f"jitter {self.jitter}: three strengths from 0 to 1, hue from 0 to 0.5")

    @property
    def clips(self) -> int:
        """Clips of one video."""
        return 1

    @property
    def crops(self) -> int:
        """Crops of one clip."""
        return 1


@dataclass(frozen=True)
class TestViews:
    """Clips over the length of a video times crops over its width; nothing is random, unless
    ``random_clips`` is asked for."""

    frames: int = 8
    """Frames of a clip (T)."""
    size: int = 224
    """Side of the square the model sees, pixels."""
    clips: int = 1
    """Clips of one video (K), at phases (k + 1/2) / K of the segments."""
    crops: int = 1
    """1: the centre, after resizing to ``short_side``; 3: along the longer side, after resizing
    to ``size``."""
    short_side: int = 256
    """Short side before a centre crop, pixels."""
    statistics: Statistics = "imagenet"
    """Mean and deviation that pixels are normalised with."""
    random_clips: bool = False
    """Of several clips, take random frames of the segments as the followed code does, the same
    ones in every evaluation under one seed."""

    def __post_init__(self) -> None:
        _check_common(self.frames, self.size, self.statistics)
        _check(self.clips >= 1, f"clips {self.clips}: at least 1")
        _check(self.crops in (1, 3), f"crops {self.crops}: 1 or 3")
        wide = self.crops == 3 or self.short_side >= self.size
        _check(wide, f"short_side {self.short_side} is less than size {self.size}")


Views = TrainViews | TestViews


def _check_common(frames: int, size: int, statistics: str) -> None:
    _check(frames >= 1, f"frames {frames}: at least 1")
    _check(size >= 2, f"size {size}: at least 2 pixels")
    _check_one_of("statistics", statistics, Statistics)


def _check_one_of(name: str, value: str, allowed: Any) -> None:
    _check(value in get_args(allowed), f"{name} {value!r}: one of {', '.join(get_args(allowed))}")


def _check(good: bool, problem: str) -> None:
    if not good:
        raise UserError(f"these views cannot be made: {problem}")
