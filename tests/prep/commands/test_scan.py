"""`prep scan`: every clip counted once, in its class and splits, and listed where it is absent."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from manifests.classes import load_classes
from tests.prep.commands.said import refused, said

SPLITS = ("train1", "test1", "train2", "test2", "train3", "test3")
LIST = [
    # path, class, split
    ("a/1.mp4", "open", "train"),
    ("a/2.mp4", "open", "train"),
    ("a/3.mp4", "open", "test"),
    ("b/1.mp4", "close", "train"),
    ("b/2.mp4", "close", "test"),
    ("b/3.mp4", "close", "test"),
]


@pytest.fixture
def custom(tmp_path: Path) -> Path:
    """Three of six clips are there; one file is in no list."""
    root = tmp_path / "raw"
    for file in ("a/1.mp4", "a/3.mp4", "b/1.mp4", "b/stranger.mp4"):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    lines = ["path,class,split", *(",".join(line) for line in LIST)]
    (root / "list.csv").write_text("\n".join(lines))
    return root


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def _numbers(have: int, expected: int, unexpected: int = 0) -> dict[str, int]:
    missing = expected - have
    return {"have": have, "expected": expected, "missing": missing, "unexpected": unexpected}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_counts_per_split_and_class(custom):
    report = said("scan", "--dataset", "custom", "--root", custom, "--json").json
    assert report["clips"] == _numbers(3, 6, 1)
    assert report["splits"] == {
        "train": _numbers(2, 3),
        "test": _numbers(1, 3),
        "(in no split)": _numbers(0, 0, 1),
    }
    assert report["classes"] == [
        {
            "name": "close",
            **_numbers(1, 3),
            "splits": {"train": _numbers(1, 1), "test": _numbers(0, 2)},
        },
        {
            "name": "open",
            **_numbers(2, 3),
            "splits": {"train": _numbers(1, 2), "test": _numbers(1, 1)},
        },
        {
            "name": "(in no class folder)",
            **_numbers(0, 0, 1),
            "splits": {"(in no split)": _numbers(0, 0, 1)},
        },
    ]
    assert report["unexpected"] == ["b/stranger.mp4"]
    assert report["official"] is None


def test_the_list_of_missing_clips(custom, tmp_path):
    out = tmp_path / "deep" / "list.csv"
    found = said("scan", "--dataset", "custom", "--root", custom, "--out", out)
    assert found.code == 0
    assert f"missing clips are listed in {out}" in found.out
    rows = _rows(out)
    assert [(row["row"], row["name"], row["class"], row["splits"]) for row in rows] == [
        ("1", "a/2.mp4", "open", "train"),
        ("4", "b/2.mp4", "close", "test"),
        ("5", "b/3.mp4", "close", "test"),
    ]
    assert list(out.parent.iterdir()) == [out]


def test_the_list_has_a_place_of_its_own(custom):
    found = said("scan", "--dataset", "custom", "--root", custom, "--json")
    assert found.json["missing_list"] == "data/missing-custom.csv"
    assert Path("data/missing-custom.csv").is_file()


def test_nothing_missing_leaves_no_stale_list(custom):
    words = ("scan", "--dataset", "custom", "--root", custom)
    said(*words)
    for file, *_ in LIST:
        (custom / file).touch()
    found = said(*words)
    assert _rows(Path("data/missing-custom.csv")) == []
    assert "nothing is missing; data/missing-custom.csv lists none now" in found.out
    Path("data/missing-custom.csv").unlink()
    found = said(*words)
    assert found.code == 0
    assert "nothing is missing" in found.out
    assert "classes miss clips" not in found.out
    assert not Path("data/missing-custom.csv").exists()


def test_two_splits_of_a_missing_clip_stand_in_one_line(custom, tmp_path):
    with (custom / "list.csv").open("a") as file:
        file.write("\nb/3.mp4,close,extra\n")
    said("scan", "--dataset", "custom", "--root", custom, "--out", tmp_path / "out.csv")
    rows = {row["name"]: row["splits"] for row in _rows(tmp_path / "out.csv")}
    assert rows["b/3.mp4"] == "test extra"


def test_real_lists_half_a_dataset(annotations, tmp_path):
    """Two classes of UCF-101, one of them twice: counts add up, copies are told, a place named."""
    lists = annotations / "ucf101"
    names = sorted(
        {
            line.split()[0]
            for path in lists.rglob("*list0[123].txt")
            for line in path.read_text().splitlines()
            if line.strip()
        }
    )
    two = load_classes("ucf101").names[:2]
    mine = [name for name in names if name.partition("/")[0] in two]
    for name in mine:
        for root in ("one", "two") if name.startswith(two[0]) else ("one",):
            path = tmp_path / "raw" / root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    words = ("scan", "--dataset", "ucf", "--root", tmp_path / "raw", "--annotations", lists)
    report = said(*words, "--json").json
    copies = [name for name in mine if name.startswith(two[0])]
    assert report["clips"] == _numbers(len(mine), len(names), len(copies))
    assert tuple(report["splits"]) == SPLITS
    for number in (1, 2, 3):
        both = [report["splits"][f"{part}{number}"] for part in ("train", "test")]
        assert sum(tally["have"] for tally in both) == len(mine)
        assert sum(tally["unexpected"] for tally in both) == len(copies)
    classes = {item["name"]: item for item in report["classes"]}
    assert len(classes) == 101
    assert [name for name, item in classes.items() if not item["missing"]] == list(two)
    assert classes[two[0]]["unexpected"] == len(copies)
    assert sum(item["unexpected"] for item in classes.values()) == len(copies)
    assert report["unexpected"] == [f"two/{name}" for name in copies]
    found = said(*words)
    assert found.code == 0
    assert f"{len(mine):,} of {len(names):,} clips there" in found.out
    assert "99 of 101 classes miss clips" in found.out
    assert "... and 79 more" in found.out
    assert "get them from https://www.crcv.ucf.edu" in found.out
    assert "terms: research use" in found.out
    assert len(found.out.splitlines()) < 60


def test_unlabelled_clips_have_a_line_of_their_own(annotations, tmp_path):
    """The crawler's Kinetics test list has no labels."""
    lists = annotations / "kinetics400" / "crawler"
    if not lists.is_dir():
        pytest.skip(f"no {lists}")
    raw = tmp_path / "raw"
    raw.mkdir()
    with (lists / "kinetics-400_val.csv").open() as file:
        first = next(csv.DictReader(file))
    start, end = (int(float(first[key])) for key in ("time_start", "time_end"))
    (raw / f"{first['youtube_id']}_{start:06d}_{end:06d}.mp4").touch()
    words = ("scan", "--dataset", "k400", "--root", raw, "--annotations", lists, "--json")
    report = said(*words).json
    assert report["benchmark"] == "kinetics400"
    assert report["clips"]["have"] == 1
    last = report["classes"][-1]
    assert last["name"] == "(no label published)"
    assert last["expected"] == report["splits"]["test"]["expected"] > 0
    assert any("train.csv" in note for note in report["notes"])


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--dataset", "ucf102"), "there is no benchmark 'ucf102': use one of ucf101"),
        (("--dataset", "hmdb51"), "raw folder of hmdb51 data/raw/hmdb51 does not exist"),
        (("--dataset", "custom", "--root", "nowhere"), "custom nowhere does not exist"),
    ],
)
def test_absent_folders_and_benchmarks(words, line):
    assert line in refused("scan", *words)


