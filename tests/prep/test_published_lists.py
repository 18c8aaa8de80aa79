"""The report of `prep subset import` on every published file, held against a plain reading.

The plain reading here shares nothing with the program: dictionaries of names, read from the
official files line by line. It holds for whatever lists lie in the folder.
"""

from __future__ import annotations

import csv
import json
import re
from functools import cache
from pathlib import Path

import pytest

from manifests.classes import load_classes
from manifests.numberings import list_numberings
from manifests.spelling import squeeze
from prep.catalogues import Against, against_raw
from prep.commands.subset_import import ImportReport
from prep.importing import compare
from prep.published import read_published
from tests.prep.commands.said import said

_BENCHMARKS = {
    "hmdb51": "hmdb",
    "ucf101": "ucf",
    "ssv2": "ssv2|sthv2|somethingsomething",
    "activitynet": "anet|activitynet",
    "kinetics600": "k600|k160|kinetics_600|k700",
    "kinetics400": "k400|k-400|kinetics_400|kinetics|k200",
}
_VIDEO = re.compile(r"\.(avi|mp4|webm|mkv)$", re.IGNORECASE)
# Lists of clips by their places; all else under the folder lists classes, or nothing.
_CLIPS = re.compile(
    r"ViFi-CLIP/datasets_splits/.*\.txt|(MoTE|Text4Vis)/lists/.*\.txt|Open-VCLIP/.*/test\.csv"
    r"|Open-VCLIP/.*raw_ann\.txt|UniFormer/.*_split\.txt|Efficient-Prompt/.*Few-shot.*\.list"
    r"|Efficient-Prompt/data/.*_split\d+\.txt|BSN.*/(video_info_new\.csv|anet_anno_action\.json)"
)


def benchmark_of(where: str) -> str:
    found = (name for name, words in _BENCHMARKS.items() if re.search(words, where.lower()))
    return next(found, "kinetics400")


def folder_of(annotations: Path, benchmark: str) -> Path:
    """The crawler's edition of Kinetics, which has every row of the thinned one."""
    folder = annotations / benchmark
    return folder / "crawler" if (folder / "crawler").is_dir() else folder


@cache
def official_names(annotations: Path, benchmark: str) -> dict[str, set[str]]:
    """Squeezed classes by the name of a clip, none where the official files tell none."""
    found: dict[str, set[str]] = {}

    def add(name: str, *labels: str) -> None:
        found.setdefault(name, set()).update(map(squeeze, labels))

    files = sorted(p for p in folder_of(annotations, benchmark).rglob("*") if p.is_file())
    for path in files:
        text = path.read_text(encoding="utf-8-sig")
        if benchmark == "hmdb51":
            for line in text.split("\n"):
                if line.strip():
                    add(line.rsplit(None, 1)[0][:-4], path.name.split("_test_split")[0])
        elif benchmark == "ucf101" and "list0" in path.name:
            for line in text.split():
                if "/" in line:
                    add(line.split("/")[1][:-4].lower(), line.split("/")[0])
        elif benchmark == "ssv2" and path.name in ("train.json", "validation.json", "test.json"):
            for item in json.loads(text):
                add(item["id"], *([item["template"]] if "template" in item else []))
        elif benchmark.startswith("kinetics") and path.suffix == ".csv":
            for row in csv.DictReader(text.splitlines()):
                times = (int(float(row[f"time_{end}"])) for end in ("start", "end"))
                name = "_".join([row["youtube_id"], *(f"{time:06}" for time in times)])
                labels = [row["label"]] if row.get("label") else []
                add(name, *labels)
                add(row["youtube_id"], *labels)
        elif benchmark == "activitynet" and "database" in path.name:
            for video, entry in json.loads(text).items():
                add(video)
                for number, segment in enumerate(entry["annotations"]):
                    add(f"{video}_{number}", segment["label"])
                    add(video, segment["label"])
    return found


def plain_lines(path: Path) -> list[str]:
    """Paths of the clips, as the form of the place has them."""
    text = path.read_text(encoding="utf-8-sig")
    where = path.as_posix()
    if path.name == "raw_ann.txt":
        blocks = [block.split("\n") for block in text.strip().split("\n\n")]
        heads = {block[0].rstrip(":") for block in blocks}
        paths = [f"{b[0].rstrip(':')}/{name}" for b in blocks for name in b[1:]]
        return [name for name in paths if name not in heads and not name.endswith("/ ")]
    if path.suffix == ".json":
        return [
            f"{video}_{i}"
            for video, entry in json.loads(text).items()
            for i in range(len(entry["annotations"]))
        ]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if path.name == "video_info_new.csv":
        return [line.split(",")[0] for line in lines[1:]]
    if path.name == "test.csv":
        return [line.rpartition(",")[0] for line in lines]
    three = "UniFormer" in where or "Text4Vis/lists/anet" in where or "full_for_zeroshot" in where
    names = "Efficient-Prompt" in where
    return lines if names else [line.rsplit(None, 2 if three else 1)[0] for line in lines]


