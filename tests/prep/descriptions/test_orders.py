"""The order of a file's classes is the one that its sentences speak for."""

from __future__ import annotations

import pytest

from manifests.classes import load_classes
from manifests.protocols import published_lists, published_order
from manifests.spelling import split_words
from prep.descriptions.orders import order_of

LABELS = published_order("hmdb51")
CLIPS = load_classes("hmdb51").names


def told(names: tuple[str, ...]) -> dict[int, tuple[str, ...]]:
    return {i: ("Something.", f"A video about {split_words(n)}!") for i, n in enumerate(names)}


@pytest.mark.parametrize("names", [LABELS, CLIPS])
def test_either_order_of_hmdb_is_found(names):
    assert LABELS != CLIPS
    order = order_of(told(names), "hmdb51", "all", LABELS)
    assert order.names == names
    assert bool(order.witnesses) == (names == CLIPS)


@pytest.mark.parametrize("half", ["base", "novel"])
def test_halves_too(half):
    labels, clips = published_order("hmdb51", half), published_lists("hmdb51")[f"{half}_list"]
    assert labels != clips
    for names in (labels, clips):
        assert order_of(told(names), "hmdb51", half, labels).names == names


def test_the_label_list_stands_when_nothing_speaks():
    silent = dict.fromkeys(range(len(LABELS)), ("Something.",))
    assert order_of(silent, "hmdb51", "all", LABELS).names == LABELS


def test_where_one_order_is_published_there_is_no_vote():
    labels = published_order("ssv2", "novel")
    assert order_of(told(labels[::-1]), "ssv2", "novel", labels).names == labels
