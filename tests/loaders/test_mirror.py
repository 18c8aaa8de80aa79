"""Mirrored classes: pairs by name, nothing else touched."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from loaders.mirror import UNFLIPPED, mirrored_labels, mirrored_name
from manifests.classes import load_classes

words = st.lists(
    st.sampled_from(["left", "right", "Left", "upright", "push", "to"]), min_size=1, max_size=6
)


@given(words)
def test_twice_mirrored_is_the_same(parts):
    name = " ".join(parts)
    assert mirrored_name(mirrored_name(name)) == name
    assert mirrored_name(name).lower().count("right") == (
        parts.count("left") + parts.count("Left") + parts.count("upright")
    )


def test_the_classes_of_ssv2_that_change_places():
    """The three pairs that MoTE's code swaps (protocols 2), found by their names."""
    names = load_classes("ssv2").names
    found = mirrored_labels(names, names)
    changed = np.flatnonzero(found != np.arange(len(names)))
    assert changed.tolist() == [86, 87, 93, 94, 166, 167]
    assert found[changed].tolist() == [87, 86, 94, 93, 167, 166]


def test_no_other_benchmark_has_such_classes():
    for benchmark in ("ucf101", "hmdb51", "kinetics400", "kinetics600", "activitynet"):
        names = load_classes(benchmark).names
        assert mirrored_labels(names, names).tolist() == list(range(len(names)))


def test_a_class_whose_other_side_is_no_candidate_is_not_flipped():
    official = ("pull left", "wave", "pull right", "pulling it right out")
    candidates = ("pulling it right out", "pull right", "wave")
    assert mirrored_labels(candidates, official).tolist() == [0, UNFLIPPED, 2]
    assert mirrored_labels(("pull right", "pull left"), official).tolist() == [1, 0]
