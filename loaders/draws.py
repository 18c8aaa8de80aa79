"""Chance for one clip of one epoch, whatever batch, rank or thread it falls to.

::

    (seed, epoch, purpose) --shards.draws--> two 64-bit keys
    (keys, row)            --one mix------->  state of the row
    (state, slot)          --SplitMix64---->  word -> uniform in [0, 1)

``shards.draws.raw_draws`` numbers its words from the start of a stream; drawing word 20,000,000
for one row of one batch would cost all those before it. So only the keys come from there, and each
row has a SplitMix64 sequence of its own (Steele, Lea and Flood, "Fast splittable pseudorandom
number generators", 2014), which reaches any slot of any row by a few multiplications: unsigned
64-bit arithmetic that wraps, the same on every machine and version of NumPy.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from shards.draws import raw_draws

Words = npt.NDArray[np.uint64]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def row_uniforms(
    seed: int, epoch: int, purpose: str, rows: npt.NDArray[np.int64], slots: int
) -> npt.NDArray[np.float64]:
    """Uniform draws in [0, 1), float64 (B, slots), for official rows int64 (B,).

    Draw ``(row, slot)`` depends on seed, epoch, purpose, row and slot alone.
    """
    first, second = _keys(seed, epoch, purpose)
    state = _mix(rows.astype(np.uint64) * _STEP + first) ^ second
    counters = np.arange(1, slots + 1, dtype=np.uint64) * _STEP
    words = _mix(state[:, None] + counters)
    uniforms: npt.NDArray[np.float64] = np.ldexp((words >> np.uint64(11)).astype(np.float64), -53)
    return uniforms


@lru_cache(maxsize=64)
def _keys(seed: int, epoch: int, purpose: str) -> tuple[np.uint64, np.uint64]:
    first, second = raw_draws(seed, f"{purpose}/{epoch}", 2)
    return first, second


def _mix(words: Words) -> Words:
    """The finaliser of SplitMix64."""
    words = (words ^ (words >> np.uint64(30))) * _FIRST
    words = (words ^ (words >> np.uint64(27))) * _SECOND
    mixed: Words = words ^ (words >> np.uint64(31))
    return mixed
