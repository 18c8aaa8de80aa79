"""Which order of classes a published file was numbered in, by what its sentences say.

::

    number   label list   clip lists   strings that say "ball", which tells them apart
    20       kick ball    kick         none
    21       kick         kick ball    "soccer ball", "ball trajectory"
                                       -> numbered as lists of clips are

Numbers alone tell nothing: some files for HMDB-51 follow its public label list, which swaps kick /
kick ball and sword / sword exercise, others the official order, as lists of clips do. Where no
string tells the two apart, the label list stands, as for most files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from manifests.classes import load_classes
from manifests.protocols import published_lists
from manifests.spelling import split_words

Strings = Mapping[int, Sequence[str]]


@dataclass(frozen=True)
class Order:
    """Official names by number, what the order is called, and how many strings speak for it."""

    names: tuple[str, ...]
    name: str
    witnesses: int = 0


def order_of(published: Strings, benchmark: str, part: str, names: tuple[str, ...]) -> Order:
    """The order that the strings speak for: `names`, of the label list, or that of clip lists."""
    other = _of_clip_lists(benchmark, part)
    if other is None:
        return Order(names, part)
    ours, theirs = _witnesses(published, names, other), _witnesses(published, other, names)
    return Order(other, f"{part}, as clip lists", theirs) if theirs > ours else Order(names, part)


def _of_clip_lists(benchmark: str, part: str) -> tuple[str, ...] | None:
    """The order of a part that lists of clips follow; None where only one order is published."""
    if part == "all":
        return load_classes(benchmark).names
    return published_lists(benchmark).get(f"{part}_list")


def _witnesses(published: Strings, names: Sequence[str], others: Sequence[str]) -> int:
    """Strings with the words that set their class apart from the one another order has there."""
    return sum(
        words <= _words(text)
        for number, words in _apart(names, others)
        for text in published.get(number, ())
    )


def _apart(names: Sequence[str], others: Sequence[str]) -> Iterator[tuple[int, frozenset[str]]]:
    for number, (name, other) in enumerate(zip(names, others, strict=True)):
        if words := _words(split_words(name)) - _words(split_words(other)):
            yield number, words


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.casefold()))
