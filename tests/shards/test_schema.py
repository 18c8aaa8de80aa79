"""Keys and tables of clips."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.errors import UserError
from shards.schema import EncodedClip, check_clips, clip_rows, key_width, make_key, split_names
from tests.shards.made import encode, made_clips


@given(st.integers(0, 10**7), st.text(max_size=200))
def test_keys_suit_every_reader(row, stem):
    key = make_key(row, stem, 6)
    assert re.fullmatch(r"[0-9]{6,}_[a-z0-9_-]*", key)
    assert len(key) <= 80
    assert int(key.split("_")[0]) == row


@given(st.lists(st.text(max_size=100), min_size=1, max_size=30))
def test_keys_are_unique_and_sort_by_row(stems):
    width = key_width(len(stems))
    keys = [make_key(row, stem, width) for row, stem in enumerate(stems)]
    assert len(set(keys)) == len(keys)
    assert sorted(keys) == keys


@pytest.mark.parametrize("count", [1, 999_999, 1_000_000, 1_000_001, 23_456_789])
def test_key_width_holds_the_last_row(count):
    assert key_width(count) >= 6
    assert len(f"{count - 1:0{key_width(count)}d}") == key_width(count)


def test_keys_keep_a_readable_stem():
    assert make_key(7, "Éclair!(b)@-Xy.mp4", 6) == "000007_eclair__b__-xy_mp4"


def test_rows_of_a_table_are_clips():
    clips = made_clips(9, per_video=2, absent=[4])
    rows = clip_rows(clips)
    assert [clip.row for clip in rows] == list(range(9))
    assert rows[4].file is None
    assert rows[3].start == 1.5
    assert rows[1].start is None
    assert rows[0].splits == ("train1",)
    assert rows[5].splits == ("test1",)
    assert rows[2].video == rows[3].video != rows[4].video
    assert split_names(clips) == ("train1", "test1")
    assert clip_rows(clips.drop_columns(["split_train1", "split_test1"]))[0].splits == ()


def test_a_good_table_is_accepted():
    check_clips(made_clips(5))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop_columns(["video"]), "no column 'video'"),
        (lambda t: _replace(t, "row", pa.array([0, 1, 1], pa.int64())), "'row'.* 1 more than once"),
        (lambda t: _replace(t, "row", pa.array([0, 1, 2], pa.int32())), "int32, not int64"),
        (lambda t: _replace(t, "name", pa.array(["a", None, "c"])), "'name'.* 1 empty"),
        (lambda t: _replace(t, "partition", pa.array(["all", "dev", "all"])), "dev"),
        (lambda t: _replace(t, "split_train1", pa.array([True, None, True])), "split_train1"),
    ],
)
def test_a_wrong_table_is_refused_by_name(change, message):
    with pytest.raises(UserError, match=message):
        check_clips(change(made_clips(3)))


@pytest.mark.parametrize("numbers", [(0, 1), (0, 2, 2), (1, 0, 2), (-1, 0, 1), (0, 1, 9)], ids=str)
def test_source_frame_numbers_must_fit(numbers):
    clip = clip_rows(made_clips(1))[0]
    good = encode(clip, frames=3)
    with pytest.raises(ValueError, match=clip.key):
        EncodedClip(clip, good.frames, numbers, good.source_frame_count, 25.0, 128, 16)


def _replace(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)
