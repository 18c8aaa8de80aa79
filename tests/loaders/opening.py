"""Opening a loader as most tests do, on every backend that is installed."""

from __future__ import annotations

import importlib.util

import pytest

from loaders import ClipLoader, TrainViews
from shards.subsets import split_subset


def has_dali() -> bool:
    """Whether DALI, an extra, is there; it is not imported for that."""
    try:
        return importlib.util.find_spec("nvidia.dali") is not None
    except ModuleNotFoundError:
        return False


PLAIN = TrainViews(size=16, jitter_p=0, grey_p=0)
KINDS = ("cpu", "dali") if has_dali() else ("cpu",)
DALI = pytest.param("dali", marks=pytest.mark.skipif(not has_dali(), reason="DALI is an extra"))
BOTH = pytest.mark.parametrize("backend", ["cpu", DALI])


def loader(store, views=PLAIN, batch=4, split="train1", **options) -> ClipLoader:
    return ClipLoader(store, split_subset(store, split), views, batch, **options)
