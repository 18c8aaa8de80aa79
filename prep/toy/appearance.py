"""Another camera: the shift between the clips a model is pre-trained on and those it is tuned to.

Haze, tint, a woven background, a shaking hand and sensor noise. None of them moves a thing, so
the class of a clip stays what it was; the pre-trained model simply sees it worse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prep.toy.dice import Dice, uniforms
from prep.toy.render import Pixels


@dataclass(frozen=True)
class Appearance:
    """How strong each part of the shift is.

    haze: share of the picture replaced by a light grey (0..1); tint: largest change of a colour
    channel's gain; weave: height of the background pattern (levels of 255); shake: largest
    displacement of a frame (pixels); noise: half-width of the uniform noise (levels of 255).
    """

    haze: float = 0.4
    tint: float = 0.15
    weave: float = 8.0
    shake: int = 1
    noise: float = 12.0


def _weave(dice: Dice, side: int, height: float) -> Pixels:
    """Crossed waves, (side, side, 1)."""
    axis = np.arange(side, dtype=np.float32) / side
    wave = np.zeros((side, side), dtype=np.float32)
    for _ in range(2):
        fx, fy, phase = dice.between(-7, 7), dice.between(-7, 7), dice.between(0, 2 * np.pi)
        wave += np.sin(2 * np.pi * (fx * axis[None, :] + fy * axis[:, None]) + phase)
    return (height * 0.5 * wave)[..., None]


def _shaken(picture: Pixels, dice: Dice, reach: int) -> Pixels:
    """Every frame displaced by up to `reach` pixels each way; the border is repeated."""
    side = picture.shape[1]
    padded = np.pad(picture, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="edge")
    steps = range(2 * reach + 1)
    corners = [(dice.one_of(steps), dice.one_of(steps)) for _ in picture]
    frames = zip(padded, corners, strict=True)
    return np.stack([frame[y : y + side, x : x + side] for frame, (y, x) in frames])


def shifted(picture: Pixels, look: Appearance, seed: int, stream: str) -> Pixels:
    """The clip (frames, side, side, 3), float32 RGB, as the other camera sees it."""
    dice = Dice(seed, f"{stream}/look", 128)
    side = picture.shape[1]
    gain = np.array([1.0 + look.tint * dice.between(-1, 1) for _ in range(3)], dtype=np.float32)
    veil = np.float32(dice.between(120, 190))
    picture = picture + _weave(dice, side, look.weave)
    picture = _shaken(picture, dice, look.shake) * gain
    picture = picture + np.float32(look.haze) * (veil - picture)
    grain = uniforms(seed, f"{stream}/grain", picture[..., 0].size).astype(np.float32)
    return picture + look.noise * (2.0 * grain.reshape(picture.shape[:3]) - 1.0)[..., None]


def to_pixels(picture: Pixels) -> npt.NDArray[np.uint8]:
    """Float RGB in 0..255 to uint8, rounded."""
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)
