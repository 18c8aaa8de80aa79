"""Whole runs over a damaged set, and over one that lies in an object store."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
import torch

from manifests.errors import UserError
from shards.protocols import drawn
from shards.records import shard_file
from shards.store import ShardStore
from shards.subsets import split_subset
from tests.shards.servers import BUCKET, upload
from tests.train.launching import ENVIRONMENT, adapter, launch, launch_ranks, log, result
from train.data import cache_of
from train.recipes.words import Where

SHORT = ("few-shot", "--dataset", "toy", "--shots", "2", "--epochs", "2", "--batch", "24")


def damage(store: ShardStore, row: int) -> str:
    """Change the bytes of a clip; returns its key."""
    i = int(store.index_of(np.array([row]))[0])
    offset, size = store.layout.span(i)
    with shard_file(store.folder, store.shard_of(i), "tar").open("r+b") as file:
        file.seek(offset)
        file.write(bytes(size))
    return store.layout.key(i)


@pytest.fixture
def damaged(world, tmp_path):
    """Toy shards with one clip damaged that is trained on, and one that is tested; their keys."""
    shutil.copytree(world.shards, tmp_path / "shards")
    store = ShardStore.open(tmp_path / "shards" / "toy")
    trained = int(drawn(store, 2, 1, "").rows[7])
    tested = int(split_subset(store, "test").rows[5])
    return tmp_path / "shards", damage(store, trained), damage(store, tested)


def test_a_damaged_clip_is_one_line_that_names_it_and_the_mending(damaged, world, tmp_path):
    shards, trained, _ = damaged
    words = [*SHORT, "--shards", str(shards), "--models", str(world.models)]
    code, _, errors = launch([*words, "--out", str(tmp_path / "out")])
    assert code == 1 and len(errors.splitlines()) == 1
    assert "toy: frame " in errors and f"clip {trained} in shard" in errors
    assert "run `prep verify --dataset toy --repair" in errors


def test_damaged_clips_are_replaced_in_training_left_out_in_tests_and_counted(
    damaged, world, tmp_path
):
    shards, trained, tested = damaged
    out = tmp_path / "out"
    words = [*SHORT, "--shards", str(shards), "--models", str(world.models), "--out", str(out)]
    code, text, errors = launch_ranks([*words, "--on-error", "substitute"], 2)
    assert code == 0, errors
    assert f"clip {trained}" in errors and f"clip {tested}" in errors
    assert "2 times a clip stood in" in text and "evaluated 47 of 48" in text
    found = result(out)
    assert found["training"]["substituted"] == 2
    test = found["selections"][0]["tests"][0]
    assert (test["evaluated"], test["of"]) == (47, 48)
    counts = [line["substituted"] for line in log(out)]
    assert counts[-1] == 2 and counts == sorted(counts)


@pytest.fixture
def object_store(s3, monkeypatch):
    """The S3 server, where launched runs are sent too."""
    for name, value in os.environ.items():
        if name.startswith("AWS_"):
            monkeypatch.setitem(ENVIRONMENT, name, value)
    return s3


def test_a_run_from_an_object_store_ends_with_the_same_weights(world, object_store, tmp_path):
    s3 = object_store
    upload(s3.url, world.shards / "toy", "train/toy")
    s3.log.clear()
    common = [*SHORT, "--models", str(world.models), "--shuffle-tars", "1"]
    near = [*common, "--shards", str(world.shards), "--out", str(tmp_path / "near")]
    far = [*common, "--shards", f"s3://{BUCKET}/train", "--out", str(tmp_path / "far")]
    far += ["--cache", str(tmp_path / "cache")]
    for words in (near, far):
        code, _, errors = launch(words)
        assert code == 0, errors
    assert s3.reads(".tar")
    one, other = adapter(tmp_path / "near"), adapter(tmp_path / "far")
    assert all(torch.equal(one[name], other[name]) for name in one)
    ours, theirs = (result(tmp_path / name) for name in ("near", "far"))
    assert ours["dataset"] == theirs["dataset"]
    assert ours["selections"][0]["summary"] == theirs["selections"][0]["summary"]


def test_an_address_without_shards_is_one_line(object_store, tmp_path):
    words = ["few-shot", "--shards", f"s3://{BUCKET}/no", "--cache", str(tmp_path / "cache")]
    code, _, errors = launch([*words, "--out", str(tmp_path / "out")])
    assert code == 1 and len(errors.splitlines()) == 1, errors
    assert f"no shards at s3://{BUCKET}/no/toy: upload data/shards/toy there" in errors
    assert not (tmp_path / "out").exists()


def test_a_cache_that_can_hold_nothing_is_refused():
    with pytest.raises(UserError, match="--cache-gb 0"):
        cache_of(Where(cache_gb=0))
