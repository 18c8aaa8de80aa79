"""Subsets of whole official lists, drawn and imported: sizes, classes, candidates, gaps.

The sets of shards hold every clip of the official list, under its own name, as one small picture.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from manifests.protocols import published_lists, published_order
from prep.benchmarks import official_list
from shards.store import ShardStore
from shards.subsets import load_subset
from tests.prep.commands.said import said
from tests.train.named_set import column_shards


@pytest.fixture(scope="module")
def shards(annotations, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    for benchmark in ("hmdb51", "ucf101"):
        source = annotations / benchmark
        columns = official_list(benchmark, source, source).columns
        column_shards(folder, benchmark, columns, columns.names)
    return folder


def run(shards: Path, *words: object) -> dict:
    found = said("subset", *words, "--shards", shards, "--json")
    assert found.code == 0, found.err
    return found.json


def sizes(told: dict) -> dict[str, tuple[int, int]]:
    """Clips and classes by the name of a subset."""
    return {item["name"]: (item["clips"], item["classes"]) for item in told["subsets"]}


@pytest.mark.parametrize(
    ("benchmark", "classes", "base", "novel", "tests"),
    [
        ("hmdb51", 51, (780, 26), (750, 25), (1530, 1530, 1530)),
        ("ucf101", 101, (2088, 51), (1695, 50), (3783, 3734, 3696)),
    ],
)
def test_every_protocol_has_its_published_size(shards, benchmark, classes, base, novel, tests):
    few = run(shards, "few-shot", "--dataset", benchmark, "--shots", 2, 4, 8, 16, "--seed", 7)
    assert sizes(few) == {
        f"few-shot-train1-{shots}-seed7": (shots * classes, classes) for shots in (2, 4, 8, 16)
    }
    halves = run(shards, "base-novel", "--dataset", benchmark)
    draws = {f"base-few-shot-train1-16-seed{seed}": (16 * base[1], base[1]) for seed in (1, 2, 3)}
    assert sizes(halves) == {**draws, "test1-base": base, "test1-novel": novel}
    hashes = {item["hash"] for item in halves["subsets"]}
    assert len(hashes) == len(halves["subsets"])
    zero = run(shards, "zero-shot", "--dataset", benchmark)
    assert sizes(zero) == {
        f"test{split}-zero-shot-{split}": (tests[split - 1], classes) for split in (1, 2, 3)
    }
    full = sizes(run(shards, "full", "--dataset", benchmark))
    assert full["test1"] == (tests[0], classes)
    for name in (*sizes(few), *sizes(halves), *sizes(zero), *full):
        run(shards, "check", name, "--dataset", benchmark)


@pytest.mark.parametrize("benchmark", ["hmdb51", "ucf101"])
@pytest.mark.parametrize("half", ["base", "novel"])
def test_published_halves_are_the_drawn_ones(shards, published, benchmark, half):
    """The same clips; candidates of the same half, in the order of the published numbers."""
    short = benchmark.rstrip("0123456789")
    folder = published / f"ViFi-CLIP/datasets_splits/base2novel_splits/{short}_splits"
    path = folder / f"{half}_val.txt"
    if not path.exists():
        pytest.skip(f"{path} is not at hand")
    told = run(shards, "import", path, "--dataset", benchmark, "--name", f"vifi-{half}", "--anew")
    run(shards, "base-novel", "--dataset", benchmark)
    store = ShardStore.open(shards / benchmark)
    mine, drawn = (load_subset(store, name) for name in (f"vifi-{half}", f"test1-{half}"))
    order = published_lists(benchmark).get(f"{half}_list", published_order(benchmark, half))
    assert mine.classes == order
    assert set(mine.classes) == set(drawn.classes)
    if told["listed"] == len(drawn):
        assert mine.rows.tolist() == drawn.rows.tolist()
    fields = [line.split() for line in path.read_text().splitlines() if line.strip()]
    number = {Path(clip).stem.lower(): int(number) for clip, number in fields}
    names = store.samples(["name"])["name"].combine_chunks()
    clips = [n.lower() for n in names.take(pa.array(store.index_of(mine.rows))).to_pylist()]
    assert sorted(clips) == sorted(number)
    if not told["conflicts"]:  # labels are the numbers of the list
        assert [number[clip] for clip in clips] == mine.labels(store).tolist()
