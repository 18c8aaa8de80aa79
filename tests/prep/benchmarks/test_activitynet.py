"""ActivityNet: a clip for each segment, in the order of the official file."""

from __future__ import annotations

import csv
import json
import math

import pytest

from manifests.errors import UserError
from prep.benchmarks import SOURCES
from shards.schema import check_clips

read = SOURCES["activitynet"]


def entry(subset, *segments):
    return {
        "duration": 60.0,
        "subset": subset,
        "resolution": "640x360",
        "url": "https://www.youtube.com/watch?v=x",
        "annotations": [
            {"segment": [start, end], "label": label} for start, end, label in segments
        ],
    }


DATABASE = {
    "v_123456789": entry("training", (1.5, 9.0, "Archery"), (0.25, 70.0, "Beer pong")),
    "-abc": entry("testing"),
    "_abc": entry("validation", (5, 5, "Zumba")),
}


FILE = "activity_net.v1-3.min.json"


def official(database, name=FILE) -> dict[str, str]:
    return {name: json.dumps({"database": database, "taxonomy": [], "version": "VERSION 1.3"})}


def test_one_clip_for_each_segment(tree):
    source = read(tree("train/v_v_123456789.mp4", "v_-abc.mkv", texts=official(DATABASE)))
    check_clips(source.clips)
    assert source.splits == ("train", "val", "test")
    rows = source.clips.to_pylist()
    assert [row["row"] for row in rows] == [0, 1, 2, 3]
    assert [row["name"] for row in rows] == ["v_123456789_0", "v_123456789_1", "-abc", "_abc_0"]
    assert [row["video"] for row in rows] == ["v_123456789", "v_123456789", "-abc", "_abc"]
    assert [(row["start"], row["end"]) for row in rows] == [
        (1.5, 9.0),
        (0.25, 70.0),
        (None, None),
        (5.0, 5.0),
    ]
    assert [row["class_name"] for row in rows] == ["Archery", "Beer pong", "", "Zumba"]
    assert [row["partition"] for row in rows] == ["train", "train", "test", "val"]
    assert [row["split_test"] for row in rows] == [False, False, True, False]
    assert [row["file"] for row in rows] == ["train/v_v_123456789.mp4"] * 2 + ["v_-abc.mkv", None]
    assert source.notes == (f"empty segments in {source.root / FILE}, no frame to cut: 1",)


def test_ids_with_and_without_prefix(tree):
    names = ("v_123456789.mp4", "_abc.webm", "-abc.mp4", "v_other.mp4")
    source = read(tree(*names, texts=official(DATABASE)))
    assert source.clips["file"].to_pylist() == [names[0], names[0], names[2], names[1]]
    assert source.unexpected == ("v_other.mp4",)
    both = read(tree("v__abc.mp4", texts=official(DATABASE)))
    assert both.clips["file"].to_pylist()[3] == "v__abc.mp4"
    assert both.unexpected == ("_abc.webm", "v_other.mp4")


def test_official_entries(tree, annotations):
    source = read(tree("v_sJFgo9H6zNo.mp4"), annotations / "activitynet")
    path = annotations / "activitynet/fragments/activity_net_database_test.json"
    entries = json.loads(path.read_text(encoding="utf-8"))
    segments = [
        (video, *item["segment"], item["label"])
        for video, value in entries.items()
        for item in value["annotations"] or [{"segment": (None, None), "label": ""}]
    ]
    columns = ("video", "start", "end", "class_name")
    assert segments == [tuple(row[name] for name in columns) for row in source.clips.to_pylist()]


def test_the_real_clip(real_root):
    found = official({"ZNVhz7ctTq0": entry("training", (0.33, 14.05, "Walking the dog"))})
    root = real_root("activitynet")
    (root / "activity_net.v1-3.min.json").write_text(*found.values())
    row = read(root).clips.to_pylist()[0]
    assert (row["file"], row["class_name"]) == ("v_ZNVhz7ctTq0.mp4", "Walking the dog")


def test_full_size(tree, published):
    """The published annotation of all videos that could be fetched, in the official form."""
    folder = published / "BSN-boundary-sensitive-network/data/activitynet_annotations"
    segments = json.loads((folder / "anet_anno_action.json").read_text(encoding="utf-8"))
    with (folder / "video_info_new.csv").open(newline="", encoding="utf-8") as stream:
        subsets = {row["video"]: row["subset"] for row in csv.DictReader(stream)}
    database = {
        video.removeprefix("v_"): {**value, "subset": subsets[video]}
        for video, value in segments.items()
    }
    for name in (name for name in database if subsets[f"v_{name}"] == "testing"):
        database[name]["annotations"] = []
    first = next(iter(segments))
    source = read(tree(f"{first}.mp4", texts=official(database)))
    labelled = [value["annotations"] for value in database.values() if value["annotations"]]
    assert sum(map(len, labelled)) == (source.clips["class_id"].to_numpy() >= 0).sum()
    assert len(set(source.clips["class_id"].to_pylist()) - {-1}) == 200
    videos = source.clips.group_by(["video", "partition"]).aggregate([])
    assert videos["partition"].value_counts().to_pylist() == [
        {"values": {"training": "train", "validation": "val", "testing": "test"}[name], "counts": n}
        for name, n in counted(subsets[f"v_{name}"] for name in database).items()
    ]
    assert source.clips["file"].to_pylist()[0] == f"{first}.mp4"


def counted(values):
    counts: dict[str, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return counts


def test_version_1_3_is_taken_before_others(tree):
    texts = {
        **official({"old": entry("training", (0, 1, "Archery"))}, "activity_net.v1-2.min.json"),
        **official(DATABASE),
    }
    assert len(read(tree("v_-abc.mp4", texts=texts)).clips) == 4


@pytest.mark.parametrize(
    ("database", "why"),
    [
        (
            {"a": entry("holdout")},
            "video a: subset 'holdout' is none of training, .*; is it the official file",
        ),
        ({"a": entry("training", (0, 1, "Juggling"))}, "has no class 'Juggling'"),
        (
            {"a": entry("training", ("x", 1, "Archery"))},
            "video a: segment .* is no start and end in seconds",
        ),
        (
            {"a": {"subset": "training", "annotations": [{"label": "Archery"}]}},
            "video a: no field 'segment'",
        ),
        *[
            (
                {"a": entry("training", (*times, "Archery"))},
                "video a: segment .* is no start and end in seconds",
            )
            for times in ((0, math.nan), (None, 1), ([], 1))
        ],
        (
            {"a": {"subset": "training", "annotations": [{"segment": [1], "label": "Archery"}]}},
            "video a: segment .1. is no start and end in seconds",
        ),
        *[
            ({"a": {"subset": "training", "annotations": wrong}}, "video a: its annotations are no")
            for wrong in (None, {}, ["x"], "Archery")
        ],
        ({"a": {"subset": ["training"]}}, "subset .* is none of training"),
        ({"a": entry("training", (0, 1, 7))}, "has no class '7'"),
        ({}, "no database of activitynet in"),
    ],
)
def test_wrong_files(tree, database, why):
    with pytest.raises(UserError, match=why):
        read(tree("v_a.mp4", texts=official(database)))


def test_no_json(tree):
    for text in ("{", "", '{"database": {"a": {"subset": "training", "annot', "[" * 100_000):
        with pytest.raises(UserError, match=r"is no JSON, or was cut short \("):
            read(tree("v_a.mp4", texts={FILE: text}))
