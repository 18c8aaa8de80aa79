"""The subsets of the four protocols, on small sets under the real names of benchmarks."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from manifests.classes import BENCHMARKS, load_classes
from manifests.protocols import PROTOCOLS, protocol_row, zero_shot_classes
from shards.store import ShardStore
from shards.subsets import load_subset, read_subset
from tests.prep.commands.said import Said, refused, said
from tests.train.named_set import named_shards

THREE = ("train1", "test1", "train2", "test2", "train3", "test3")


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few clips of every class of HMDB-51, Kinetics and ActivityNet."""
    shards = tmp_path_factory.mktemp("shards")
    members = [("train1", "train2", "test3"), ("train1", "test2", "train3"), ("test1", "train2")]
    named_shards(shards, "hmdb51", THREE, members)
    named_shards(shards, "kinetics400", ("train", "val"), [["train"], ["val"]])
    named_shards(shards, "kinetics600", ("val", "test"), [["val"], ["test"]])
    named_shards(shards, "activitynet", ("train", "val", "test"), [["train"], ["train"], ["val"]])
    return shards


@pytest.fixture
def shards(ready: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ready, tmp_path / "shards"))


def _draw(shards: Path, *words: object) -> Said:
    found = said("subset", *words, "--shards", shards, "--json")
    assert found.code == 0, found.err
    return found


def _checked(shards: Path, found: Said) -> dict[str, int]:
    """Every subset of a report is on disk, whole, and drawn again to the same; clips by name."""
    benchmark = found.json["benchmark"]
    store = ShardStore.open(shards / benchmark)
    for item in found.json["subsets"]:
        subset = load_subset(store, item["name"])
        assert subset.hash == item["hash"]
        assert (subset.labels(store) >= 0).all()
        again = said("subset", "check", item["name"], "--dataset", benchmark, "--shards", shards)
        assert again.code == 0, again.out
        assert "a new draw gives the same" in again.out
    return {item["name"]: item["clips"] for item in found.json["subsets"]}


def test_base_novel(shards):
    found = _draw(shards, "base-novel", "--dataset", "hmdb51", "--shots", 1, "--seeds", 3, 1, 3)
    assert _checked(shards, found) == {
        "base-few-shot-train1-1-seed1": 26,
        "base-few-shot-train1-1-seed3": 26,
        "test1-base": 26,
        "test1-novel": 25,
    }
    classes = load_classes("hmdb51")
    store = ShardStore.open(shards / "hmdb51")
    for half in ("base", "novel"):
        subset = load_subset(store, f"test1-{half}")
        assert subset.classes == classes.half(half).names
        assert sorted(subset.labels(store).tolist()) == list(range(len(subset.classes)))
    draws = [load_subset(store, f"base-few-shot-train1-1-seed{seed}") for seed in (1, 3)]
    assert draws[0].rows.tolist() != draws[1].rows.tolist()
    assert draws[0].classes == classes.half("base").names


def test_seeds_are_three_unless_told_otherwise(shards):
    words = ("base-novel", "--dataset", "hmdb51", "--allow-fewer")
    names = list(_checked(shards, _draw(shards, *words)))
    assert names[:3] == [f"base-few-shot-train1-16-seed{seed}" for seed in (1, 2, 3)]


@pytest.mark.parametrize("benchmark", ["hmdb51", "k600"])
def test_zero_shot_has_three_splits(shards, benchmark):
    found = _draw(shards, "zero-shot", "--dataset", benchmark)
    sizes = _checked(shards, found)
    name = found.json["benchmark"]
    official = ["test1", "test2", "test3"] if name == "hmdb51" else ["test"] * 3
    splits = enumerate(official, start=1)
    assert list(sizes) == [f"{split}-zero-shot-{number}" for number, split in splits]
    assert set(sizes.values()) == {51 if name == "hmdb51" else 160}
    for number, subset in enumerate(sizes, start=1):
        drawn = read_subset(shards / name, subset)
        assert drawn.classes == zero_shot_classes(name, number)
        assert drawn.parameters["split"] == official[number - 1]


def test_zero_shot_of_activitynet_and_of_the_training_side(shards):
    assert _checked(shards, _draw(shards, "zero-shot", "--dataset", "anet")) == {
        "val-zero-shot-1": 200
    }
    assert _checked(shards, _draw(shards, "zero-shot", "--dataset", "k400")) == {"train": 400}


