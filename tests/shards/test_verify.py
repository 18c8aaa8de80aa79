"""Every damaged byte of a set is found and named; what needs no video is mended on the spot."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from shards.recorded import scan_records, sizes_on_disk
from shards.records import shard_file
from shards.tables import rebuild_tables
from shards.verify import (
    Fault,
    check_shard,
    mend_index,
    same_content,
    shard_names,
    table_faults,
)
from tests.shards.made import made_store


def _jpeg_fault(jpeg: bytes, width: int, height: int) -> str | None:
    try:
        found = simplejpeg.decode_jpeg(jpeg).shape
    except ValueError as error:
        return str(error)
    return None if found == (height, width, 3) else f"{found}"


def _faults(folder: Path) -> list[Fault]:
    checks = [check_shard(folder, name, "sample", _jpeg_fault) for name in shard_names(folder)]
    faults = [fault for check in checks for fault in check.faults]
    if all(check.record for check in checks):
        faults += table_faults(folder, scan_records(folder).identity)
    return faults


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made_store(tmp_path / "custom", 24, per_shard=7, refused=[3])
    return tmp_path / "custom"


def test_whole_set_has_no_fault(folder: Path):
    assert _faults(folder) == []
    checked = check_shard(folder, shard_names(folder)[0], "all", _jpeg_fault)
    assert checked.record is not None
    frames = sum(checked.record.clips["frames"].to_pylist())
    assert checked.frames_decoded == frames > 0


def test_hundred_random_single_byte_faults_are_found_in_their_file(folder: Path, tmp_path: Path):
    rng = np.random.default_rng(5)
    files = sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    assert {p.suffix for p in files} >= {".tar", ".idx", ".json", ".parquet", ".arrow"}
    for number in range(100):
        copy = tmp_path / f"copy{number}"
        shutil.copytree(folder, copy)
        victim = copy / files[rng.integers(len(files))]
        data = bytearray(victim.read_bytes())
        place = rng.integers(len(data))
        data[place] ^= rng.integers(1, 256)
        victim.write_bytes(data)
        places = {fault.place for fault in _faults(copy)}
        assert victim.relative_to(copy).as_posix() in places, (victim, place)
        shutil.rmtree(copy)


def test_damaged_tar_names_the_clip_and_the_frame(folder: Path):
    record = next(iter(scan_records(folder).records.values()))
    sizes = record.clips["frame_sizes"][1].as_py()
    path = shard_file(folder, record.shard, "tar")
    data = bytearray(path.read_bytes())
    data[record.clips["offset"][1].as_py() + sizes[0] + 5] ^= 1
    path.write_bytes(data)
    faults = check_shard(folder, record.shard, "none").faults
    key = record.clips["key"][1].as_py()
    assert [fault.mend for fault in faults] == ["shard", "shard"]
    assert key in faults[1].what
    assert "frame 1 " in faults[1].what


def test_cut_tar_swapped_shards_and_lost_index(folder: Path):
    one, other, third = shard_names(folder)[:3]
    tar = shard_file(folder, one, "tar")
    tar.write_bytes(tar.read_bytes()[:-600])
    a, b = (shard_file(folder, name, "tar") for name in (other, third))
    keep = a.read_bytes()
    a.write_bytes(b.read_bytes())
    b.write_bytes(keep)
    index = shard_file(folder, other, "idx")
    index.unlink()
    mends = {(fault.place, fault.mend) for fault in _faults(folder)}
    expected = {(f"shards/{name}.tar", "shard") for name in (one, other, third)}
    assert mends == expected | {(f"shards/{other}.idx", "index")}


def test_index_is_mended_from_the_tar_to_the_same_bytes(folder: Path):
    record = next(iter(scan_records(folder).records.values()))
    path = shard_file(folder, record.shard, "idx")
    before = path.read_bytes()
    path.unlink()
    mend_index(folder, record)
    assert path.read_bytes() == before


def test_unreadable_jpeg_is_found_by_decoding(folder: Path):
    name = shard_names(folder)[0]
    check = check_shard(folder, name, "all", lambda *_: "no picture")
    assert len(check.faults) == check.frames_decoded > 1
    assert "no picture" in check.faults[0].what


def test_without_dataset_json_lost_tables_are_named(folder: Path):
    (folder / "dataset.json").unlink()
    (folder / "samples.parquet").unlink()
    (folder / "frames.arrow").write_bytes(b"")
    told = {fault.place: fault.what for fault in table_faults(folder, "")}
    assert told == {
        "dataset.json": "is not there",
        "samples.parquet": "is not there",
        "frames.arrow": "is empty",
    }


@pytest.mark.parametrize("name", ["dataset.json", "rejects.parquet", "frames.arrow"])
def test_a_folder_in_place_of_a_table_is_one_fault(folder: Path, name: str):
    (folder / name).unlink()
    (folder / name).mkdir()
    (fault,) = table_faults(folder, scan_records(folder).identity)
    assert (fault.place, fault.mend) == (name, "by hand")
    assert "is a directory" in fault.what


def test_foreign_files_are_no_shards(folder: Path):
    before = shard_names(folder)
    for name in ("index.json", "train.tar", "all-1.json", "all-00000 (1).tar", "all-00000.tar.bak"):
        (folder / "shards" / name).write_bytes(b"{}")
    assert shard_names(folder) == before
    assert set(sizes_on_disk(folder)) == {f"{n}.{e}" for n in before for e in ("tar", "idx")}
    assert _faults(folder) == []


def test_tables_of_another_state_are_found(folder: Path):
    name = shard_names(folder)[0]
    for extension in ("json", "tar", "idx"):
        shard_file(folder, name, extension).unlink()
    assert "another state" in table_faults(folder, scan_records(folder).identity)[0].what
    rebuild_tables(folder)
    assert _faults(folder) == []


def test_equal_videos_in_train_and_test_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import tests.shards.made as made

    original = made.encode
    # Row 4 tests and row 1 trains (train rows: even blocks of four); both are given row 1's frames.
    monkeypatch.setattr(made, "paint", _paint_as(made.paint, {4: 1}))
    monkeypatch.setattr(made, "encode", lambda clip: original(clip, 3))
    made_store(tmp_path / "custom", 12, per_shard=5)
    pairs = list(same_content(scan_records(tmp_path / "custom").records))
    assert [sorted(int(key[:6]) for key in pair) for pair in pairs] == [[1, 4]]


def test_equal_videos_are_told_whoever_came_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Rows 0 and 1 train, 4 and 5 test, all equal; 0 is in neither part and must not hide that."""
    import tests.shards.made as made

    encode, clips_of = made.encode, made.made_clips
    monkeypatch.setattr(made, "paint", _paint_as(made.paint, {1: 0, 4: 0, 5: 0}))
    monkeypatch.setattr(made, "encode", lambda clip: encode(clip, 3))

    def unused_first(*args: object, **options: object):
        clips = clips_of(*args, **options)
        train = clips["split_train1"].to_pylist()
        column = clips.column_names.index("split_train1")
        return clips.set_column(column, "split_train1", [[False, *train[1:]]])

    monkeypatch.setattr(made, "made_clips", unused_first)
    made_store(tmp_path / "custom", 12, per_shard=20)
    pairs = same_content(scan_records(tmp_path / "custom").records)
    assert [tuple(int(key[:6]) for key in pair) for pair in pairs] == [(1, 4), (1, 5)]


def _paint_as(paint, other: dict[int, int]):
    return lambda row, frame: paint(other.get(row, row), frame)
