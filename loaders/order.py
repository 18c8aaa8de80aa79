"""Which clips are in which step: pure functions of seed, epoch, step and rank.

Training::

    order(seed, epoch, n)          a permutation of the subset
      | step 0 | step 1 | ... | x  global batches of one size; a last short one is dropped
      |r0|r1|r2|                   each rank takes its slice of each

The global batch of a step is the same for any number of ranks, and any step can be the first.
Evaluation walks through the subset in official order the same way, drops nothing, and fills what
is missing from the last step with -1. What the followed code's evaluation leaves out by its own
ranks and batches is ``published_places``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from shards.draws import raw_draws

Positions = npt.NDArray[np.int64]


def epoch_order(seed: int, epoch: int, n: int) -> Positions:
    """A permutation of 0..n-1, int64 (n,): the ranking of n raw words of the epoch's stream."""
    return np.argsort(raw_draws(seed, f"order/{epoch}", n), kind="stable").astype(np.int64)


def training_steps(n: int, batch: int) -> int:
    """Whole global batches among n clips."""
    return n // batch


def training_slice(order: Positions, step: int, batch: int, rank: int, world: int) -> Positions:
    """This rank's share of the global batch of a step, int64 (batch / world,)."""
    share = batch // world
    start = step * batch + rank * share
    return order[start : start + share]


def evaluation_steps(n: int, batch: int, world: int) -> int:
    """Steps in which ``world`` ranks of ``batch`` videos each go through n videos."""
    return -(-n // (batch * world))


def evaluation_slice(n: int, step: int, batch: int, rank: int, world: int) -> Positions:
    """This rank's videos of a step, int64 (batch,); -1 from video n on."""
    start = (step * world + rank) * batch
    places = np.arange(start, start + batch, dtype=np.int64)
    return np.where(places < n, places, -1)


def published_places(n: int, ranks: int, batch: int) -> Positions:
    """Places among n videos that the followed code evaluates, ascending.

    Rank r of its validation loader takes every ``ranks``-th video from r on and drops its last
    batch where that is short (protocols 3), so a rank whose share is no multiple of ``batch``
    loses the rest.
    """
    places = np.arange(n, dtype=np.int64)
    rank, turn = places % ranks, places // ranks
    share = (n - rank + ranks - 1) // ranks
    return places[turn < share // batch * batch]
