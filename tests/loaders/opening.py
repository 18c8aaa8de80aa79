"""Opening a loader as most tests do, on every backend that is installed."""

from __future__ import annotations

import pytest

import loaders.clips
from loaders import ClipLoader, TrainViews
from shards.subsets import split_subset

PLAIN = TrainViews(size=16, jitter_p=0, grey_p=0)
HAS_DALI = loaders.clips._dali_installed()
KINDS = ("cpu", "dali") if HAS_DALI else ("cpu",)
DALI = pytest.param("dali", marks=pytest.mark.skipif(not HAS_DALI, reason="DALI is an extra"))
BOTH = pytest.mark.parametrize("backend", ["cpu", DALI])


def loader(store, views=PLAIN, batch=4, split="train1", **options) -> ClipLoader:
    return ClipLoader(store, split_subset(store, split), views, batch, **options)
