"""Lists too large to lie beside the tests: made up in their documented form, at full size."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from manifests.classes import load_classes
from prep.benchmarks import OfficialList, official_list
from prep.sizes import protocol_sizes

SECONDS = 30.0  # of processor time; a list takes one or two
_LETTERS = np.frombuffer(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", np.uint8
)


def youtube_ids(count: int) -> list[str]:
    """Different ids of eleven letters, some of which begin with a dash."""
    letters = _LETTERS[np.random.default_rng(count).integers(0, 64, (count, 11))]
    ids = [text.decode() for text in np.ascontiguousarray(letters).view("S11").ravel().tolist()]
    assert len(set(ids)) == count
    return ids


def listed(benchmark: str, folder: Path) -> OfficialList:
    before = time.process_time()
    official = official_list(benchmark, folder, folder)
    assert time.process_time() - before < SECONDS
    return official


@pytest.mark.parametrize(
    ("benchmark", "clips", "file", "more"),
    [
        ("kinetics400", 240_000, "train.csv", ""),
        ("kinetics600", 400_000, "kinetics_600_train.csv", ",is_cc"),
    ],
)
def test_kinetics_train(tmp_path, benchmark, clips, file, more):
    classes = load_classes(benchmark)
    ids = youtube_ids(clips)
    head, last = f"label,youtube_id,time_start,time_end,split{more}", ",0" if more else ""
    lines = (
        f'"{classes.names[i % len(classes)]}",{video},{i % 600},{i % 600 + 10},train{last}'
        for i, video in enumerate(ids)
    )
    (tmp_path / file).write_text("\n".join([head, *lines, ""]))
    official = listed(benchmark, tmp_path)
    columns = official.columns
    assert len(columns.names) == clips == int(columns.splits["train"].sum())
    assert columns.rows.tolist() == list(range(clips))
    assert columns.class_ids.tolist() == [i % len(classes) for i in range(clips)]
    for i in (0, 1, clips // 2, clips - 1):
        assert columns.names[i].as_py() == f"{ids[i]}_{i % 600:06}_{i % 600 + 10:06}"
    assert any(video.startswith("-") for video in ids)
    sizes = protocol_sizes(official)
    assert sizes["few-shot"][0].clips == 16 * len(classes)
    assert sizes["full"][0].clips == clips


def test_ssv2_train_of_a_published_list(tmp_path, annotations, published):
    """The ids and classes of the whole training list, in the form of the official file."""
    folder = published / "UniFormer/video_classification/data_list/sthv2"
    lines = (folder / "somesomev2_rgb_train_split.txt").read_text().splitlines()
    classes = load_classes("ssv2")
    fields = [line.split() for line in lines if line.strip()]
    entries = [
        {
            "id": clip,
            "label": "made up",
            "template": classes.names[int(number)].replace("something", "[something]"),
            "placeholders": [],
        }
        for clip, _, number in fields
    ]
    (tmp_path / "train.json").write_text(json.dumps(entries))
    source = annotations / "ssv2" / "labels"
    for name in ("labels.json", "validation.json", "test.json"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    official = listed("ssv2", tmp_path)
    columns = official.columns
    train = columns.splits["train"]
    assert int(train.sum()) == len(entries)
    assert columns.names.to_pylist()[: len(entries)] == [clip for clip, *_ in fields]
    assert columns.class_ids[train].tolist() == [int(number) for *_, number in fields]
    sizes = {
        protocol: {size.what: size.clips for size in found}
        for protocol, found in protocol_sizes(official).items()
    }
    base = {classes.id_of(name) for name in classes.half("base").names}
    counts = np.bincount(columns.class_ids[train], minlength=len(classes))
    few = np.minimum(counts, 16)
    assert sizes["few-shot"]["train"] == few.sum()
    assert sizes["base-novel"]["train"] == sum(few[number] for number in base)
    assert sizes["full"] == {"train": len(entries), "test": int(columns.splits["val"].sum())}


def test_activitynet(tmp_path):
    """Twenty thousand videos in the three subsets, the segments of some empty or past the end."""
    classes = load_classes("activitynet")
    videos = youtube_ids(19_994)
    database, segments = {}, 0
    for i, video in enumerate(videos):
        subset = ("training", "training", "validation", "testing")[i % 4]
        cuts = 0 if subset == "testing" else 1 + i % 2
        database[video] = {
            "duration": 120.5,
            "subset": subset,
            "resolution": "640x360",
            "url": f"https://www.youtube.com/watch?v={video}",
            "annotations": [
                {
                    "segment": [60.0 * j, 60.0 * j + (i % 90)],
                    "label": classes.names[(i // 4 + j) % len(classes)],
                }
                for j in range(cuts)
            ],
        }
        segments += max(cuts, 1)
    content = {"database": database, "taxonomy": [], "version": "VERSION 1.3"}
    (tmp_path / "activity_net.v1-3.min.json").write_text(json.dumps(content))
    official = listed("activitynet", tmp_path)
    columns = official.columns
    assert len(columns.names) == segments
    assert len(set(columns.videos.to_pylist())) == len(videos)
    labelled = columns.class_ids >= 0
    assert int(labelled.sum()) == sum(len(entry["annotations"]) for entry in database.values())
    assert set(columns.splits) == {"train", "val", "test"}
    assert not columns.splits["test"][labelled].any()
    sizes = protocol_sizes(official)
    assert {name: [size.what for size in found] for name, found in sizes.items()} == {
        "few-shot": ["train", "test"],
        "zero-shot": ["split 1"],
        "full": ["train", "test"],
    }
    assert sizes["few-shot"][0].clips == 16 * len(classes)
