"""Reading: every frame is the one painted, from any thread, or an error that names it."""

from __future__ import annotations

import errno
import json
import os
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.errors import UserError
from shards import descriptors, layout, tars
from shards.descriptors import Descriptors
from shards.info import Counts, DatasetInfo, Official, StoredShard
from shards.records import FileHash, shard_file
from shards.store import FrameError, OutOfReachError, ShardStore
from shards.tables import FRAMES, IDENTITY, rebuild_tables
from shards.tars import LocalTars
from tests.shards.made import HEADER, made_store, of_version, painted


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Twenty-seven clips of thirty in five shards; never changed by a test."""
    folder = tmp_path_factory.mktemp("set") / "custom"
    return made_store(folder, 30, refused=[4, 11], absent=[6])


@pytest.fixture
def folder(tmp_path):
    made_store(tmp_path / "custom", 12, per_shard=5)
    return tmp_path / "custom"


def test_columns_are_in_official_order(store):
    rows = [i for i in range(30) if i not in (4, 6, 11)]
    assert len(store) == 27
    assert store.rows.tolist() == rows
    assert store.labels.tolist() == [i % 4 for i in rows]
    assert store.keys.to_pylist() == [f"{i:06d}_clip_{i}" for i in rows]
    assert store.frame_counts.tolist() == [2 + i % 5 for i in rows]
    assert store.source_frame_counts.tolist() == [3 * (2 + i % 5) for i in rows]
    assert store.split("train1").tolist() == [i // 4 % 2 == 0 for i in rows]
    assert store.source_frames(3).tolist() == list(range(0, 15, 3))
    assert store.size(0) == (128, 16)
    assert store.classes.names == HEADER.classes
    assert store.samples(["fps"])["fps"][0].as_py() == 25.0
    kinds = [store.rows, store.labels, store.frame_counts, store.source_frames(0)]
    assert [a.dtype.name for a in kinds] == ["int64", "int32", "int32", "uint32"]


@given(st.data())
def test_frames_are_those_painted(store, data):
    i = data.draw(st.integers(0, len(store) - 1))
    count = int(store.frame_counts[i])
    positions = data.draw(st.lists(st.integers(0, count - 1), max_size=12))
    frames = [painted(frame) for frame in store.read_frames(i, positions)]
    assert frames == [(int(store.rows[i]), 3 * position) for position in positions]


@given(st.lists(st.integers(-2, 32)))
def test_rows_are_found_or_named(store, rows):
    absent = [row for row in rows if row not in set(store.rows.tolist())]
    if absent:
        with pytest.raises(UserError, match=rf"first: row {absent[0]}\)"):
            store.index_of(np.array(rows))
    else:
        positions = store.index_of(np.array(rows, dtype=np.int64))
        assert store.rows[positions].tolist() == rows


def test_near_frames_are_one_read_and_far_ones_are_not(store, monkeypatch):
    spans = []

    def record(fd: int, offset: int, size: int) -> bytes:
        spans.append(size)
        return descriptors.read_span(fd, offset, size)

    monkeypatch.setattr(tars, "read_span", record)
    i = int(np.flatnonzero(store.frame_counts == 6)[0])
    frames = store.read_frames(i, [5, 0, 3])
    assert len(spans) == 1
    monkeypatch.setattr(layout, "GAP_BYTES", 0)
    spans.clear()
    assert store.read_frames(i, [5, 0, 3]) == frames
    assert sorted(spans) == sorted(len(frame) for frame in frames)
    spans.clear()
    store.read_frames(i, [2, 1, 2])
    assert len(spans) == 1  # neighbours stay together, repeats are read once


@pytest.mark.parametrize("positions", [[-1], [0, 99]])
def test_positions_beyond_the_clip(store, positions):
    with pytest.raises(IndexError, match="stores"):
        store.read_frames(0, positions)
    with pytest.raises(IndexError, match="no clip 27"):
        store.source_frames(27)


def test_threads_share_few_descriptors(store):
    store.tars._descriptors = Descriptors(limit=2)
    wanted = np.random.default_rng(0).integers(0, len(store), 2000).tolist()
    with ThreadPoolExecutor(16) as pool:
        frames = list(pool.map(lambda i: store.read_frames(i, [1, 0]), wanted))
    assert all(
        [painted(f) for f in pair] == [(store.rows[i], 3), (store.rows[i], 0)]
        for i, pair in zip(wanted, frames, strict=True)
    )
    assert len(store.tars._descriptors) == 2
    store.close()
    assert len(store.tars._descriptors) == 0
    assert painted(store.read_frames(0, [0])[0]) == (0, 0)


def test_a_descriptor_in_use_is_not_closed(tmp_path):
    paths = [tmp_path / str(i) for i in range(4)]
    for path in paths:
        path.write_text(path.name)
    table = Descriptors(limit=1)
    with table.open(paths[0]) as first:
        for path in paths[1:]:
            with table.open(path) as fd:
                assert os.pread(fd, 9, 0) == path.name.encode()
        assert os.pread(first, 9, 0) == b"0"
    assert len(table) == 1


def test_a_set_of_more_tars_than_open_files_can_be_read(tmp_path):
    import resource

    many = made_store(tmp_path / "custom", 120, per_shard=1)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    many.tars._descriptors = Descriptors(limit=8)
    in_use = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (in_use + 20, hard))
    try:
        for i in range(len(many)):
            many.read_frames(i, [0])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_it_can_be_sent_to_another_process(store):
    copy = pickle.loads(pickle.dumps(store))
    assert copy.identity == store.identity
    assert copy.read_frames(5, [0]) == store.read_frames(5, [0])


@given(st.data())
def test_any_flipped_bit_of_a_frame_is_caught_and_named(store, tmp_path_factory, data):
    i = data.draw(st.integers(0, len(store) - 1))
    position = data.draw(st.integers(0, int(store.frame_counts[i]) - 1))
    frame = store.read_frames(i, [position])[0]
    shard = store.shard_of(i)
    tar = bytearray(shard_file(store.folder, shard, "tar").read_bytes())
    place = tar.index(frame) + data.draw(st.integers(0, len(frame) - 1))
    tar[place] ^= 1 << data.draw(st.integers(0, 7))
    copy = tmp_path_factory.mktemp("flip")
    path = shard_file(copy, shard, "tar")
    path.parent.mkdir()
    path.write_bytes(tar)
    broken = ShardStore.open(store.folder)
    broken.tars = LocalTars(copy)
    with pytest.raises(FrameError) as caught:
        broken.read_frames(i, range(int(store.frame_counts[i])))
    message = str(caught.value)
    for word in ("custom", f"frame {position} ", store.keys[i].as_py(), shard, "prep verify"):
        assert word in message


def test_a_cut_or_absent_tar_is_named(folder):
    store = ShardStore.open(folder)
    last = int(
        np.argmax(
            np.where(store.layout.shard_of == store.layout.shard_of[0], store.layout.offsets, -1)
        )
    )
    tar = shard_file(folder, store.shard_of(last), "tar")
    tar.write_bytes(tar.read_bytes()[: int(store.layout.offsets[last]) + 100])
    with pytest.raises(FrameError, match="ends too early"):
        store.read_frames(last, [0])
    store.close()
    tar.unlink()
    with pytest.raises(FrameError, match=r"no such file.*prep verify --dataset custom"):
        store.read_frames(last, [0])


def test_no_set_is_one_line_that_says_how_to_make_it(tmp_path):
    with pytest.raises(UserError, match="prep shard --dataset hmdb51"):
        ShardStore.open(tmp_path / "hmdb51")


def test_another_version_is_refused_by_name(folder):
    path = folder / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 7}))
    # It does not bear its own hash.
    with pytest.raises(UserError, match="damaged or has format version 7, where"):
        ShardStore.open(folder)
    path.write_bytes(of_version(path.read_bytes(), 7))
    with pytest.raises(UserError, match=r"format version 7.* reads version 1"):
        ShardStore.open(folder)


@pytest.mark.parametrize("name", ["frames.arrow", "dataset.json"])
@pytest.mark.parametrize("change", ["cut", "gone", "zeroed"])
def test_damaged_tables_are_refused(folder, name, change):
    path = folder / name
    data = path.read_bytes()
    path.unlink()
    if change != "gone":
        path.write_bytes(data[: len(data) // 2] if change == "cut" else bytes(len(data)))
    with pytest.raises(UserError, match="prep shard --dataset custom"):
        ShardStore.open(folder)


@pytest.mark.parametrize("name", ["frames.arrow", "samples.parquet", "dataset.json"])
def test_tables_of_two_states_are_never_read_together(folder, tmp_path, name):
    other = tmp_path / "other" / "custom"
    made_store(other, 12, per_shard=5, refused=[2])
    (folder / name).write_bytes((other / name).read_bytes())
    with pytest.raises(UserError, match=r"another state|damaged"):
        ShardStore.open(folder).split("train1")


def test_an_unknown_split_lists_those_there_are(store):
    with pytest.raises(UserError, match=r"no split 'val': use one of train1, test1"):
        store.split("val")


def test_a_store_survives_new_tables_beside_it(folder):
    store = ShardStore.open(folder)
    before = store.read_frames(0, [0])
    rebuild_tables(folder)
    assert store.read_frames(0, [0]) == before


def test_large_sets_open_in_less_than_a_second(tmp_path):
    """240,000 clips of 40 frames in 1,000 tars: a table is mapped, nothing is parsed."""
    folder = tmp_path / "custom"
    big_store(folder, clips=240_000, frames=40, shards=1000)
    start, held = time.perf_counter(), pa.total_allocated_bytes()
    store = ShardStore.open(folder)
    assert pa.total_allocated_bytes() - held < 1_000_000  # nothing of 120 MB was copied
    row = store.rows[123_456]
    assert store.index_of(np.array([row])) == [123_456]
    assert store.source_frames(239_999)[-1] == 390
    assert store.labels.shape == (240_000,)
    assert time.perf_counter() - start < 1


def big_store(folder: Path, *, clips: int, frames: int, shards: int) -> None:
    """Tables of a made-up set, without its tars."""
    rows = np.arange(clips, dtype=np.int64)
    ends = np.arange(clips + 1, dtype=np.int32) * frames
    numbers = np.tile(np.arange(frames, dtype=np.uint32) * 10, clips)
    plain = {
        "row": rows,
        "key": pa.array([f"{row:06d}_clip" for row in rows]),
        "class_id": (rows % 4).astype(np.int32),
        "offset": rows * 4096,
        "width": np.full(clips, 340, np.int32),
        "height": np.full(clips, 256, np.int32),
        "source_frame_count": np.full(clips, 400, np.int32),
        "shard": (rows % shards).astype(np.int32),
    }
    lists = ("frame_sizes", "frame_crc32", "source_frames")
    table = pa.table(plain | {name: pa.ListArray.from_arrays(ends, numbers) for name in lists})
    table = table.replace_schema_metadata({IDENTITY: b"made-up"})
    folder.mkdir(parents=True)
    with pa.ipc.new_file(str(folder / FRAMES), table.schema) as writer:
        writer.write_table(table)
    size = (folder / FRAMES).stat().st_size
    DatasetInfo(
        header=HEADER,
        identity="made-up",
        fingerprints=("x",),
        official=Official(clips, 0),
        counts=Counts(clips, 0, clips * frames, 0, {}),
        shards=tuple(StoredShard(f"all-{n:05d}", 10240, clips // shards) for n in range(shards)),
        tables={FRAMES: FileHash(size, "")},
        classes_hash="",
    ).save(folder)


def test_reading_does_not_hold_a_lock(store, monkeypatch):
    """Two threads are inside a read at one time."""
    both = threading.Barrier(2, timeout=10)

    def slow(fd: int, offset: int, size: int) -> bytes:
        both.wait()
        return descriptors.read_span(fd, offset, size)

    monkeypatch.setattr(tars, "read_span", slow)
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(lambda i: store.read_frames(i, [0]), [0, 0])
    assert one == two


def test_a_tar_made_again_mends_a_running_reader(folder):
    """The open descriptor still shows the damaged file; the name leads to the good one."""
    store = ShardStore.open(folder)
    good = store.read_frames(0, [0])
    tar = shard_file(folder, store.shard_of(0), "tar")
    whole = tar.read_bytes()
    with tar.open("r+b") as file:
        file.write(bytes(len(whole)))
    with pytest.raises(FrameError, match=r"--repair --shards"):
        store.read_frames(0, [0])
    mended = tar.with_suffix(".new")
    mended.write_bytes(whole)
    mended.replace(tar)
    assert store.read_frames(0, [0]) == good


def test_too_many_open_files_is_no_fault_of_the_frame(folder, monkeypatch):
    store = ShardStore.open(folder)

    def refuse(path, flags, *rest):
        raise OSError(errno.EMFILE, "Too many open files", str(path))

    monkeypatch.setattr(descriptors.os, "open", refuse)
    with pytest.raises(OutOfReachError, match=r"frame 0 of clip 000000_clip_0 .*too many open"):
        store.read_frames(0, [0])


def test_without_pread_threads_get_the_same_frames(store, monkeypatch):
    wanted = np.random.default_rng(0).integers(0, len(store), 300).tolist()
    expected = [store.read_frames(i, [0, 1]) for i in wanted]
    monkeypatch.delattr(os, "pread")
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda i: store.read_frames(i, [0, 1]), wanted)) == expected
