"""Kinetics: both editions of the lists, every layout of the folder, ids of every kind."""

from __future__ import annotations

import csv

import pytest

from manifests.classes import load_classes
from manifests.errors import UserError
from prep.benchmarks import SOURCES
from shards.schema import check_clips

read = SOURCES["kinetics400"]
HEAD = "label,youtube_id,time_start,time_end,split\n"
VAL = (
    HEAD
    + "laughing,-abcdefghij,7,17,val\n"
    + '"air drumming",_Abcdefghij,1086,1096,val\n'
    + '"playing squash or racquetball",_abcdefghij,0,10,val\n'
)
NAMES = ("-abcdefghij_000007_000017", "_Abcdefghij_001086_001096", "_abcdefghij_000000_000010")


@pytest.mark.parametrize("benchmark", ["kinetics400", "kinetics600"])
@pytest.mark.parametrize("edition", ["", "crawler"])
def test_official_counts(tree, annotations, benchmark, edition):
    folder = annotations / benchmark / edition
    number = benchmark[-3:]
    files = {
        "val": "validate.csv" if not edition else f"kinetics-{number}_val.csv",
        "test": "test.csv" if not edition else f"kinetics-{number}_test.csv",
    }
    listed = {}
    for split, file in files.items():
        with (folder / file).open(newline="", encoding="utf-8") as stream:
            listed[split] = list(csv.DictReader(stream))
    first = listed["val"][0]
    clip = f"{first['youtube_id']}_{int(first['time_start']):06}_{int(first['time_end']):06}"
    source = SOURCES[benchmark](tree(f"val/{clip}.mp4"), folder)
    check_clips(source.clips)
    classes = load_classes(benchmark)
    assert source.splits == ("val", "test")
    for split, entries in listed.items():
        part = source.clips.filter(source.clips[f"split_{split}"])
        assert len(part) == len(entries)
        expected = [classes.id_of(entry["label"]) if "label" in entry else -1 for entry in entries]
        assert part["class_id"].to_pylist() == expected
        assert set(part["partition"].to_pylist()) == {split}
    assert source.clips["file"].to_pylist()[0] == f"val/{clip}.mp4"
    assert "no train.csv" in source.notes[-1]
    assert len(source.notes) == (1 if edition else 2)


@pytest.mark.parametrize("benchmark", ["kinetics400", "kinetics600"])
def test_real_clip(clips, annotations, rows, benchmark):
    for folder in (annotations / benchmark, annotations / benchmark / "crawler"):
        source = SOURCES[benchmark](clips / "kinetics400", folder)
        row = rows(source)["YABnJL_bDzw_000086_000096"]
        assert (row["class_name"], row["partition"]) == ("laughing", "val")
        assert row["file"] == "laughing/YABnJL_bDzw_000086_000096.mp4"
        assert (row["start"], row["end"]) == (None, None)
        assert source.unexpected == ()


@pytest.mark.parametrize(
    "files",
    [
        tuple(f"val/{name}.mp4" for name in NAMES),
        tuple(
            f"videos/val/{folder}/{name}.mkv"
            for folder, name in zip(
                ("laughing", "air drumming", "playing squash or racquetball"), NAMES, strict=True
            )
        ),
        tuple(
            f"{folder}/{name}.webm"
            for folder, name in zip(
                ("laughing", "air_drumming", "playing_squash_or_racquetball"), NAMES, strict=True
            )
        ),
        tuple(f"{name[:11]}.mp4" for name in NAMES),
        ("-abcdefghij_7_17.mp4", "_Abcdefghij_1086_1096.mp4", "_abcdefghij_000_010.mp4"),
    ],
)
def test_every_layout(tree, rows, files):
    source = read(tree(*files, texts={"annotations/val.csv": VAL}))
    assert [rows(source)[name]["file"] for name in NAMES] == list(files)
    assert source.unexpected == ()
    assert len(source.notes) == 1


def test_ids_that_look_like_times(tree, rows):
    texts = {"val.csv": HEAD + "laughing,abc_123_456,7,17,val\n"}
    for file in ("abc_123_456.mp4", "abc_123_456_000007_000017.mp4"):
        source = read(tree(file, texts=texts, name=file))
        assert rows(source)["abc_123_456_000007_000017"]["file"] == file


def test_other_seconds_of_the_same_video_are_another_clip(tree):
    source = read(tree(f"{NAMES[0]}.mp4", "_Abcdefghij_000000_000010.mp4", texts={"val.csv": VAL}))
    assert source.clips["file"].null_count == 2
    assert source.unexpected == ("_Abcdefghij_000000_000010.mp4",)


def test_a_bare_id_is_nobody_s_where_two_clips_share_it(tree):
    texts = {"val.csv": VAL + "laughing,_Abcdefghij,7,17,val\n"}
    source = read(tree("-abcdefghij.mp4", "_Abcdefghij.mp4", texts=texts))
    assert source.clips["file"].to_pylist() == ["-abcdefghij.mp4", None, None, None]
    assert source.unexpected == ("_Abcdefghij.mp4",)


