"""What the toy world holds: six pairs of motions, six shapes, nine colours.

The two motions of a pair are each other's time reversal, so no single frame, and no bag of
frames, tells them apart: a model must know the order of what it sees. A motion is a function
from progress (0 to 1 over the clip) to where things are; its twin runs the progress backwards.

Positions and radii are fractions of the picture's side, x to the right, y downwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prep.toy.dice import Dice

Floats = npt.NDArray[np.float64]

FRAMES = 24
SHAPES = ("circle", "square", "triangle", "star", "ring", "cross")
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (225, 45, 45),
    "green": (50, 200, 70),
    "blue": (60, 90, 240),
    "yellow": (240, 225, 50),
    "cyan": (50, 220, 230),
    "pink": (245, 100, 190),
    "orange": (245, 140, 35),
    "white": (240, 240, 240),
    "purple": (150, 60, 215),
}


@dataclass(frozen=True)
class Track:
    """Where things are: `centres` (things, frames, 2), `radii` (frames), `opacity` (frames)."""

    centres: Floats
    radii: Floats
    opacity: Floats


@dataclass(frozen=True)
class Scene:
    """One clip before it is drawn; colours are RGB in 0..255."""

    motion: str
    shape: str
    colour: str
    track: Track
    tilt: float
    paint: tuple[float, float, float]
    ground: tuple[tuple[float, float, float], tuple[float, float, float]]


def _still(points: list[tuple[float, float]], frames: int) -> Floats:
    return np.repeat(np.array(points)[:, None, :], frames, axis=1)


def _constant(value: float, progress: Floats) -> Floats:
    return np.full(progress.shape, value)


def _slide_left(dice: Dice, progress: Floats) -> Track:
    start, stop, y = dice.between(0.74, 0.86), dice.between(0.14, 0.26), dice.between(0.28, 0.72)
    x = start + (stop - start) * progress
    centres = np.stack([x, _constant(y, progress)], axis=-1)[None]
    radius = dice.between(0.11, 0.17)
    return Track(centres, _constant(radius, progress), _constant(1.0, progress))


def _slide_up(dice: Dice, progress: Floats) -> Track:
    track = _slide_left(dice, progress)
    return Track(track.centres[..., ::-1], track.radii, track.opacity)


def _grow(dice: Dice, progress: Floats) -> Track:
    small, large = dice.between(0.05, 0.08), dice.between(0.26, 0.34)
    middle = (dice.between(0.38, 0.62), dice.between(0.38, 0.62))
    radii = small + (large - small) * progress
    return Track(_still([middle], len(progress)), radii, _constant(1.0, progress))


def _appear(dice: Dice, progress: Floats) -> Track:
    middle = (dice.between(0.3, 0.7), dice.between(0.3, 0.7))
    onset, width = dice.between(0.3, 0.5), dice.between(0.15, 0.35)
    opacity = np.clip((progress - onset) / width, 0.0, 1.0)
    radius = dice.between(0.14, 0.2)
    return Track(_still([middle], len(progress)), _constant(radius, progress), opacity)


def _meet(dice: Dice, progress: Floats) -> Track:
    angle, radius = dice.between(-0.6, 0.6), dice.between(0.1, 0.14)
    middle = np.array([dice.between(0.43, 0.57), dice.between(0.43, 0.57)])
    far = dice.between(0.3, 0.36)
    reach = far + (radius - far) * progress
    offset = reach[:, None] * np.array([np.cos(angle), np.sin(angle)])
    centres = np.stack([middle - offset, middle + offset])
    return Track(centres, _constant(radius, progress), _constant(1.0, progress))


def _circle_clockwise(dice: Dice, progress: Floats) -> Track:
    start, sweep = dice.between(0.0, 2 * np.pi), dice.between(1.5 * np.pi, 2.2 * np.pi)
    middle = np.array([dice.between(0.46, 0.54), dice.between(0.46, 0.54)])
    orbit, radius = dice.between(0.24, 0.3), dice.between(0.1, 0.14)
    angle = start + sweep * progress
    centres = (middle + orbit * np.stack([np.cos(angle), np.sin(angle)], axis=-1))[None]
    return Track(centres, _constant(radius, progress), _constant(1.0, progress))


#: Motion -> (its path, whether the path is run backwards). Neighbours are time-reversed twins.
MOTIONS: dict[str, tuple[Callable[[Dice, Floats], Track], bool]] = {
    "moving left": (_slide_left, False),
    "moving right": (_slide_left, True),
    "moving up": (_slide_up, False),
    "moving down": (_slide_up, True),
    "growing": (_grow, False),
    "shrinking": (_grow, True),
    "appearing": (_appear, False),
    "vanishing": (_appear, True),
    "meeting": (_meet, False),
    "parting": (_meet, True),
    "circling clockwise": (_circle_clockwise, False),
    "circling counter-clockwise": (_circle_clockwise, True),
}


def _shade(dice: Dice) -> tuple[float, float, float]:
    level = dice.between(12, 55)
    return tuple(level + dice.between(-10, 10) for _ in range(3))  # type: ignore[return-value]


def draw_scene(motion: str, shape: str, colour: str, dice: Dice) -> Scene:
    """A scene of the given kind; place, size, pace, tilt and shades come from `dice`."""
    path, backwards = MOTIONS[motion]
    progress = np.linspace(0.0, 1.0, FRAMES) ** dice.between(0.8, 1.25)
    track = path(dice, 1.0 - progress if backwards else progress)
    light = dice.between(0.85, 1.05)
    paint = tuple(min(255.0, light * c + dice.between(-8, 8)) for c in COLOURS[colour])
    return Scene(
        motion=motion,
        shape=shape,
        colour=colour,
        track=track,
        tilt=dice.between(-0.25, 0.25),
        paint=paint,  # type: ignore[arg-type]
        ground=(_shade(dice), _shade(dice)),
    )