@pytest.mark.parametrize(
    ("benchmark", "sizes"),
    [
        ("hmdb51", {"train1": 102, "test1": 51}),
        ("activitynet", {"train": 400, "val": 200}),
        ("kinetics400", {"train": 400, "val": 400}),
    ],
)
def test_full(shards, benchmark, sizes):
    assert _checked(shards, _draw(shards, "full", "--dataset", benchmark)) == sizes


@pytest.mark.parametrize(("benchmark", "split"), [("hmdb51", "train1"), ("activitynet", "train")])
def test_few_shot_draws_from_the_usual_split(shards, benchmark, split):
    found = _draw(shards, "few-shot", "--dataset", benchmark, "--shots", 1)
    assert list(_checked(shards, found)) == [f"few-shot-{split}-1-seed1"]


def test_the_same_words_change_nothing(shards):
    for words in (("base-novel", "--shots", 1), ("zero-shot",), ("full",)):
        first = _draw(shards, *words, "--dataset", "hmdb51").json["subsets"]
        again = _draw(shards, *words, "--dataset", "hmdb51").json["subsets"]
        assert all(item["new"] for item in first) or words == ("zero-shot",)
        assert not any(item["new"] for item in again)
        assert [item["hash"] for item in again] == [item["hash"] for item in first]


def test_what_does_not_exist_is_one_line(shards):
    def line(*words: object) -> str:
        return refused("subset", *words, "--shards", shards)

    assert "no base half" in line("base-novel", "--dataset", "k600", "--shots", 1, "--split", "val")
    assert "fewer than 16 clips in train1" in line("base-novel", "--dataset", "hmdb51")
    assert "no seed" in line("base-novel", "--dataset", "hmdb51", "--seeds")
    assert "no split 'train'" in line("full", "--dataset", "k600")
    named_shards(shards, "ssv2", ("train", "val"), [["train"]])
    assert "ssv2 has no part in the zero-shot" in line("zero-shot", "--dataset", "ssv2")
    assert "no clip of val is stored" in line("full", "--dataset", "ssv2")
    assert not (shards / "ssv2" / "subsets").exists()


def test_check_finds_a_set_that_has_grown(shards):
    """A whole split that was written when fewer clips were stored."""
    store = ShardStore.open(shards / "hmdb51")
    _draw(shards, "full", "--dataset", "hmdb51")
    whole = load_subset(store, "test1")
    fewer = replace(whole, rows=whole.rows[1:], keys=whole.keys[1:], name="earlier")
    fewer.save(store.folder)
    found = said("subset", "check", "earlier", "--dataset", "hmdb51", "--shards", shards)
    assert (found.code, "a new draw gives 51 clips, 1 of them" in found.out) == (1, True)


# the table


def test_the_table_says_what_exists():
    rows = {(row["benchmark"], row["protocol"]): row for row in _table()}
    assert ("activitynet", "base-novel") not in rows and ("kinetics600", "base-novel") not in rows
    assert ("ssv2", "zero-shot") not in rows
    assert rows["kinetics600", "zero-shot"]["classes"] == [160, 160, 160]
    assert rows["kinetics400", "base-novel"]["classes"] == [200, 200]
    assert rows["hmdb51", "zero-shot"]["tests"] == ["test1", "test2", "test3"]
    own = [protocol for name, protocol in rows if name == "activitynet"]
    assert own == ["few-shot", "zero-shot", "full"]
    assert not any(rows["activitynet", protocol]["in_paper"] for protocol in own)
    lines = [line for line in said("subset", "protocols").out.splitlines() if "activity" in line]
    assert [line.endswith("not in the paper") for line in lines] == [True] * 3


def _table() -> list[dict[str, object]]:
    return said("subset", "protocols", "--json").json["protocols"]


def test_every_cell_of_the_table_can_be_drawn(shards):
    """What the table says is what the commands give, for the sets at hand."""
    for benchmark in ("hmdb51", "kinetics400", "activitynet"):
        for protocol in PROTOCOLS:
            row = protocol_row(benchmark, protocol)
            if row is None:
                continue
            words = ["--shots", 1] if protocol in ("few-shot", "base-novel") else []
            found = _draw(shards, protocol, "--dataset", benchmark, *words).json["subsets"]
            splits = {item["parameters"]["split"] for item in found}
            expected = {row.train} - {""} if protocol == "few-shot" else {row.train, *row.tests}
            assert splits == expected - {""}


def test_every_benchmark_has_few_shot_and_full():
    for name in BENCHMARKS:
        assert protocol_row(name, "few-shot") and protocol_row(name, "full")
    assert np.unique([row["benchmark"] for row in _table()]).tolist() == sorted(BENCHMARKS[:-1])
