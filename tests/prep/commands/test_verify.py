"""`prep verify`: every damage is found and named, and mended to the bytes there were."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from prep.verify import jpeg_fault
from shards.records import remove_shard, scan_records, shard_file
from tests.prep.commands.said import Said, refused, said
from tests.prep.runs import shard
from tests.shards.made import made_store, of_version, paint

Damage = Callable[[Path], set[str]]


def _verify(folder: Path, *words: object) -> Said:
    return said("verify", "--dataset", folder.name, "--shards", folder.parent, *words)


def _files(folder: Path) -> dict[str, bytes]:
    """Every file of a set that is not a lock."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("[!.]*"))
        if path.is_file()
    }


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A small set that no video is behind."""
    made_store(tmp_path / "custom", 24, per_shard=7, refused=[3], absent=[5])
    return tmp_path / "custom"


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


def test_a_whole_set(made):
    found = _verify(made, "--json")
    report = found.json
    assert (found.code, found.err) == (0, "")
    assert report["whole"]
    assert report["faults"] == report["duplicates"] == report["mended"] == []
    assert report["shards"] == len(scan_records(made).records)
    assert report["frames_decoded"] == 22
    read = sum(p.stat().st_size for p in (made / "shards").iterdir() if p.suffix != ".json")
    assert report["bytes_read"] == read
    assert any("1 clip refused" in note for note in report["notes"])
    assert any("1 of the 24 clips of the official list" in note for note in report["notes"])
    assert "damaged" not in _verify(made).out


@pytest.mark.parametrize(("decode", "share"), [("none", 0), ("sample", 22), ("all", None)])
def test_how_many_jpegs_are_decoded(made, decode, share):
    records = scan_records(made).records.values()
    every = sum(sum(record.clips["frames"].to_pylist()) for record in records)
    report = _verify(made, "--decode", decode, "--json").json
    assert report["frames_decoded"] == (every if share is None else share)


def test_random_single_byte_faults_are_found_by_the_command(made, tmp_path):
    rng = np.random.default_rng(11)
    words = ("--dataset", "custom", "--shards", made.parent, "--split", "train1")
    assert said("subset", "few-shot", *words, "--shots", 2).code == 0
    files = sorted(_files(made))
    assert {path.rpartition(".")[2] for path in files} == {"tar", "idx", "json", "parquet", "arrow"}
    assert "subsets/few-shot-train1-2-seed1.json" in files
    for number in range(100):
        copy = Path(shutil.copytree(made, tmp_path / f"{number}" / "custom"))
        victim = copy / files[rng.integers(len(files))]
        data = bytearray(victim.read_bytes())
        data[rng.integers(len(data))] ^= rng.integers(1, 256)
        victim.write_bytes(data)
        found = _verify(copy, "--json")
        assert found.code == 1
        places = {fault["place"] for fault in found.json["faults"]}
        assert victim.relative_to(copy).as_posix() in places


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
    before = _files(toy)
    places = damage(toy)
    found = _verify(toy, "--json")
    assert found.code == 1
    assert {fault["place"] for fault in found.json["faults"]} >= places
    assert all(place in _verify(toy).out for place in places)
    mended = _verify(toy, "--repair", "--root", toy_root, "--json")
    assert (mended.code, mended.json["not_done"]) == (0, [])
    assert {fault["place"] for fault in mended.json["mended"]} >= places
    after = _files(toy)
    if "dataset.json" in places:  # the official counts stood there alone
        before.pop("dataset.json"), after.pop("dataset.json")
    assert after == before
    assert _verify(toy, "--decode", "all").code == 0


def test_only_the_damaged_shard_is_made_again(toy, toy_root, monkeypatch):
    made = []

    def make(job, names, workers):
        from prep.ingest import make_shards

        made.extend(names)
        return make_shards(job, names, workers)

    monkeypatch.setattr("prep.remake.make_shards", make)
    _byte_of_a_tar(toy)
    assert _verify(toy, "--repair", "--root", toy_root).code == 0
    assert made == ["train-00000"]
    made.clear()
    assert _verify(toy, "--repair", "--root", "nowhere").code == 0  # nothing to do, none is asked
    _no_index(toy)
    assert _verify(toy, "--repair", "--root", "nowhere").code == 0
    assert made == []


def test_without_raw_videos_what_needs_none_is_mended(toy):
    damaged = _byte_of_a_tar(toy)
    mended = _no_index(toy) | _tables(toy)
    found = _verify(toy, "--repair", "--root", toy / "nowhere", "--json")
    assert found.code == 1
    assert {fault["place"] for fault in found.json["faults"]} == damaged
    assert {fault["place"] for fault in found.json["mended"]} == mended
    (line,) = found.json["not_done"]
    assert "no shard could be made again: raw folder of toy" in line


def test_tables_are_not_rebuilt_without_a_shard_they_counted(toy):
    _lost_shard(toy)
    (toy / "samples.parquet").unlink()
    before = (toy / "dataset.json").read_bytes()
    found = _verify(toy, "--repair", "--root", toy / "nowhere")
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
    before = _files(toy)
    found = _verify(toy, "--repair", "--root", raw, "--json")
    assert found.code == 1
    (line,) = [line for line in found.json["not_done"] if "left as it is" in line]
    assert "the files of 1 clip of it are gone" in line
    assert record.clips["key"][0].as_py() in line
    assert _files(toy) == before


def test_a_set_of_other_settings_is_mended_with_those(toy_root, tmp_path):
    words = ("--frames", "3", "--short-side", "48", "--clips-per-shard", "31", "--workers", "1")
    made = shard("toy", toy_root, tmp_path, *words)
    before = _files(made.folder)
    _flip(shard_file(made.folder, "train-00000", "tar"))
    remove_shard(made.folder, "test-00000")
    found = _verify(made.folder, "--repair", "--root", toy_root, "--json")
    assert found.json["not_done"] == []
    assert found.code == 0
    assert _files(made.folder) == before


def test_a_renamed_tar_gets_its_name_back_without_a_video(toy):
    before = _files(toy)
    _renamed(toy)
    shard_file(toy, "train-00001", "idx").rename(shard_file(toy, "train-00099", "idx"))
    assert _verify(toy).code == 1
    assert _verify(toy, "--repair", "--root", "nowhere").code == 0
    assert _files(toy) == before


def test_another_program_mends_nothing(toy, toy_root, monkeypatch):
    monkeypatch.setattr("prep.jobs.fingerprint", lambda _: "ffmpeg 1.0 of another day")
    _byte_of_a_tar(toy)
    before = _files(toy)
    found = _verify(toy, "--repair", "--root", toy_root)
    assert found.code == 1
    assert "here is ffmpeg 1.0 of another day" in found.out
    assert _files(toy) == before


def test_another_list_mends_nothing(toy, toy_root, tmp_path):
    raw = Path(shutil.copytree(toy_root, tmp_path / "raw"))
    lines = (raw / "toy_clips.csv").read_text().splitlines()
    (raw / "toy_clips.csv").write_text("\n".join([lines[0], *reversed(lines[1:])]))
    _byte_of_a_tar(toy)
    found = _verify(toy, "--repair", "--root", raw)
    assert found.code == 1
    assert "was made from another list of clips" in found.out


def test_a_tar_that_cannot_be_read(made):
    path = shard_file(made, "all-00000", "tar")
    path.unlink()
    path.mkdir()
    found = _verify(made, "--json")
    assert found.code == 1
    (fault,) = found.json["faults"]
    assert (fault["place"], fault["mend"]) == ("shards/all-00000.tar", "by hand")
    assert "is a directory" in fault["what"]


def test_jpegs_are_decoded_to_their_end_and_measured():
    jpeg = paint(3, 1)
    height, width = simplejpeg.decode_jpeg(jpeg).shape[:2]
    assert jpeg_fault(jpeg, width, height) is None
    assert jpeg_fault(jpeg, height, width) == f"is {width}x{height} pixels, not {height}x{width}"
    assert "cannot be decoded" in str(jpeg_fault(jpeg[: len(jpeg) // 2], width, height))
    assert "cannot be decoded" in str(jpeg_fault(b"", width, height))


def test_equal_clips_in_train_and_test_are_a_note(tmp_path, monkeypatch):
    import tests.shards.made as made

    paint_as, encode = made.paint, made.encode
    monkeypatch.setattr(made, "paint", lambda row, frame: paint_as({4: 1}.get(row, row), frame))
    monkeypatch.setattr(made, "encode", lambda clip: encode(clip, 3))
    made_store(tmp_path / "custom", 12, per_shard=5)
    found = _verify(tmp_path / "custom")
    assert found.code == 0
    assert "note: 1 pair of equal clips, one to train and one to test:" in found.out
    assert len(_verify(tmp_path / "custom", "--json").json["duplicates"]) == 1


def test_many_faults_are_cut_to_a_screen_and_whole_in_json(tmp_path):
    made_store(tmp_path / "custom", 300, per_shard=7)
    shards = sorted(scan_records(tmp_path / "custom").records)
    assert len(shards) > 30
    for name in shards:
        shard_file(tmp_path / "custom", name, "tar").write_bytes(b"")
    found = _verify(tmp_path / "custom")
    assert f"{len(shards)} files damaged" in found.out
    assert "(all of them with --json)" in found.out
    assert len(found.out.splitlines()) < 30
    assert len(_verify(tmp_path / "custom", "--json").json["faults"]) >= 300


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--dataset", "ssv3"), "there is no benchmark 'ssv3'"),
        (("--dataset", "ssv2"), "no shards in data/shards/ssv2: make them with `prep shard"),
        (("--dataset", "toy", "--shards", "nowhere"), "no shards in nowhere/toy"),
    ],
)
def test_absent_sets(words, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert line in refused("verify", *words)


@pytest.mark.parametrize("words", [(), ("--dataset", "toy", "--decode", "some")])
def test_wrong_words(words):
    found = said("verify", *words)
    assert (found.code, found.out) == (2, "")


def test_a_folder_without_a_shard(tmp_path):
    (tmp_path / "toy" / "shards").mkdir(parents=True)
    assert "no shards in" in refused("verify", "--dataset", "toy", "--shards", tmp_path)
    assert "no shards in" in refused("verify", "--dataset", "toy", "--shards", tmp_path, "--repair")


def test_a_set_whose_every_shard_is_lost(made):
    for name in scan_records(made).records:
        remove_shard(made, name)
    found = _verify(made, "--json")
    assert found.code == 1
    lost = [fault for fault in found.json["faults"] if "is gone with its record" in fault["what"]]
    assert len(lost) == 4


@pytest.mark.parametrize("name", ["dataset.json", "shards/all-00000.json"])
@pytest.mark.parametrize("words", [(), ("--repair",)])
def test_a_set_of_another_format_version(made, name, words):
    """Refused by name, not mended: another program's set is no damaged one."""
    (made / name).write_bytes(of_version((made / name).read_bytes(), 7))
    before = _files(made)
    line = refused("verify", "--dataset", "custom", "--shards", made.parent, *words)
    assert f"{name} has format version 7, this program reads version 1" in line
    assert _files(made) == before
