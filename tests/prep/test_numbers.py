"""Do numbers contradict names: known numberings, numberings of one's own, and none."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.classes import BENCHMARKS, load_classes
from manifests.numberings import Numbering, list_numberings
from manifests.protocols import published_order
from prep.numbers import OWN, UNTOLD, Truth, Verdict, judge

HMDB = load_classes("hmdb51")


def judged(pairs: Sequence[tuple[int, str]], benchmark: str = "hmdb51", **more) -> Verdict:
    """Judge lines of a number and the class that their clip is of."""
    classes = load_classes(benchmark)
    ids = np.array([number for number, _ in pairs], np.int64)
    named = np.array([classes.id_of(name) for _, name in pairs], np.int64)
    more = {"numberings": list_numberings(classes), "given": False} | more
    return judge(ids, Truth(np.arange(len(pairs)), named), classes, **more)


def numbered(names: Sequence[str], first: int = 0, times: int = 3) -> list[tuple[int, str]]:
    """Some lines of each class, numbered in the order given."""
    return [(number, name) for number, name in enumerate(names, first) for _ in range(times)]


@pytest.mark.parametrize("benchmark", [name for name in BENCHMARKS if name != "toy"])
def test_every_known_numbering_is_found(benchmark):
    for item in list_numberings(load_classes(benchmark)):
        verdict = judged(numbered(item.names, item.first), benchmark)
        assert not verdict.conflicts.any()
        assert verdict.candidates == item.names


def test_equal_numbers_are_of_the_numbering_whose_classes_are_there():
    """Novel classes of HMDB-51 have the same numbers in their half as in the whole."""
    novel = numbered(HMDB.half("novel").names)
    assert judged(novel).numbering == "novel"
    assert judged([*novel, (50, HMDB.names[50])]).numbering == "official"


def test_numbers_of_the_swapped_label_file_contradict():
    """Whole lists, and lists of the four classes alone."""
    swapped = numbered(published_order("hmdb51"))
    for pairs in (swapped, [pair for pair in swapped if pair[0] in (20, 21, 44, 45)]):
        verdict = judged(pairs)
        assert verdict.conflicts.sum() == 12
        told = {(item.number, item.says, item.clips_are) for item in verdict.contradictions}
        assert told == {
            (20, "kick", "kick_ball"),
            (21, "kick_ball", "kick"),
            (44, "sword", "sword_exercise"),
            (45, "sword_exercise", "sword"),
        }
        assert {item.lines for item in verdict.contradictions} == {3}


@given(wrong=st.sets(st.integers(0, 152), max_size=60), seed=st.integers())
def test_wrong_lines_are_the_conflicts(wrong, seed):
    """Whichever lines have another number than their class, as long as most are right."""
    draw = random.Random(seed)
    pairs = numbered(HMDB.names)
    draw.shuffle(pairs)
    broken = [
        ((number + draw.randrange(1, 51)) % 51 if line in wrong else number, name)
        for line, (number, name) in enumerate(pairs)
    ]
    verdict = judged(broken)
    assert set(np.flatnonzero(verdict.conflicts).tolist()) == wrong
    assert sum(item.lines for item in verdict.contradictions) == len(wrong)


@given(benchmark=st.sampled_from(["hmdb51", "ucf101"]), which=st.integers(0, 9), seed=st.integers())
def test_numbers_permuted_over_all_classes_contradict(benchmark, which, seed):
    """Of a whole list, or of a half under its own numbers: each line whose number has moved."""
    numberings = list_numberings(load_classes(benchmark))
    item = numberings[which % len(numberings)]
    draw = random.Random(seed)
    names = draw.sample(item.names, len(item.names))
    order = next(n.names for n in numberings if set(n.names) == set(names))
    moved = sum(map(str.__ne__, names, order))
    verdict = judged(numbered(names, item.first), benchmark)
    assert verdict.conflicts.sum() == 3 * moved
    if 2 * moved > len(names):
        assert verdict.numbering.startswith("none that is known")


@given(seed=st.integers())
def test_some_lines_of_a_permuted_list_contradict(seed):
    """Not every class is among them: the numbers have gaps and are no numbering of their own."""
    draw = random.Random(seed)
    names = draw.sample(HMDB.names, len(HMDB))
    pairs = draw.sample(numbered(names), 110)
    verdict = judged(pairs)
    wrong = [HMDB.names[number] != name for number, name in pairs]
    assert verdict.conflicts.tolist() == wrong


@given(first=st.integers(0, 49), some=st.integers(1, 40), more=st.integers(1, 40))
def test_two_neighbours_swapped_contradict(first, some, more):
    """Whichever has more lines: one of the two agrees with a count from 1."""
    one, other = HMDB.names[first : first + 2]
    swapped = [(first + 1, one)] * some + [(first, other)] * more
    assert judged(swapped).conflicts.all()
    assert judged([(first + 1, one)] * some).conflicts.all()


def test_the_four_swapped_classes_alone_with_unequal_lines():
    swapped = published_order("hmdb51")
    lines = {20: 30, 21: 40, 44: 30, 45: 70}
    pairs = [(number, swapped[number]) for number, n in lines.items() for _ in range(n)]
    verdict = judged(pairs)
    assert verdict.conflicts.all()
    assert {item.says for item in verdict.contradictions} == {swapped[number] for number in lines}


def test_counts_from_1_are_found():
    ones = [(number + 1, name) for number, name in numbered(HMDB.names)]
    verdict = judged(ones)
    assert (verdict.numbering, verdict.conflicts.any()) == ("official, from 1", False)
    some = judged(ones[30:60])
    assert (some.numbering, some.conflicts.any()) == ("official, from 1", False)


def test_halves_in_official_order_are_known():
    """As an exported subset of a half has them."""
    for half in ("base", "novel"):
        names = load_classes("ucf101").half(half).names
        verdict = judged(numbered(names, times=1), "ucf101")
        assert (verdict.candidates, verdict.conflicts.any()) == (names, False)


def test_huge_numbers_cost_nothing_and_minus_one_says_nothing():
    pairs = [*numbered(HMDB.names), (999_999_999, "kick"), (-1, "run")]
    verdict = judged(pairs)
    assert np.flatnonzero(verdict.conflicts).tolist() == [len(pairs) - 2]
    told = verdict.contradictions[0]
    assert (told.number, told.says, told.clips_are) == (999_999_999, "no class", "kick")
    assert judged([(-1, "run")]).numbering == UNTOLD


@given(names=st.lists(st.sampled_from(HMDB.names), min_size=3, max_size=30, unique=True))
def test_halves_that_somebody_drew_have_a_numbering_of_their_own(names):
    verdict = judged(numbered(names, times=2))
    if verdict.numbering == OWN:
        assert not verdict.conflicts.any()
        assert verdict.candidates == tuple(names)
    elif verdict.numbering.startswith("none"):  # a known one has these numbers for these classes
        alike = (n.names[: len(names)] for n in list_numberings(HMDB) if not n.first)
        assert any(set(known) == set(names) for known in alike)
    else:  # most lines happen to follow one that is known
        assert 2 * verdict.conflicts.sum() < len(verdict.conflicts)


def test_a_numbering_of_its_own_names_its_candidates():
    names = HMDB.names[40:20:-1]
    verdict = judged(numbered(names, times=2))
    assert (verdict.numbering, verdict.candidates) == (OWN, names)
    assert not verdict.conflicts.any()
    assert judged(numbered(names, first=1, times=2)).candidates == names
    gaps = [(3 * number, name) for number, name in numbered(names, times=2)]
    assert (judged(gaps).numbering, judged(gaps).candidates) == (OWN, ())
    wrong = judged([*numbered(names, times=2), (0, HMDB.names[0])])
    assert wrong.conflicts.nonzero()[0].tolist() == [40]


@pytest.mark.parametrize(
    "pairs",
    [
        [(21, "kick"), (20, "kick_ball")],  # too few lines to be a numbering
        [(7, "kick")],
        numbered([*HMDB.names[1:], HMDB.names[0]]),  # the official numbers at other classes
        [(number % 3, name) for number, name in numbered(HMDB.names[5:30])],  # no numbering
    ],
)
def test_numbers_that_no_numbering_explains_contradict(pairs):
    verdict = judged(pairs)
    assert 2 * verdict.conflicts.sum() > len(pairs)
    assert verdict.numbering.startswith("none that is known")


def test_a_label_file_is_held_to():
    mine = (Numbering("mine.csv", ("kick", "sword"), 1),)
    verdict = judged([(1, "kick"), (2, "kick"), (9, "sword")], numberings=mine, given=True)
    assert (verdict.numbering, verdict.candidates) == ("mine.csv", ("kick", "sword"))
    assert verdict.conflicts.tolist() == [False, True, True]
    told = [(item.number, item.says, item.clips_are) for item in verdict.contradictions]
    assert told == [(2, "sword", "kick"), (9, "no class", "sword")]


def test_a_line_of_several_clips_agrees_with_any_of_them():
    """A video of ActivityNet may hold several classes."""
    classes = load_classes("activitynet")
    truth = Truth(np.array([0, 0, 1]), np.array([3, 7, 5]))
    verdict = judge(np.array([7, 5]), truth, classes, list_numberings(classes), given=False)
    assert not verdict.conflicts.any()


def test_nothing_known_is_not_told():
    none = np.array([], np.int64)
    verdict = judge(np.array([3]), Truth(none, none), HMDB, list_numberings(HMDB), given=False)
    assert (verdict.numbering, verdict.conflicts.tolist()) == (UNTOLD, [False])
