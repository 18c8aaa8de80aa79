"""What a loader can be asked for besides its views: precision, the published drop, a backend."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

import loaders.clips
from loaders import ClipLoader, TrainViews
from loaders import TestViews as FixedViews
from manifests.classes import class_list
from manifests.errors import UserError
from shards.subsets import split_subset
from tests.loaders.opening import BOTH, loader

LIVELY = TrainViews(size=32)


@BOTH
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_other_precisions_are_the_rounded_floats(texture_store, backend, dtype):
    with loader(texture_store, LIVELY, 4, backend=backend) as clips:
        whole = list(clips.epoch(0))
    with loader(texture_store, LIVELY, 4, backend=backend, dtype=dtype) as clips:
        for one, other in zip(clips.epoch(0), whole, strict=True):
            assert one.clips.dtype == dtype
            assert torch.equal(one.clips, other.clips.to(dtype))
            assert torch.equal(one.labels, other.labels)


def test_other_types_are_refused(flat_store):
    with pytest.raises(UserError, match=r"torch.int8: one of torch.float32, torch.bfloat16"):
        loader(flat_store, dtype=torch.int8)


def test_what_the_published_loaders_drop(flat_store):
    """Fourteen videos: six of their 8 ranks see two, two have a single one and drop it."""
    subset = split_subset(flat_store, "test1")
    assert len(subset) == 14
    expected = np.delete(subset.rows, [6, 7]).tolist()
    views, rows = FixedViews(size=8, short_side=8, frames=1), []
    for rank in range(3):
        options = {"rank": rank, "world": 3, "published_drop": True}
        with ClipLoader(flat_store, subset, views, 4, **options) as clips:
            assert clips.rows.tolist() == expected
            rows += [row for batch in clips.epoch(0) for row in batch.rows.tolist() if row >= 0]
    assert sorted(rows) == expected


def test_a_flipped_clip_may_change_its_class(flat_store):
    """With flip 1 every clip of a class that names a side comes under the other's label."""
    store = copy.copy(flat_store)
    names = ("turn left", "turn right", "wave", "kick")
    store.classes = class_list("custom", names)
    subset = replace(split_subset(flat_store, "train1"), classes=names)
    views = TrainViews(size=16, flip=1.0, flip_labels="swap")
    with ClipLoader(store, subset, views, 4) as clips:
        for batch in clips.epoch(0):
            swapped = [[1, 0, 2, 3][row % 4] for row in batch.rows.tolist()]
            assert batch.labels.tolist() == swapped


def test_the_choice_of_a_backend_is_logged_once(flat_store, caplog):
    loaders.clips._say.cache_clear()
    with caplog.at_level("INFO", logger="loaders"):
        for _ in range(2):
            loader(flat_store).close()
    [line] = caplog.messages
    assert line == ("frames are decoded by cpu: batches go to cpu, where OpenCV is the faster")
