"""Every label file that somebody published: the classes are ours, under numbers that we know of."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from manifests.classes import load_classes
from manifests.protocols import published_order, zero_shot_classes

_BENCHMARKS = {
    "hmdb51": "hmdb",
    "ucf101": "ucf",
    "ssv2": "ssv2|sthv2",
    "activitynet": "activitynet|anet",
    "kinetics600": "k160|k600|kinetics_600",
    "kinetics400": "k400|kinetics_400",
}
_LABELS = re.compile(
    r".*(labels(_split\d)?|classes|class_mappings|label_map|_k[46]00)\.(csv|txt|json)"
    r"|.*(cls2index|index2cls|classmap|label2name)\.json|category\.txt"
)
# Halves have a test of their own; closed and open sets are of a protocol that is not ours.
_OTHER_PROTOCOLS = re.compile(r"_(base|novel)_labels|k200-|ZS_")


def label_files(published: Path) -> list[tuple[str, Path]]:
    """Label files of whole benchmarks and of zero-shot lists, and the benchmark of each."""
    found = []
    for path in sorted(published.rglob("*")):
        where = path.relative_to(published).as_posix().lower()
        if _LABELS.fullmatch(path.name) and not _OTHER_PROTOCOLS.search(path.name):
            mine = [name for name, words in _BENCHMARKS.items() if re.search(words, where)]
            found += [(name, path) for name in mine[:1]]
    return found


def by_number(path: Path) -> list[str]:
    """Names in the order of their numbers, whatever the form of the file."""
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix == ".csv":
        rows = [(row[0], ",".join(row[1:])) for row in csv.reader(text.splitlines()[1:])]
        return [name for _, name in sorted(rows, key=lambda row: int(row[0]))]
    if path.suffix == ".txt":
        return [line.strip() for line in text.splitlines() if line.strip()]
    content = json.loads(text)
    if isinstance(content, list):
        return content
    pairs = [(key, name) if key.isdigit() else (name, key) for key, name in content.items()]
    return [str(name) for _, name in sorted(pairs, key=lambda pair: int(pair[0]))]


def zero_shot_split(path: Path) -> int:
    found = re.search(r"split_?(\d)", path.as_posix())
    return int(found[1]) if found else 0


def test_every_label_file(published):
    """Whole lists hold all of our classes, each once; zero-shot lists hold those of their split."""
    seen = []
    for benchmark, path in label_files(published):
        classes = load_classes(benchmark)
        names = [classes.names[classes.id_of(name)] for name in by_number(path)]
        split = zero_shot_split(path.relative_to(published))
        if len(names) == len(classes):
            assert sorted(names) == sorted(classes.names), path
        else:
            assert names == list(zero_shot_classes(benchmark, split)), path
        seen.append((benchmark, len(names) == len(classes), split))
    assert {benchmark for benchmark, *_ in seen} == set(_BENCHMARKS)
    assert {split for _, whole, split in seen if not whole} >= {1, 2}


@pytest.mark.parametrize("benchmark", ["hmdb51", "ucf101", "kinetics400"])
def test_numbers_are_ours_or_the_published_ones(benchmark, published):
    """Two numberings of HMDB-51 are about, and one of the others: no third may pass unseen."""
    known = {load_classes(benchmark).names, published_order(benchmark)}
    classes = load_classes(benchmark)
    found = {
        tuple(classes.names[classes.id_of(name)] for name in by_number(path))
        for name, path in label_files(published)
        if name == benchmark
    }
    assert found == known
