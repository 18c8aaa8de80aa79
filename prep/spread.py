"""A few clips that stand for a whole set: what is measured and what is shown."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from manifests.errors import UserError
from shards.store import ShardStore
from shards.subsets import Subset


def spread(store: ShardStore, limit: int, among: Subset | None = None) -> Subset:
    """At most ``limit`` labelled clips, evenly over a store or a subset of it; it has no file.

    Raises UserError when there is no labelled clip.
    """
    if among is None:
        positions, classes = np.flatnonzero(store.labels >= 0), store.classes.names
    else:
        positions, classes = store.index_of(among.rows), among.classes
    if not len(positions):
        raise UserError(f"{store.folder} holds no labelled clip: nothing to look at")
    places = np.unique(np.linspace(0, len(positions) - 1, limit).round().astype(np.int64))
    chosen = positions[places]
    return Subset(
        name="spread",
        benchmark=store.info.benchmark,
        kind="spread",
        seed=None,
        parameters={"clips": len(chosen)},
        classes=classes,
        rows=store.rows[chosen],
        keys=tuple(store.keys.take(pa.array(chosen)).to_pylist()),
    )
