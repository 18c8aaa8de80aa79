"""`prep verify --repair`: every damage is named, and mended to the bytes there were, or let be."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from shards.records import remove_shard, scan_records, shard_file
from tests.prep.commands.said import said
from tests.prep.commands.verifying import files, verify
from tests.prep.runs import shard


@pytest.fixture
def toy(calm, tmp_path: Path) -> Path:
    """The set that `prep shard` made of the rendered toy videos, with subsets, to be damaged."""
    assert calm.code == 0
    folder = Path(shutil.copytree(calm.folder, tmp_path / "toy"))
    words = ("--dataset", "toy", "--shards", tmp_path)
    fewer = (*words, "--allow-fewer")
    assert said("subset", "few-shot", *fewer, "--shots", 2).code == 0
    assert said("subset", "base-novel", *fewer, "--shots", 2, "--seeds", 1).code == 0
    assert said("subset", "zero-shot", *words).code == 0
    assert said("subset", "full", *words).code == 0
    return folder


def _flip(path: Path, place: int = -1) -> str:
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if place < 0 else place] ^= 1
    path.write_bytes(data)
    inside = path.parent.name in ("shards", "subsets")
    return f"{path.parent.name}/{path.name}" if inside else path.name


def _byte_of_a_tar(folder: Path) -> set[str]:
    return {_flip(shard_file(folder, "train-00000", "tar"))}


def _cut_tar(folder: Path) -> set[str]:
    path = shard_file(folder, "test-00000", "tar")
    path.write_bytes(path.read_bytes()[:-3000])
    return {"shards/test-00000.tar"}


def _no_index(folder: Path) -> set[str]:
    shard_file(folder, "train-00001", "idx").unlink()
    return {"shards/train-00001.idx"}


def _swapped(folder: Path) -> set[str]:
    one, other = (shard_file(folder, f"train-0000{i}", "tar") for i in (0, 1))
    aside = one.with_suffix(".aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)
    return {"shards/train-00000.tar", "shards/train-00001.tar"}


def _swapped_with_records(folder: Path) -> set[str]:
    for extension in ("tar", "idx", "json"):
        one, other = (shard_file(folder, f"train-0000{i}", extension) for i in (0, 1))
        aside = folder / "aside"
        one.rename(aside)
        other.rename(one)
        aside.rename(other)
    return {"shards/train-00000.json", "shards/train-00001.json"}


def _damaged_record(folder: Path) -> set[str]:
    return {_flip(shard_file(folder, "val-00000", "json"))}


def _no_record(folder: Path) -> set[str]:
    shard_file(folder, "val-00000", "json").unlink()
    return {"shards/val-00000.json"}


def _lost_shard(folder: Path) -> set[str]:
    remove_shard(folder, "train-00000")
    return {"shards/train-00000.tar"}


def _tables(folder: Path) -> set[str]:
    (folder / "samples.parquet").unlink()
    return {_flip(folder / "frames.arrow"), "samples.parquet"}


def _face(folder: Path) -> set[str]:
    return {_flip(folder / "dataset.json")}


def _byte_of_a_subset(folder: Path) -> set[str]:
    return {_flip(folder / "subsets" / "few-shot-train-2-seed1.json")}


def _subsets(folder: Path) -> set[str]:
    """A byte of each: of the draws, the halves, the whole splits."""
    return {_flip(path) for path in (folder / "subsets").glob("*.json")}


def _subset_and_tables(folder: Path) -> set[str]:
    return _subsets(folder) | _tables(folder) | _byte_of_a_tar(folder)


def _renamed(folder: Path) -> set[str]:
    shard_file(folder, "val-00000", "tar").rename(shard_file(folder, "val-00007", "tar"))
    return {"shards/val-00000.tar", "shards/val-00007.json"}


def _much(folder: Path) -> set[str]:
    return _no_index(folder) | _cut_tar(folder) | _lost_shard(folder) | _damaged_record(folder)


DAMAGES = (
    _byte_of_a_tar,
    _cut_tar,
    _no_index,
    _swapped,
    _swapped_with_records,
    _damaged_record,
    _no_record,
    _lost_shard,
    _tables,
    _face,
    _renamed,
    _byte_of_a_subset,
    _subsets,
    _subset_and_tables,
    _much,
)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named_and_mended_to_the_bytes_there_were(toy, toy_root, damage):
    before = files(toy)
    places = damage(toy)
    found = verify(toy, "--json")
    assert found.code == 1
    assert {fault["place"] for fault in found.json["faults"]} >= places
    assert all(place in verify(toy).out for place in places)
    mended = verify(toy, "--repair", "--root", toy_root, "--json")
    assert (mended.code, mended.json["not_done"]) == (0, [])
    assert {fault["place"] for fault in mended.json["mended"]} >= places
    after = files(toy)
    if "dataset.json" in places:  # the official counts stood there alone
        before.pop("dataset.json"), after.pop("dataset.json")
    assert after == before
    assert verify(toy, "--decode", "all").code == 0


def test_only_the_damaged_shard_is_made_again(toy, toy_root, monkeypatch):
    made = []

    def make(job, names, workers):
        from prep.ingest import make_shards

        made.extend(names)
        return make_shards(job, names, workers)

    monkeypatch.setattr("prep.remake.make_shards", make)
    _byte_of_a_tar(toy)
    assert verify(toy, "--repair", "--root", toy_root).code == 0
    assert made == ["train-00000"]
    made.clear()
    assert verify(toy, "--repair", "--root", "nowhere").code == 0  # nothing to do, none is asked
    _no_index(toy)
    assert verify(toy, "--repair", "--root", "nowhere").code == 0
    assert made == []


def test_without_raw_videos_what_needs_none_is_mended(toy):
    damaged = _byte_of_a_tar(toy)
    mended = _no_index(toy) | _tables(toy)
    found = verify(toy, "--repair", "--root", toy / "nowhere", "--json")
    assert found.code == 1
    assert {fault["place"] for fault in found.json["faults"]} == damaged
    assert {fault["place"] for fault in found.json["mended"]} == mended
    (line,) = found.json["not_done"]
    assert "no shard could be made again: raw folder of toy" in line


def test_tables_are_not_rebuilt_without_a_shard_they_counted(toy):
    _lost_shard(toy)
    (toy / "samples.parquet").unlink()
    before = (toy / "dataset.json").read_bytes()
    found = verify(toy, "--repair", "--root", toy / "nowhere")
    assert found.code == 1
    assert "the tables wait for shard train-00000" in found.out
    assert (toy / "dataset.json").read_bytes() == before


@pytest.mark.parametrize("damage", [_byte_of_a_tar, _lost_shard])
def test_a_shard_stays_when_a_file_of_its_clips_is_gone(toy, toy_root, tmp_path, damage):
    """Rather a damaged clip than none: whoever deleted the video may have it elsewhere."""
    record = scan_records(toy).records["train-00000"]
    gone = record.clips["file"][0].as_py()
    raw = Path(shutil.copytree(toy_root, tmp_path / "raw"))
    (raw / gone).unlink()
    damage(toy)
    before = files(toy)
    found = verify(toy, "--repair", "--root", raw, "--json")
    assert found.code == 1
    (line,) = [line for line in found.json["not_done"] if "left as it is" in line]
    assert "the files of 1 clip of it are gone" in line
    assert record.clips["key"][0].as_py() in line
    assert files(toy) == before


def test_a_set_of_other_settings_is_mended_with_those(toy_root, tmp_path):
    words = ("--frames", "3", "--short-side", "48", "--clips-per-shard", "31", "--workers", "1")
    made = shard("toy", toy_root, tmp_path, *words)
    before = files(made.folder)
    _flip(shard_file(made.folder, "train-00000", "tar"))
    remove_shard(made.folder, "test-00000")
    found = verify(made.folder, "--repair", "--root", toy_root, "--json")
    assert found.json["not_done"] == []
    assert found.code == 0
    assert files(made.folder) == before


def test_a_renamed_tar_gets_its_name_back_without_a_video(toy):
    before = files(toy)
    _renamed(toy)
    shard_file(toy, "train-00001", "idx").rename(shard_file(toy, "train-00099", "idx"))
    assert verify(toy).code == 1
    assert verify(toy, "--repair", "--root", "nowhere").code == 0
    assert files(toy) == before


def test_another_program_mends_nothing(toy, toy_root, monkeypatch):
    monkeypatch.setattr("prep.jobs.fingerprint", lambda _: "ffmpeg 1.0 of another day")
    _byte_of_a_tar(toy)
    before = files(toy)
    found = verify(toy, "--repair", "--root", toy_root)
    assert found.code == 1
    assert "here is ffmpeg 1.0 of another day" in found.out
    assert files(toy) == before


def test_another_list_mends_nothing(toy, toy_root, tmp_path):
    raw = Path(shutil.copytree(toy_root, tmp_path / "raw"))
    lines = (raw / "toy_clips.csv").read_text().splitlines()
    (raw / "toy_clips.csv").write_text("\n".join([lines[0], *reversed(lines[1:])]))
    _byte_of_a_tar(toy)
    found = verify(toy, "--repair", "--root", raw)
    assert found.code == 1
    assert "was made from another list of clips" in found.out