def test_empty_root_absent_and_wrong_annotation(custom, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "holds no video" in refused("scan", "--dataset", "ssv2", "--root", tmp_path / "empty")
    words = ("scan", "--dataset", "custom", "--root", custom, "--annotations")
    assert "no annotation file of custom" in refused(*words, tmp_path / "empty")
    wrong = tmp_path / "list.csv"
    wrong.write_text("file;label\na/1.mp4;open\n")
    assert f"{wrong} has columns" in refused(*words, wrong)


def test_an_unwritable_place_for_the_list(custom, tmp_path):
    (tmp_path / "file").write_text("in the way")
    words = ("scan", "--dataset", "custom", "--root", custom, "--out", tmp_path / "file" / "m.csv")
    assert f"cannot write {tmp_path / 'file' / 'm.csv'}" in refused(*words)
    assert (tmp_path / "file").read_text() == "in the way"


def test_the_list_takes_the_place_of_nothing_else(custom, tmp_path):
    words = ("scan", "--dataset", "custom", "--root", custom, "--out")
    text = (custom / "list.csv").read_text()
    assert "list.csv is there and no list of missing" in refused(*words, custom / "list.csv")
    assert (custom / "list.csv").read_text() == text
    assert f"{tmp_path} is a folder: name a file" in refused(*words, tmp_path)
    (tmp_path / "m.csv").touch()
    for _ in range(2):
        assert said(*words, tmp_path / "m.csv").code == 0
        assert len(_rows(tmp_path / "m.csv")) == 3


def test_a_name_that_would_break_the_line(custom):
    (custom / "b" / "two\nlines\x1b[31m é.mp4").touch()
    found = said("scan", "--dataset", "custom", "--root", custom)
    assert "  b/two\\nlines\\x1b[31m é.mp4" in found.out.splitlines()


def test_wrong_words():
    for words in ((), ("--dataset",), ("--dataset", "toy", "--rooot", "x")):
        found = said("scan", *words)
        assert (found.code, found.out) == (2, "")
        assert "--" in found.err
