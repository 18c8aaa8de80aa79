"""An order for slow disks and network storage: a few tars at a time, shuffled inside.

::

    tars in an order of chance   | t7 t2 t9 | t0 t4 t5 | ...      windows of W tars
    clips inside a window        all of t7, t2 and t9, shuffled together

A pure function of seed, epoch and the tars of the clips, so as deterministic and as independent of
the number of ranks as the global order. What it costs in chance is measured by the two functions
at the end; README.md has a table.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from shards.draws import raw_draws

Positions = npt.NDArray[np.int64]


def blocked_order(seed: int, epoch: int, shards: npt.NDArray[np.integer], window: int) -> Positions:
    """A permutation of 0..n-1, int64 (n,), that reads ``window`` tars at a time.

    shards: the tar of each clip, (n,), any numbers. With a window of all tars it is the global
    order, ``order.epoch_order``.
    """
    n = len(shards)
    names, tar = np.unique(shards, return_inverse=True)
    turn = np.argsort(np.argsort(raw_draws(seed, f"tars/{epoch}", len(names)), kind="stable"))
    draws = raw_draws(seed, f"order/{epoch}", n)
    return np.lexsort((draws, turn[tar] // window)).astype(np.int64)


def neighbour_distance(order: Positions, storage: Positions) -> float:
    """How far apart neighbours in storage come in an epoch, as a share of it: 1/3 by pure chance.

    order: the clips in the order they are seen, (n,), n > 1. storage: the clips as they lie on
    disk, (n,).
    """
    seen = np.empty(len(order), dtype=np.int64)
    seen[order] = np.arange(len(order))
    return float(np.abs(np.diff(seen[storage])).mean() / len(order))


def same_tar_share(order: Positions, shards: npt.NDArray[np.integer], batch: int) -> float:
    """Share of the pairs of successive clips of a batch that come from one tar.

    shards: the tar of each clip, (n,). Pure chance gives about one in the number of tars.
    """
    steps = len(order) // batch
    tars = shards[order[: steps * batch]].reshape(steps, batch)
    return float((tars[:, 1:] == tars[:, :-1]).mean())
