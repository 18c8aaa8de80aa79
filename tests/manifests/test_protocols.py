"""Zero-shot candidates and published numberings."""

from __future__ import annotations

import csv
from itertools import combinations

import pytest

from manifests.classes import load_classes
from manifests.errors import UserError
from manifests.protocols import ZERO_SHOT_SPLITS, published_order, zero_shot_classes


def test_kinetics600_lists_are_the_published_ones(published):
    for split in ZERO_SHOT_SPLITS:
        path = published / f"ViFi-CLIP/labels/ZS_split{split}_K600.csv"
        with path.open(newline="", encoding="utf-8") as stream:
            names = tuple(row["name"] for row in csv.DictReader(stream))
        assert zero_shot_classes("k600", split) == names


def test_kinetics600_overlaps():
    lists = {split: set(zero_shot_classes("kinetics600", split)) for split in ZERO_SHOT_SPLITS}
    assert [len(names) for names in lists.values()] == [160, 160, 160]
    pairs = [len(lists[a] & lists[b]) for a, b in combinations(ZERO_SHOT_SPLITS, 2)]
    assert sorted(pairs) == [110, 116, 117]
    assert len(set.intersection(*lists.values())) == 80
    assert len(set.union(*lists.values())) == 217


@pytest.mark.parametrize("split", ZERO_SHOT_SPLITS)
def test_kinetics600_candidates_are_new_classes(split):
    names = zero_shot_classes("kinetics600", split)
    assert not set(names) & set(load_classes("kinetics400").names)
    ids = [load_classes("kinetics600").id_of(name) for name in names]
    assert ids == sorted(ids)


@pytest.mark.parametrize("benchmark", ["ucf101", "hmdb51"])
def test_small_sets_keep_all_classes(benchmark):
    assert zero_shot_classes(benchmark, 3) == load_classes(benchmark).names


def test_wrong_words():
    with pytest.raises(UserError, match="no zero-shot split 4"):
        zero_shot_classes("kinetics600", 4)
    with pytest.raises(UserError, match="no zero-shot splits are published for ssv2"):
        zero_shot_classes("ssv2", 1)


def test_published_order_defaults_to_ours():
    assert published_order("kinetics400") == load_classes("kinetics400").names
    with pytest.raises(UserError, match="no base half"):
        published_order("kinetics600", "base")
