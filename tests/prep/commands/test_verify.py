"""`prep verify`: every damage is found and named, and told so that it fits a screen."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import simplejpeg

from manifests.descriptions import Descriptions, Kind, format_descriptions
from prep.verify import jpeg_fault
from shards.atomic import temp_name
from shards.info import Official
from shards.recorded import remove_shard, scan_records
from shards.records import FileHash, shard_file
from shards.tables import rebuild_tables
from tests.prep.commands.said import refused, said
from tests.prep.commands.verifying import files, verify
from tests.shards.made import CLASSES, made_store, of_version, paint


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A small set that no video is behind."""
    made_store(tmp_path / "custom", 24, per_shard=7, refused=[3], absent=[5])
    return tmp_path / "custom"


def test_a_whole_set(made):
    found = verify(made, "--json")
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
    assert "damaged" not in verify(made).out


@pytest.mark.parametrize(("decode", "share"), [("none", 0), ("sample", 22), ("all", None)])
def test_how_many_jpegs_are_decoded(made, decode, share):
    records = scan_records(made).records.values()
    every = sum(sum(record.clips["frames"].to_pylist()) for record in records)
    report = verify(made, "--decode", decode, "--json").json
    assert report["frames_decoded"] == (every if share is None else share)


def test_random_single_byte_faults_are_found_by_the_command(made, tmp_path):
    rng = np.random.default_rng(11)
    words = ("--dataset", "custom", "--shards", made.parent, "--split", "train1")
    assert said("subset", "few-shot", *words, "--shots", 2).code == 0
    _with_lists(made)
    assert verify(made).code == 0
    names = sorted(files(made))
    assert {"missing.csv", "descriptions/spatial-2.json", "rejects.parquet"} <= {*names}
    assert "subsets/few-shot-train1-2-seed1.json" in names
    kinds = {(path.rpartition("/")[0], path.rpartition(".")[2]) for path in names}
    assert len(kinds) == 9
    # Every file once, then files of chance.
    victims = [*names, *(names[i] for i in rng.integers(len(names), size=100 - len(names)))]
    for number, name in enumerate(victims):
        copy = Path(shutil.copytree(made, tmp_path / f"{number}" / "custom"))
        victim = copy / name
        data = bytearray(victim.read_bytes())
        data[rng.integers(len(data))] ^= rng.integers(1, 256)
        victim.write_bytes(data)
        found = verify(copy, "--json")
        assert found.code == 1
        places = {fault["place"] for fault in found.json["faults"]}
        assert victim.relative_to(copy).as_posix() in places


def _with_lists(made: Path) -> None:
    """Give the set a missing.csv and sentences, as `prep shard` and `prep describe` write them."""
    data = b'"row","name"\n5,"Clip 5!(\xc3\xa9).avi"\n'
    (made / "missing.csv").write_bytes(data)
    rebuild_tables(made, Official(24, 1), FileHash(len(data), hashlib.sha256(data).hexdigest()))
    sentences = dict.fromkeys(CLASSES, ("a", "b"))
    (made / "descriptions").mkdir()
    for kind in get_args(Kind):
        found = Descriptions("custom", kind, 2, sentences, {"by": "me"})
        (made / "descriptions" / found.file_name).write_bytes(format_descriptions(found))


def test_files_of_nobody_are_told_and_left(made):
    foreign = [
        *("notes.txt", "mine.tar", "shards/index.json", "shards/copy of all-00000.tar"),
        *("shards/all-00000.tar.tmp", "subsets/my list.json", "subsets/a.txt"),
        *("descriptions/read.me", ".DS_Store"),
    ]
    for name in foreign:
        (made / name).parent.mkdir(exist_ok=True)
        (made / name).write_bytes(b"x")
    (made / "other").mkdir()
    temporary = temp_name(made / "shards" / "all-00000.tar").relative_to(made).as_posix()
    (made / temporary).write_bytes(b"x")
    (made / "descriptions/.cache").mkdir()
    for words in ((), ("--repair",)):
        found = verify(made, "--json", *words)
        assert found.code == 0
        assert found.json["foreign"] == sorted([*foreign, "other/"])
        assert found.json["temporary"] == [temporary]
    told = verify(made).out
    assert "note: 10 files of nobody, left alone:" in told
    assert "... and 5 more (all of them with --json)" in told
    assert "note: 1 file of a run at work, or killed" in told
    assert all((made / name).exists() for name in [*foreign, temporary])


def test_files_without_a_hash_are_told(made):
    """missing.csv of a set made earlier, and sentences written by hand."""
    (made / "missing.csv").write_text("row\n5\n")
    by_hand = made / "descriptions" / "temporal-1.json"
    by_hand.parent.mkdir()
    found = Descriptions("custom", "temporal", 1, {CLASSES[0]: ("a",)}, {})
    record = json.loads(format_descriptions(found))
    record.pop("sha256")
    by_hand.write_text(json.dumps(record))
    notes = verify(made, "--json").json["notes"]
    assert any(note.startswith("missing.csv bears no hash") for note in notes)
    assert any(note.startswith("descriptions/temporal-1.json bears no hash") for note in notes)


@pytest.mark.parametrize("text", ["", "{}"])
def test_lost_shards_are_told_by_the_table_where_dataset_json_is_lost(made, text):
    shard = sorted(scan_records(made).records)[0]
    clips = len(scan_records(made).records[shard].clips)
    remove_shard(made, shard)
    (made / "dataset.json").write_text(text)
    told = {f["place"]: f["what"] for f in verify(made, "--json").json["faults"]}
    assert f"samples.parquet counts {clips} clips in it" in told[f"shards/{shard}.tar"]


def test_a_tar_that_cannot_be_read(made):
    path = shard_file(made, "all-00000", "tar")
    path.unlink()
    path.mkdir()
    found = verify(made, "--json")
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
    found = verify(tmp_path / "custom")
    assert found.code == 0
    assert "note: 1 pair of equal clips, one to train and one to test:" in found.out
    assert len(verify(tmp_path / "custom", "--json").json["duplicates"]) == 1


def test_many_faults_are_cut_to_a_screen_and_whole_in_json(tmp_path):
    made_store(tmp_path / "custom", 300, per_shard=7)
    shards = sorted(scan_records(tmp_path / "custom").records)
    assert len(shards) > 30
    for name in shards:
        shard_file(tmp_path / "custom", name, "tar").write_bytes(b"")
    found = verify(tmp_path / "custom")
    assert f"{len(shards)} files damaged" in found.out
    assert "(all of them with --json)" in found.out
    assert len(found.out.splitlines()) < 30
    assert len(verify(tmp_path / "custom", "--json").json["faults"]) >= 300


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
    found = verify(made, "--json")
    assert found.code == 1
    lost = [fault for fault in found.json["faults"] if "is gone with its record" in fault["what"]]
    assert len(lost) == 4


@pytest.mark.parametrize("name", ["dataset.json", "shards/all-00000.json"])
@pytest.mark.parametrize("words", [(), ("--repair",)])
def test_a_set_of_another_format_version(made, name, words):
    """Refused by name, not mended: another program's set is no damaged one."""
    (made / name).write_bytes(of_version((made / name).read_bytes(), 7))
    before = files(made)
    line = refused("verify", "--dataset", "custom", "--shards", made.parent, *words)
    assert f"{name} has format version 7, this program reads version 1" in line
    assert files(made) == before
