"""Real clips under the official lists of their benchmarks, and real broken files of one's own."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pytest

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
