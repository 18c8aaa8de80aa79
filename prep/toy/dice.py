"""Reproducible numbers of one clip: uniform draws named by (seed, stream)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from shards.draws import raw_draws

T = TypeVar("T")


def uniforms(seed: int, stream: str, count: int) -> npt.NDArray[np.float64]:
    """`count` numbers in [0, 1), float64, the same on every machine and NumPy version."""
    words = raw_draws(seed, stream, count) >> np.uint64(11)
    return np.asarray(words * 2.0**-53, dtype=np.float64)


class Dice:
    """Draws taken one after the other from one stream; cheap, since the stream is drawn at once."""

    def __init__(self, seed: int, stream: str, count: int = 64) -> None:
        self._draws = iter(uniforms(seed, stream, count).tolist())

    def between(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + (high - low) * float(next(self._draws))

    def one_of(self, items: Sequence[T]) -> T:
        """One of the items, each as likely."""
        return items[int(next(self._draws) * len(items))]
