"""Real clips under the official lists of their benchmarks, and real broken files of one's own."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pytest
import simplejpeg

from prep.cli import main
from shards.store import ShardStore
from tests.prep.runs import Made, shard, words

# Where in its folder the real clips of each benchmark lie, and its official files in theirs.
BENCHMARKS = {"ucf101": "ucf101", "hmdb51": "hmdb51", "kinetics400": "kinetics400"}


def manifest(clips: Path, folder: str) -> dict[str, dict[str, str]]:
    """Lines of MANIFEST.csv below a folder, by path inside it."""
    with (clips / "MANIFEST.csv").open(newline="", encoding="utf-8") as file:
        lines = {line["path"]: line for line in csv.DictReader(file)}
    return {
        path.partition("/")[2]: line
        for path, line in lines.items()
        if path.partition("/")[0] == folder
    }


def stored(made: Made) -> dict[str, dict[str, object]]:
    """Rows of samples.parquet by file."""
    return {row["file"]: row for row in made.tables["samples.parquet"].to_pylist()}


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_real_clips_of_a_benchmark(clips, annotations, tmp_path, benchmark):
    lists = annotations / BENCHMARKS[benchmark]
    made = shard(benchmark, clips / benchmark, tmp_path, "--annotations", str(lists))
    assert made.code == 0
    files, rows = manifest(clips, benchmark), stored(made)
    assert rows.keys() == files.keys()
    for file, row in rows.items():
        assert row["class_name"] == Path(file).parent.name
        assert row["source_frame_count"] == int(files[file]["decoded_frames"])
        assert row["decode_errors"] == 0
    report = made.report
    assert report["complete"]
    assert report["clips"]["stored"] == len(files)
    assert report["clips"]["missing"] == report["clips"]["official"] - len(files) > 1000
    with (made.folder / "missing.csv").open(newline="", encoding="utf-8") as file:
        missing = list(csv.DictReader(file))
    assert len(missing) == report["clips"]["missing"]
    for split, number in report["missing"].items():
        assert number == sum(split in line["splits"].split() for line in missing)
    store = ShardStore.open(made.folder)
    assert len(store) == len(files)


def frames_within(path: Path, start: float, end: float) -> int:
    """Frames of a file whose time, from its own zero, fulfils start <= t < end."""
    with av.open(str(path)) as film:
        zero = (film.start_time or 0) / av.time_base
        times = [frame.time - zero for frame in film.decode(video=0) if frame.time is not None]
    return sum(start <= time < end for time in times)


def test_real_clips_of_activitynet(clips, published, tmp_path):
    """Their published segments, in the form of the official file; each is cut exactly."""
    folder = published / "BSN-boundary-sensitive-network/data/activitynet_annotations"
    segments = json.loads((folder / "anet_anno_action.json").read_text(encoding="utf-8"))
    with (folder / "video_info_new.csv").open(newline="", encoding="utf-8") as file:
        subsets = {line["video"]: line["subset"] for line in csv.DictReader(file)}
    root = Path(shutil.copytree(clips / "activitynet", tmp_path / "activitynet"))
    mine = {path.stem: path for path in root.glob("v_*") if path.stem in segments}
    database = {name[2:]: {**segments[name], "subset": subsets[name]} for name in mine}
    (root / "activity_net.v1-3.min.json").write_text(json.dumps({"database": database}))
    made = shard("activitynet", root, tmp_path / "out")
    assert made.code == 0
    rows = {row["name"]: row for row in made.tables["samples.parquet"].to_pylist()}
    expected = {
        f"{video}_{number}": item
        for video, entry in database.items()
        for number, item in enumerate(entry["annotations"])
    }
    assert rows.keys() == expected.keys()
    for name, item in expected.items():
        row, (start, end) = rows[name], item["segment"]
        assert row["class_name"] == item["label"]
        assert row["source_frame_count"] == frames_within(root / row["file"], start, end)


def test_real_clips_of_ssv2(clips, annotations, tmp_path):
    """Their ids are lost, their classes are not: each goes under an id of its class."""
    official = json.loads((annotations / "ssv2/labels/validation.json").read_text("utf-8"))
    labels = json.loads((annotations / "ssv2/labels/labels.json").read_text("utf-8"))
    names = {number: name for name, number in labels.items()}
    free = {name: [] for name in labels}
    for entry in official:
        free[entry["template"].replace("[", "").replace("]", "")].append(entry["id"])
    root = tmp_path / "20bn-something-something-v2"
    root.mkdir()
    expected = {}
    files = manifest(clips, "ssv2")
    for file, line in files.items():
        name = names[re.search(r"class(\d+)", file)[1]]
        number = free[name].pop()
        shutil.copy(clips / "ssv2" / file, root / f"{number}.webm")
        expected[f"{number}.webm"] = (name, int(line["decoded_frames"]))
    made = shard("ssv2", root, tmp_path / "out", "--annotations", str(annotations / "ssv2"))
    assert made.code == 0
    found = {
        file: (row["class_name"], row["source_frame_count"]) for file, row in stored(made).items()
    }
    assert found == expected


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_real_clips_as_folders_of_frames(clips, annotations, tmp_path, benchmark):
    """Every frame of each clip, extracted to a folder of its name."""
    lists = ("--annotations", str(annotations / BENCHMARKS[benchmark]))
    files = manifest(clips, benchmark)
    for file in files:
        folder = tmp_path / "raw" / Path(file).with_suffix("")
        folder.mkdir(parents=True)
        with av.open(str(clips / benchmark / file)) as film:
            for number, frame in enumerate(film.decode(video=0), start=1):
                pixels = np.ascontiguousarray(frame.to_ndarray(format="rgb24"))
                (folder / f"{number:06d}.jpg").write_bytes(simplejpeg.encode_jpeg(pixels))
    made = shard(benchmark, tmp_path / "raw", tmp_path / "out", *lists, "--from-frames")
    assert made.code == 0
    rows = stored(made)
    assert rows.keys() == {str(Path(file).with_suffix("")) for file in files}
    for file, line in files.items():
        row = rows[str(Path(file).with_suffix(""))]
        assert row["class_name"] == Path(file).parent.name
        assert row["source_frame_count"] == int(line["decoded_frames"])
        assert row["decode_errors"] == 0


def test_thousands_of_missing_clips_are_a_line(clips, annotations, tmp_path, capsys):
    more = ("--annotations", str(annotations / "ucf101"))
    assert main(words("ucf101", clips / "ucf101", tmp_path, *more)) == 0
    said = capsys.readouterr()
    assert "missing: train1 " in said.out
    assert len(said.out.splitlines()) < 12
    assert said.err == ""


@pytest.fixture(scope="module")
def broken(clips, tmp_path_factory) -> tuple[Made, dict[str, dict[str, str]]]:
    """The set made of all broken and odd files, and what the manifest says of them."""
    place = tmp_path_factory.mktemp("broken")
    files = manifest(clips, "broken")
    lines = ["path,class", *(f'"{file}",{file.partition("/")[0]}' for file in files)]
    (place / "list.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    more = ("--annotations", str(place / "list.csv"), "--workers", "2")
    return shard("custom", clips / "broken", place / "out", *more), files


def test_broken_files_end_in_exit_code_1_with_everything_good_kept(broken):
    made, files = broken
    odd = {file for file in files if file.startswith("odd/")}
    assert made.code == 1
    assert stored(made).keys() == odd
    assert made.report["clips"]["refused"] == len(files) - len(odd)
    assert made.report["clips"]["missing"] == 0
    assert len(ShardStore.open(made.folder)) == len(odd)


def test_odd_files_have_all_of_their_frames(broken):
    made, files = broken
    for file, row in stored(made).items():
        # Of several video streams the largest counts, the manifest speaks of the first.
        if files[file]["video_streams"] == "1":
            assert row["source_frame_count"] == int(files[file]["decoded_frames"]), file


def test_files_without_video_are_refused_for_that(broken):
    rejects = {row["file"]: row for row in broken[0].tables["rejects.parquet"].to_pylist()}
    none = [file for file in broken[1] if file.startswith("no_video/")]
    assert {rejects[file]["reason"] for file in none} == {"no-video-stream"}
    unreadable = {f for f, line in broken[1].items() if line["decode_result"].startswith("open")}
    assert {rejects[file]["reason"] for file in unreadable} <= {"unreadable", "encrypted"}


def test_refusals_name_no_place_of_this_machine(broken, clips):
    """Details are part of the hash of a set: they must be those of any machine."""
    details = broken[0].tables["rejects.parquet"]["detail"]
    assert isinstance(details, pa.ChunkedArray)
    assert not any(str(clips) in detail for detail in details.to_pylist())