def test_replacements_take_the_place_of_corrupt_clips(tree, rows):
    corrupt = f"train/{NAMES[0]}.mp4"
    good = f"replacement/replacement_for_corrupted_k400/{NAMES[0]}.mp4"
    source = read(tree(corrupt, good, f"val/{NAMES[1]}.mp4", texts={"val.csv": VAL}))
    assert rows(source)[NAMES[0]]["file"] == good
    assert source.unexpected == (corrupt,)


def test_the_full_name_wins_over_the_bare_id(tree, rows):
    source = read(tree("-abcdefghij.mp4", f"{NAMES[0]}.mp4", texts={"val.csv": VAL}))
    assert rows(source)[NAMES[0]]["file"] == f"{NAMES[0]}.mp4"


@pytest.mark.parametrize(
    "names",
    [
        ("train.csv", "val.csv", "test.csv"),
        ("train.csv", "validate.csv", "test.csv"),
        ("kinetics-400_train.csv", "kinetics-400_val.csv", "kinetics-400_test.csv"),
        ("kinetics_train.csv", "kinetics_val.csv", "kinetics_test.csv"),
        ("train.txt", "val.txt", "test.csv"),
    ],
)
def test_every_name_of_the_lists(tree, names):
    train = "label,youtube_id,time_start,time_end,split,is_cc\nzumba,aaaaaaaaaaa,1,11,train,0\n"
    test = "youtube_id,time_start,time_end,split\nbbbbbbbbbbb,2,12,test\n"
    texts = dict(zip((f"lists/{name}" for name in names), (train, VAL, test), strict=True))
    source = read(tree("bbbbbbbbbbb.mp4", texts=texts))
    assert source.splits == ("train", "val", "test")
    assert source.notes == ()
    assert source.clips["name"].to_pylist() == [
        "aaaaaaaaaaa_000001_000011",
        *NAMES,
        "bbbbbbbbbbb_000002_000012",
    ]
    assert source.clips["row"].to_pylist() == [
        0,
        10_000_000,
        10_000_001,
        10_000_002,
        20_000_000,
    ]
    assert source.clips["class_id"].to_pylist()[-1] == -1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (HEAD + "opening wine,abc,1,11,val\n", "names class 'opening wine'.*another edition"),
        (HEAD + ",abc,1,11,val\n", "names class ''"),
        ("youtube_id,time_start,time_end,split\nabc,1,11,val\n", "lacks label"),
        ("path label\nx 1\n", "has columns path label and lacks youtube_id, time_start"),
        (HEAD + "laughing,abc,one,11,val\n", "'one'.*where a time in seconds should be"),
        (HEAD + "laughing,abc,1\n", "cannot read .*val.csv as a list of kinetics400"),
        ("", "cannot read"),
        *[
            (HEAD + f"laughing,abc,{time},11,val\n", f"line 2: {time} where a time in seconds")
            for time in ("nan", "-5", "1e300")
        ],
        (HEAD + "laughing,,1,11,val\n", "line 2: no youtube_id"),
        (HEAD.encode("utf-16"), "val.csv is no UTF-8 text .invalid start byte"),
        (HEAD.encode("utf-16-le"), "val.csv is no UTF-8 text .a zero byte after 1 others"),
    ],
)
def test_wrong_lists(tree, text, why):
    with pytest.raises(UserError, match=why):
        read(tree("x.mp4", texts={"val.csv": text}))


def test_an_empty_list_is_wrong(tree):
    with pytest.raises(UserError, match=r"none of the 0 clips|lists no clip"):
        read(tree("x.mp4", texts={"val.csv": HEAD}))


def test_another_edition_beside_is_told(tree):
    texts = {"val.csv": HEAD + "laughing,abc,1,11,val\n", "kinetics-400_val.csv": HEAD}
    source = read(tree("abc.mp4", texts=texts))
    assert source.notes[0].endswith(f"not counted: {source.root / 'kinetics-400_val.csv'}")


def test_the_lists_of_another_benchmark_come_last(tree):
    """A folder of all annotations: each benchmark finds its own."""
    texts = {
        "kinetics400/val.csv": HEAD + "laughing,abc,1,11,val\n",
        "kinetics400/test.csv": HEAD + "laughing,abd,1,11,test\n",
        "k600/deep/val.csv": HEAD + "laughing,abe,1,11,val\n",
    }
    root = tree("abc.mp4", "abe.mp4", texts=texts)
    assert read(root).clips["name"].to_pylist()[0].startswith("abc")
    names = SOURCES["kinetics600"](root).clips["name"].to_pylist()
    assert [name.partition("_")[0] for name in names] == ["abe"]


def test_what_lists_are_absent_is_told_where_no_clip_is_there(tree):
    texts = {"test.csv": HEAD + "laughing,abc,1,11,test\n"}
    with pytest.raises(UserError, match=r"none of the 1 clips .*no train\.csv, val\.csv in"):
        read(tree("x.mp4", texts=texts))


def test_no_list_at_all(tree):
    with pytest.raises(UserError, match=r"no annotation file of kinetics400.*cvdfoundation"):
        read(tree("x.mp4"))
