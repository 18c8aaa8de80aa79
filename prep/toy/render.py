"""Pixels of a scene: anti-aliased shapes by their distance functions, NumPy only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from prep.toy.world import Scene

Pixels = npt.NDArray[np.floating[Any]]

SIDE = 64

Field = Callable[[Pixels, Pixels], Pixels]


def _circle(u: Pixels, v: Pixels) -> Pixels:
    return np.hypot(u, v) - 1.0


def _square(u: Pixels, v: Pixels) -> Pixels:
    return np.maximum(np.abs(u), np.abs(v)) - 0.86


def _triangle(u: Pixels, v: Pixels) -> Pixels:
    return np.maximum(0.866 * np.abs(u) - 0.5 * v, v) - 0.6


def _star(u: Pixels, v: Pixels) -> Pixels:
    turn = np.arctan2(u, -v) * (5 / (2 * np.pi))
    spike = 2.0 * np.abs(turn - np.round(turn))
    return (np.hypot(u, v) - (1.2 - 0.8 * spike)) * 0.7


def _ring(u: Pixels, v: Pixels) -> Pixels:
    return np.abs(np.hypot(u, v) - 0.78) - 0.24


def _cross(u: Pixels, v: Pixels) -> Pixels:
    along, across = np.abs(u), np.abs(v)
    return np.maximum(np.minimum(along, across) - 0.3, np.maximum(along, across) - 1.05)


#: Signed distance of a shape of radius 1, negative inside; the unit is the radius.
FIELDS: dict[str, Field] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "ring": _ring,
    "cross": _cross,
}


def _coverage(scene: Scene, centres: Pixels, side: int) -> Pixels:
    """How much of each pixel one thing covers, (frames, side, side) float32 in 0..1."""
    axis = (np.arange(side, dtype=np.float32) + 0.5) / side
    radii = scene.track.radii.astype(np.float32)[:, None, None]
    dx = (axis[None, None, :] - centres[:, 0, None, None].astype(np.float32)) / radii
    dy = (axis[None, :, None] - centres[:, 1, None, None].astype(np.float32)) / radii
    cos, sin = np.float32(np.cos(scene.tilt)), np.float32(np.sin(scene.tilt))
    distance = FIELDS[scene.shape](cos * dx + sin * dy, cos * dy - sin * dx)
    cover: Pixels = np.clip(0.5 - distance * radii * side, 0.0, 1.0)
    return cover


def _ground(scene: Scene, side: int) -> Pixels:
    """The background, (side, side, 3): one shade at the top fading into the other below."""
    top, bottom = (np.array(shade, dtype=np.float32) for shade in scene.ground)
    mix = np.linspace(0.0, 1.0, side, dtype=np.float32)[:, None, None]
    return np.broadcast_to(top + (bottom - top) * mix, (side, side, 3))


def render(scene: Scene, side: int = SIDE) -> Pixels:
    """The clip as float32 (frames, side, side, 3), RGB in 0..255."""
    frames = len(scene.track.radii)
    picture = np.repeat(_ground(scene, side)[None], frames, axis=0)
    paint = np.array(scene.paint, dtype=np.float32)
    opacity = scene.track.opacity.astype(np.float32)[:, None, None]
    for centres in scene.track.centres:
        cover = (_coverage(scene, centres, side) * opacity)[..., None]
        picture += cover * (paint - picture)
    return picture
