"""Every damaged byte of a subset's file is found, and a drawn one comes back to the byte."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.errors import UserError
from shards.protocols import drawn, drawn_as, redraw
from shards.recorded import remove_shard, scan_records
from shards.store import ShardStore
from shards.subsets import few_shot, list_subsets, read_subset, split_subset, subset_file
from shards.tables import rebuild_tables
from shards.verify_subsets import mend_subset, stored_clips, subset_faults
from tests.shards.made import made_store


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> ShardStore:
    made = made_store(tmp_path_factory.mktemp("subsets") / "custom", 48, per_shard=7)
    few_shot(made, 2, "train1", 1).save(made.folder)
    split_subset(made, "test1").save(made.folder)
    return made


def _faults(store: ShardStore) -> list[tuple[str, str]]:
    clips = stored_clips(scan_records(store.folder).records.values())
    return [(f.place, f.what) for f in subset_faults(store.folder, "custom", clips)]


def _with(store: ShardStore, name: str, data: bytes) -> list[tuple[str, str]]:
    """Faults while a file has other bytes; they are put back afterwards."""
    path = subset_file(store.folder, name)
    before = path.read_bytes()
    path.write_bytes(data)
    try:
        return _faults(store)
    finally:
        path.write_bytes(before)


def test_whole_subsets_have_no_fault(store):
    assert list_subsets(store.folder) == ("few-shot-train1-2-seed1", "test1")
    assert _faults(store) == []


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(1, 255))
@pytest.mark.parametrize("name", ["few-shot-train1-2-seed1", "test1"])
def test_any_byte_is_found_and_mended(store, name, place, bit):
    path = subset_file(store.folder, name)
    before = path.read_bytes()
    data = bytearray(before)
    data[int(place * len(data))] ^= bit
    path.write_bytes(data)
    try:
        assert [where for where, _ in _faults(store)] == [f"subsets/{name}.json"]
        mend_subset(store, name)
        assert path.read_bytes() == before
    finally:
        path.write_bytes(before)


def test_every_byte_of_one_file_is_covered(store):
    path = subset_file(store.folder, "few-shot-train1-2-seed1")
    before = path.read_bytes()
    for place in range(len(before)):
        data = before[:place] + bytes([before[place] ^ 1]) + before[place + 1 :]
        assert _with(store, path.stem, data), (place, before[place : place + 9])


def test_blanks_and_order_count_too(store):
    content = json.loads(subset_file(store.folder, "test1").read_bytes())
    for text in (json.dumps(content), json.dumps(content, sort_keys=True), "x"):
        ((place, _),) = _with(store, "test1", text.encode())
        assert place == "subsets/test1.json"


@pytest.mark.parametrize("left", [1, 40, 300, -3])
def test_a_cut_file_comes_back(store, left):
    path = subset_file(store.folder, "test1")
    before = path.read_bytes()
    path.write_bytes(before[:left])
    mend_subset(store, "test1")
    assert path.read_bytes() == before


def test_nothing_is_made_up(tmp_path):
    """Of a list of other clips, of an empty file, of somebody's list: left as they are."""
    store = made_store(tmp_path / "custom", 48, per_shard=7)
    subset = few_shot(store, 2, "train1", 1)
    other = replace(subset, rows=subset.rows[1:], keys=subset.keys[1:])
    for data in (other.to_bytes(), b""):
        path = subset.save(store.folder)
        path.write_bytes(data)
        with pytest.raises(UserError, match="is left as it is: a draw by that name"):
            mend_subset(store, subset.name)
        assert path.read_bytes() == data
    replace(subset, name="mine", kind="list").save(store.folder)
    with pytest.raises(UserError, match="mine is no draw by that name"):
        mend_subset(store, "mine")


def test_lists_of_other_clips_are_told(tmp_path):
    store = made_store(tmp_path / "custom", 48, per_shard=7)
    subset = few_shot(store, 2, "train1", 1)
    keys = ("000000_other", *subset.keys[1:])
    for name, changed, told in (
        ("a", replace(subset, benchmark="ucf101"), "is of ucf101, the set is of custom"),
        ("b", replace(subset, keys=keys), "calls a clip 000000_other that the shards call"),
        ("c", replace(subset, classes=subset.classes[:2]), "classes that it does not name"),
        ("d", replace(subset, rows=subset.rows + 1000), "8 of its clips are not stored"),
    ):
        path = replace(changed, name=name).save(store.folder)
        ((place, what),) = _faults(store)
        assert place == f"subsets/{name}.json"
        assert told in what
        path.unlink()
    subset.save(store.folder)
    remove_shard(store.folder, store.shard_of(int(store.index_of(subset.rows)[0])))
    rebuild_tables(store.folder)
    assert f"not stored, first {subset.keys[0]}" in _faults(store)[0][1]
    assert list(subset_faults(store.folder, "custom", None)) == []


def test_two_that_were_swapped_are_told_and_mended(tmp_path):
    store = made_store(tmp_path / "custom", 48, per_shard=7)
    draws = [split_subset(store, "train1"), few_shot(store, 2, "train1", 1)]
    paths = [subset.save(store.folder) for subset in draws]
    before = [path.read_bytes() for path in paths]
    for path, data in zip(paths, reversed(before), strict=True):
        path.write_bytes(data)
    assert sorted(_faults(store)) == [
        (
            "subsets/few-shot-train1-2-seed1.json",
            "holds train1, another draw than its name says",
        ),
        (
            "subsets/train1.json",
            "holds few-shot-train1-2-seed1, another draw than its name says",
        ),
    ]
    found = [path.read_bytes() for path in paths]
    for subset in draws:
        with pytest.raises(UserError, match="nothing shows that these were in it"):
            mend_subset(store, subset.name)
    for subset in draws:
        mend_subset(store, subset.name, found)
    assert [path.read_bytes() for path in paths] == before


def test_a_copy_under_a_name_of_ones_own_is_no_fault(store):
    for name in list_subsets(store.folder):
        path = replace(read_subset(store.folder, name), name="mine").save(store.folder)
        assert _faults(store) == []
        path.unlink()


def test_what_is_no_file_is_told_and_nothing_else_is_held_up(tmp_path):
    store = made_store(tmp_path / "custom", 48, per_shard=7)
    path = split_subset(store, "test1").save(store.folder)
    path.unlink()
    path.symlink_to("nowhere")
    assert _faults(store) == [("subsets/test1.json", "is not there")]
    with pytest.raises(UserError, match="is left as it is"):
        mend_subset(store, "test1")
    path.unlink()
    path.mkdir()
    ((_, what),) = _faults(store)
    assert "cannot be read: is a directory" in what


def test_a_name_gives_the_very_draw(store):
    for name in list_subsets(store.folder):
        kept = read_subset(store.folder, name)
        again = drawn_as(store, name)
        assert again is not None
        assert again.to_bytes() == kept.to_bytes()
        assert redraw(store, kept).hash == kept.hash
    below = drawn(store, 1, -3, split="train1")
    again = drawn_as(store, below.name)
    assert again is not None and again.hash == below.hash
    assert drawn_as(store, "mine") is None
    assert drawn_as(store, "test1-other") is None
    with pytest.raises(UserError, match="no split 'train9'"):
        drawn_as(store, "few-shot-train9-2-seed1")


def test_rows_may_be_few_or_none(store):
    subset = split_subset(store, "test1")
    empty = replace(subset, name="none", rows=np.array([], np.int64), keys=())
    path: Path = empty.save(store.folder)
    assert _faults(store) == []
    path.unlink()
