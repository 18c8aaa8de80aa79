"""Files that no clip accounts for: the class and splits each belongs to, and sums that agree."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prep.benchmarks import SOURCES
from prep.scan import take_inventory
from prep.strays import split_of_folder
from tests.prep.commands.said import said

TRAIN = "label,youtube_id,time_start,time_end,split\nlaughing,aaaaaaaaaaa,1,11,train\n"
VAL = 'label,youtube_id,time_start,time_end,split\n"training dog",bbbbbbbbbbb,2,12,val\n'
TEST = "youtube_id,time_start,time_end,split\nccccccccccc,3,13,test\n"
TAKEN = {
    "train/laughing/aaaaaaaaaaa_000001_000011.mp4",
    "val/training_dog/bbbbbbbbbbb_000002_000012.mp4",
    "test/ccccccccccc_000003_000013.mp4",
}
FOLDERS = ("train", "val_256", "a copy", "laughing", "training dog", "juggling balls", "deep")
NAMES = ("x.mp4", "y.mp4.part", "aaaaaaaaaaa.mp4", "bbbbbbbbbbb_000002_000012.avi", "é.mp4")


def _unexpected(files: set[str], tmp_path) -> dict[str, dict[str, int]]:
    """What is counted as unexpected in each class and split."""
    for name, text in {"train.csv": TRAIN, "val.csv": VAL, "test.csv": TEST}.items():
        (tmp_path / name).write_text(text)
    for file in {*TAKEN, *files}:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        # Of empty files the first would be taken, of copies with content the class folder's.
        (tmp_path / file).write_text("film" if file in TAKEN else "")
    source = SOURCES["kinetics400"](tmp_path)
    assert sorted(source.unexpected) == sorted(files)
    found = take_inventory(source)
    assert (found.clips.have, found.clips.unexpected) == (3, len(files))
    assert sum(item.clips.unexpected for item in found.classes) == len(files)
    assert sum(tally.unexpected for tally in found.splits.values()) == len(files)
    for item in found.classes:
        assert sum(tally.unexpected for tally in item.splits.values()) == item.clips.unexpected
    return {
        item.name: {split: tally.unexpected for split, tally in item.splits.items()}
        for item in found.classes
        if item.clips.unexpected
    }


@pytest.mark.parametrize(
    ("file", "cls", "split"),
    [
        # A second copy has the class and split of its clip, wherever it lies.
        ("two/aaaaaaaaaaa_000001_000011.mp4", "laughing", "train"),
        ("test/juggling balls/aaaaaaaaaaa.mp4", "laughing", "train"),
        ("two/ccccccccccc.mp4", "(no label published)", "test"),
        # A stranger has those of its folders.
        ("train/laughing/x.mp4", "laughing", "train"),
        ("train/training dog/deep/x.mp4", "training dog", "train"),
        ("laughing/validation/x.mp4", "laughing", "val"),
        ("training_dog/x.mp4", "training dog", "(in no split)"),
        ("kinetics-400_test/x.mp4", "(in no class folder)", "test"),
        ("val/laughing/x.mp4.part", "laughing", "val"),
        ("x.mp4", "(in no class folder)", "(in no split)"),
    ],
)
def test_one_file_has_one_place(tmp_path, file, cls, split):
    found = _unexpected({file}, tmp_path)
    assert {name: splits[split] for name, splits in found.items()} == {cls: 1}


@given(
    st.sets(
        st.tuples(st.lists(st.sampled_from(FOLDERS), max_size=3), st.sampled_from(NAMES)).map(
            lambda parts: "/".join((*parts[0], parts[1]))
        )
    )
)
def test_every_file_is_counted_once(tmp_path_factory, files):
    _unexpected(files, tmp_path_factory.mktemp("raw"))


def test_a_copy_is_in_all_splits_of_its_clip(tmp_path):
    """UCF-101's splits share their videos: the copy counts in each, and once in all."""
    name = "Archery/v_Archery_g01_c01"
    for file in (f"one/{name}.avi", f"two/{name}.avi", "train1/Archery/x.avi", "train/y.avi"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    other = "Archery/v_Archery_g02_c01.avi"
    for number in (1, 2):
        (tmp_path / f"trainlist0{number}.txt").write_text(f"{name}.avi 3\n")
        (tmp_path / f"testlist0{number}.txt").write_text(f"{other}\n")
    found = take_inventory(SOURCES["ucf101"](tmp_path))
    assert {split: tally.unexpected for split, tally in found.splits.items()} == {
        "train1": 2,
        "test1": 0,
        "train2": 1,
        "test2": 0,
        "(in no split)": 1,
    }
    assert found.clips.unexpected == 3


def test_a_copy_of_a_video_of_several_segments_counts_once(tmp_path):
    segments = [
        {"segment": [1, 2], "label": "Archery"},
        {"segment": [2, 3], "label": "Bathing dog"},
    ]
    database = {"abc": {"subset": "training", "annotations": segments}}
    (tmp_path / "activity_net.v1-3.min.json").write_text(json.dumps({"database": database}))
    for file in ("v_abc.mp4", "v_abc.webm"):
        (tmp_path / file).touch()
    found = take_inventory(SOURCES["activitynet"](tmp_path))
    assert {i.name: i.clips.unexpected for i in found.classes if i.clips.unexpected} == {
        "Archery": 1
    }
    assert found.splits["train"].unexpected == found.clips.unexpected == 1


def test_names_that_are_no_utf8_are_told(tmp_path):
    """Leftovers and archives too, not only videos."""
    folder = tmp_path / "raw" / "Archery"
    folder.mkdir(parents=True)
    (folder / "v_Archery_g01_c01.avi").touch()
    for name in (b"\xff.avi", b"\xff.avi.part", b"\xff.rar", b"\xff.txt", b"\xff.html"):
        (folder / os.fsdecode(name)).touch()
    (folder / "trainlist01.txt").write_text("Archery/v_Archery_g01_c01.avi 3\n")
    words = ("scan", "--dataset", "ucf101", "--root", tmp_path / "raw", "--out", tmp_path / "m.csv")
    found = said(*words)
    assert found.code == 0
    assert "1 archive not unpacked, first Archery/\\xff.rar" in found.out
    report = said(*words, "--json").json
    assert report["unexpected"] == ["Archery/\\xff.avi.part", "Archery/\\xff.avi"]
    assert [c["name"] for c in report["classes"] if c["unexpected"]] == ["Archery"]


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        *[(name, "train") for name in ("train", "TRAIN", "training", "train_256", "k400_train")],
        *[(name, "val") for name in ("val", "valid", "validate", "validation", "kinetics600-val")],
        *[(name, "test") for name in ("test", "testing", "test_set", "testset", "videos_test")],
        *[(name, None) for name in ("train_val", "trainer", "training dog", "latest", "", "256")],
    ],
)
def test_folders_called_like_a_partition(folder, split):
    assert split_of_folder(folder, ("train", "val", "test")) == split


@pytest.mark.parametrize(
    ("folder", "split"),
    [("train1", "train1"), ("trainlist02", "train2"), ("test_3", "test3"), ("train", None)],
)
def test_splits_that_bear_a_number(folder, split):
    splits = [f"{part}{number}" for number in (1, 2, 3) for part in ("train", "test")]
    assert split_of_folder(folder, splits) == split


def test_splits_of_any_name():
    assert split_of_folder("Fold A", ("fold_a", "fold_b")) == "fold_a"
    assert split_of_folder("holdout", ("all",)) is None