def plain_name(line: str, benchmark: str) -> str:
    name = _VIDEO.sub("", line.rsplit("/", 1)[-1])
    if benchmark == "activitynet":
        return name.removeprefix("v_")
    return name.lower() if benchmark == "ucf101" else name


def split_files(published: Path) -> list[tuple[Path, str]]:
    files = (path for path in sorted(published.rglob("*")) if path.is_file())
    found = [(path, path.relative_to(published).as_posix()) for path in files]
    return [(path, where) for path, where in found if _CLIPS.fullmatch(where)]


def report(path: Path, benchmark: str, folder: Path, *words: object):
    return said(
        "subset", "import", path, "--dataset", benchmark, "--annotations", folder,
        "--report-only", "--json", *words,
    )  # fmt: skip


@pytest.fixture(scope="module")
def reports(published, annotations):
    """What the command says of each list, by its place; each official list is read but once."""

    @cache
    def against(name: str) -> Against:
        return against_raw(name, annotations / "no videos", folder_of(annotations, name))

    found = {}
    for path, where in split_files(published):
        held = against(name := benchmark_of(where))
        compared = compare(read_published(path), held.copy, held.official)
        found[where] = ImportReport(name, compared, held.told).as_dict()
    return found


def test_the_command_says_the_same(reports, published, annotations):
    for where in sorted(reports)[::10]:
        name = benchmark_of(where)
        told = report(published / where, name, folder_of(annotations, name)).json
        assert {**told, "against": []} == {**reports[where], "against": []}


def test_counts_of_every_list(reports, published, annotations):
    assert reports
    for where, told in reports.items():
        benchmark = benchmark_of(where)
        known = official_names(annotations, benchmark)
        lines = plain_lines(published / where)
        unknown = [line for line in lines if plain_name(line, benchmark) not in known]
        assert told["listed"] == len(lines), where
        assert told["unknown_clips"] == unknown, where
        assert (told["matched"], told["missing"]) == (len(lines) - len(unknown), 0), where


def test_folders_of_another_class_than_the_official_one(reports, published, annotations):
    for where, told in reports.items():
        benchmark = benchmark_of(where)
        known, classes = official_names(annotations, benchmark), load_classes(benchmark)
        wrong = 0
        for line in plain_lines(published / where):
            folder = line.rpartition("/")[0].rpartition("/")[2]
            labels = known.get(plain_name(line, benchmark))
            if labels and classes.find(folder) is not None and squeeze(folder) not in labels:
                wrong += 1
        assert told["misfiled"] == wrong, where


def plain_truth(path: Path, benchmark: str, known: dict[str, set[str]]):
    """Number of each line that names a class, and the squeezed names of that class.

    It is the class of its folder, else the official one of its clip.
    """
    find, found = cache(load_classes(benchmark).find), []
    for line, number in zip(plain_lines(path), plain_numbers(path), strict=True):
        folder = line.rpartition("/")[0].rpartition("/")[2]
        named = {squeeze(folder)} if find(folder) is not None else None
        mine = named or known.get(plain_name(line, benchmark))
        if mine:
            found.append((number, mine))
    return found


def plain_conflicts(truth: list[tuple[int, set[str]]], names: dict[int, str]) -> int:
    says = {number: squeeze(name) for number, name in names.items()}
    return sum(says.get(number) not in mine for number, mine in truth)


def plain_numbers(path: Path) -> list[int]:
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    return [int(re.split(r"[ ,\t]", line.strip())[-1]) for line in lines if line.strip()]


def test_conflicts_of_every_list(reports, published, annotations):
    """As many as under the known numbering that fits best, where one fits most lines."""
    seen = 0
    for where, told in reports.items():
        if told["form"] in ("name id", "path,id", "name frames id"):
            classes = load_classes(benchmark_of(where))
            known = official_names(annotations, classes.benchmark)
            truth = plain_truth(published / where, classes.benchmark, known)
            names = (dict(enumerate(n.names, n.first)) for n in list_numberings(classes))
            wrong, lines = min(plain_conflicts(truth, each) for each in names), len(truth)
            if lines and 2 * wrong < lines:
                assert told["conflicts"] == wrong, where
                seen += 1
    assert seen > 0


