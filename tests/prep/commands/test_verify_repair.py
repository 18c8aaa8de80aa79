"""`prep verify --repair`: every damage is named, and mended to the bytes there were, or let be."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from prep.locks import hold_set
from shards.recorded import remove_shard, scan_records
from shards.records import shard_file
from tests.prep.commands.said import said
from tests.prep.commands.verifying import files, verify
from tests.prep.runs import shard
from tests.prep.video.films import write_film


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


def _all_tables(folder: Path) -> set[str]:
    names = ("dataset.json", "samples.parquet", "rejects.parquet", "frames.arrow")
    for name in names:
        (folder / name).unlink()
    return set(names)


def _swapped_subsets(folder: Path) -> set[str]:
    one, other = (folder / "subsets" / f"{name}.json" for name in ("train", "test"))
    data = one.read_bytes(), other.read_bytes()
    other.write_bytes(data[0])
    one.write_bytes(data[1])
    return {"subsets/train.json", "subsets/test.json"}


def _all_shards(folder: Path) -> set[str]:
    names = list(scan_records(folder).records)
    shutil.rmtree(folder / "shards")
    return {f"shards/{name}.tar" for name in names}


def _dangling_links(folder: Path) -> set[str]:
    places = {"shards/train-00000.tar", "shards/val-00000.json", "shards/test-00000.idx"}
    for place in places:
        (folder / place).unlink()
        (folder / place).symlink_to("nowhere")
    return places


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
    _all_tables,
    _swapped_subsets,
    _all_shards,
    _dangling_links,
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
    assert files(toy) == before
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


@pytest.mark.parametrize("damage", [_swapped, _swapped_with_records, _swapped_subsets])
def test_what_was_swapped_needs_no_video(toy, damage):
    before = files(toy)
    damage(toy)
    assert verify(toy, "--repair", "--root", "nowhere").code == 0
    assert files(toy) == before


def test_a_whole_shard_under_a_foreign_name_comes_back_without_a_video(toy):
    before = files(toy)
    for extension in ("json", "tar", "idx"):
        path = shard_file(toy, "train-00000", extension)
        path.rename(path.with_name(f"mine.{extension}.bak"))
    found = verify(toy, "--json")
    assert found.code == 1
    assert len(found.json["foreign"]) == 3
    assert verify(toy, "--repair", "--root", "nowhere").code == 0
    assert files(toy) == before


def test_a_copy_of_a_shard_is_told_and_holds_up_nothing(toy, toy_root):
    for extension in ("json", "tar", "idx"):
        path = shard_file(toy, "train-00000", extension)
        shutil.copy(path, path.with_name(f"train-00777.{extension}"))
    before = files(toy)
    _byte_of_a_tar(toy)
    found = verify(toy, "--repair", "--root", toy_root, "--json")
    assert found.code == 1
    assert [fault["place"] for fault in found.json["faults"]] == ["shards/train-00777.json"]
    assert "is that of train-00000" in found.json["faults"][0]["what"]
    assert "take its files away" in found.json["not_done"][0]
    assert files(toy) == before


def test_of_two_lost_shards_one_comes_back_and_the_other_is_not_forgotten(toy, toy_root, tmp_path):
    raw = Path(shutil.copytree(toy_root, tmp_path / "raw"))
    record = scan_records(toy).records["train-00000"]
    (raw / record.clips["file"][0].as_py()).unlink()
    remove_shard(toy, "train-00000")
    remove_shard(toy, "train-00001")
    found = verify(toy, "--repair", "--root", raw, "--json")
    assert found.code == 1
    assert "shards/train-00000.tar" in {fault["place"] for fault in found.json["faults"]}
    assert "train-00001" in scan_records(toy).records
    assert any("the tables wait for shard train-00000" in line for line in found.json["not_done"])


def _longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"0")


def _other_content(path: Path) -> None:
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 40] = bytes(byte ^ 0x55 for byte in data[middle : middle + 40])
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_longer, "bytes when it was made, and has"),
        (_other_content, "comes out in another way now, so its file has other content"),
    ],
)
def test_a_shard_stays_when_a_video_of_it_changed(toy, toy_root, tmp_path, change, told):
    """A shard of other frames is no repair, and a clip that is refused now would be lost."""
    raw = Path(shutil.copytree(toy_root, tmp_path / "raw"))
    change(raw / scan_records(toy).records["train-00000"].clips["file"][0].as_py())
    _byte_of_a_tar(toy)
    before = files(toy)
    found = verify(toy, "--repair", "--root", raw, "--json")
    assert found.code == 1
    (line,) = found.json["not_done"]
    assert told in line
    assert files(toy) == before
    assert not (toy / ".repair").exists()


def test_one_repair_at_a_time(toy, toy_root):
    _byte_of_a_tar(toy)
    before = files(toy)
    with hold_set(toy, shared=False):
        found = verify(toy, "--repair", "--root", toy_root)
        assert verify(toy).code == 1  # to look is allowed
    assert (found.code, found.out) == (1, "")
    assert "another run of `prep shard` (or `prep verify --repair`) is at work" in found.err
    assert files(toy) == before


@pytest.mark.parametrize(("more", "known"), [((), True), (("--clips-per-shard", "20"), False)])
def test_the_only_record_of_a_set_with_gaps_is_damaged(tmp_path, more, known):
    """Of a long list few videos are there: no number of a shard tells how many the plan has."""
    raw = tmp_path / "raw"
    raw.mkdir()
    write_film(raw / "there.mp4", 6)
    names = [f"film{number}" for number in range(300)]
    names[150] = "there"
    (raw / "list.csv").write_text("path,class\n" + "".join(f"{n}.mp4,a\n" for n in names))
    folder = shard("custom", raw, tmp_path / "out", "--workers", "1", *more).folder
    before = files(folder)
    (record,) = scan_records(folder).records
    _flip(shard_file(folder, record, "json"))
    damaged = files(folder)
    words = ("--repair", "--root", raw, "--annotations", raw / "list.csv")
    found = verify(folder, *words, "--json")
    assert found.code == (0 if known else 1)
    assert files(folder) == (before if known else damaged)
    if not known:  # the highest number gives a plan of six shards, where the clip is in the sixth
        assert "cut by another --clips-per-shard" in found.json["not_done"][0]


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