def test_all_else_is_refused_in_a_line(published, annotations):
    lists = {path for path, _ in split_files(published)}
    refusals = set()
    for path in sorted(published.rglob("*")):
        if path.is_file() and path not in lists:
            benchmark = benchmark_of(path.relative_to(published).as_posix())
            told = report(path, benchmark, folder_of(annotations, benchmark))
            assert (told.code, told.out, told.err.count("\n")) == (1, "", 1), path
            kind = re.search(r"(lists classes.*, not clips|is no list of clips)", told.err)
            assert kind, (path, told.err)
            assert path.name in told.err
            refusals.add("classes" if "classes" in kind[0] else "nothing")
    assert "classes" in refusals


# what the protocols and the lists' own pages fix


@pytest.mark.parametrize(
    ("place", "lines"),
    [
        *((f"hmdb_splits/val{split}.txt", 1530) for split in (1, 2, 3)),
        ("ucf_splits/val1.txt", 3783),
        ("ucf_splits/val2.txt", 3734),
        ("ssv2_splits/validation.txt", 24777),
        ("base2novel_splits/hmdb_splits/base_val.txt", 780),
        ("base2novel_splits/hmdb_splits/novel_val.txt", 750),
        ("base2novel_splits/ucf_splits/base_val.txt", 2088),
        ("base2novel_splits/ucf_splits/novel_val.txt", 1695),
        ("base2novel_splits/ssv2_splits/base_val.txt", 17562),
        ("base2novel_splits/ssv2_splits/novel_val.txt", 7215),
        ("base2novel_splits/k400_splits/base_val.txt", 9944),
        ("base2novel_splits/k400_splits/novel_val.txt", 9933),
        ("k600_splits/ZS_split1_K600_eval.txt", 14084),
        ("k600_splits/ZS_split2_K600_eval.txt", 13978),
        ("k600_splits/ZS_split3_K600_eval.txt", 14136),
        *((f"hmdb_splits/train1_few_shot_{shots}.txt", 51 * shots) for shots in (2, 4, 8, 16)),
        *((f"ucf_splits/train1_few_shot_{shots}.txt", 101 * shots) for shots in (2, 4, 8, 16)),
        *((f"ssv2_splits/train1_few_shot_{shots}.txt", 174 * shots) for shots in (2, 4, 8, 16)),
    ],
)
def test_sizes_of_the_protocols(reports, place, lines):
    where = f"ViFi-CLIP/datasets_splits/{place}"
    if where not in reports:
        pytest.skip(f"{place} is not at hand")
    assert reports[where]["listed"] == lines


@pytest.mark.parametrize(
    ("path", "labels"),
    [
        ("hmdb_splits/val1.txt", "hmdb_51_labels.csv"),
        ("base2novel_splits/hmdb_splits/base_val.txt", "hmdb_51_base_labels.csv"),
        ("base2novel_splits/hmdb_splits/novel_val.txt", "hmdb_51_novel_labels.csv"),
    ],
)
def test_lists_against_their_own_label_files(published, annotations, path, labels):
    """Those of HMDB-51 swap kick and kick_ball, sword and sword_exercise: 30 test clips each."""
    file = published / "ViFi-CLIP/datasets_splits" / path
    labels = published / "ViFi-CLIP/labels" / labels
    rows = csv.DictReader(labels.read_text("utf-8-sig").splitlines())
    names = {int(row["id"]): row["name"] for row in rows}
    known = official_names(annotations, "hmdb51")
    expected = plain_conflicts(plain_truth(file, "hmdb51", known), names)
    told = report(file, "hmdb51", annotations / "hmdb51", "--labels", labels).json
    assert told["conflicts"] == expected
    assert sum(item["lines"] for item in told["contradictions"]) == expected
    for item in told["contradictions"]:
        assert squeeze(item["says"]) == squeeze(names[item["number"]])
        assert item["says"] != item["clips_are"]


@pytest.mark.parametrize("split", [1, 2, 3])
def test_a_third_zero_shot_list(published, annotations, tmp_path, split):
    """One made here of the test clips of the 160 classes, under the numbers of their label file."""
    labels = (published / f"ViFi-CLIP/labels/ZS_split{split}_K600.csv").read_text("utf-8-sig")
    number = {squeeze(row["name"]): row["id"] for row in csv.DictReader(labels.splitlines())}
    folder = annotations / "kinetics600"
    lines = []
    with (folder / "test.csv").open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            if squeeze(row["label"]) in number:
                times = f"{int(row['time_start']):06}_{int(row['time_end']):06}"
                clip = f"train/{row['youtube_id']}_{times}.mp4"
                lines.append(f"{clip} {number[squeeze(row['label'])]}\r\n")
    path = tmp_path / f"ZS_split{split}_K600_eval.txt"
    path.write_text("".join(lines), newline="")
    told = report(path, "kinetics600", folder).json
    assert (told["listed"], told["matched"]) == (len(lines), len(lines))
    assert (told["conflicts"], told["unknown"], told["unlabelled"]) == (0, 0, 0)
    assert told["numbering"] == f"zero-shot split {split}"
