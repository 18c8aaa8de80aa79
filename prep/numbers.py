"""Do the class numbers of a list contradict the names of its clips?

What a line names is told by the folder in it, or by the official annotation of its clip; never by
the number. The numbers are held against every numbering that lists are known to be written in, and
the one that most lines follow is taken as theirs; a line that does not follow it is a *conflict*.
A label file (--labels) takes the place of all of these. Where no known numbering explains most
lines, the list may count in a way of its own, as halves drawn by somebody else do: each number
then stands for the class that most of its lines are of. That is granted only where lines bear it
out, see ``_is_numbering``; numbers that merely stand elsewhere contradict the names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from manifests.classes import ClassList
from manifests.numberings import Numbering
from prep.benchmarks.layout import Bools, Ints

OWN = "one of its own: each number stands for the class most of its lines are of"
NONE = "none: the list has no numbers"
UNTOLD = "not told: no clip of known class"


@dataclass(frozen=True)
class Truth:
    """What the clips of a list are: pairs of line and official class id, several a line at most."""

    lines: Ints  # (P,), ascending
    class_ids: Ints  # (P,)


@dataclass(frozen=True)
class Contradiction:
    """Lines of one kind: a number, the class it stands for, and the class their clips are of."""

    number: int
    says: str
    clips_are: str
    lines: int


@dataclass(frozen=True)
class Verdict:
    """The numbering that the numbers follow, and the lines that do not; (N,) lines in all.

    ``candidates`` are the classes the numbers count among, none where that is not known.
    """

    numbering: str
    candidates: tuple[str, ...]
    conflicts: Bools
    contradictions: tuple[Contradiction, ...]


def judge(
    ids: Ints, truth: Truth, classes: ClassList, numberings: Sequence[Numbering], *, given: bool
) -> Verdict:
    """Find the numbering of ``ids``, int64 (N,), and the lines that contradict it.

    ``given`` means that the numberings are what somebody says they are, to be held to.
    """
    count = len(ids)
    if not len(truth.lines):
        return Verdict(UNTOLD, (), np.zeros(count, bool), ())
    best = _best(ids, truth, classes, numberings)
    table = _table(best, classes, int(ids.max()))
    agrees = _agrees(table, ids, truth)
    known = np.bincount(truth.lines, minlength=count) > 0
    name, candidates = best.name, best.names
    if not given and 2 * int(agrees.sum()) <= int(known.sum()):
        own = _majority(ids, truth, len(classes))
        own_agrees = _agrees(own, ids, truth)
        if _is_numbering(own, own_agrees, known):
            table, agrees, name, candidates = own, own_agrees, OWN, _counted(own, classes)
        else:
            table = _table(numberings[0], classes, int(ids.max()))
            agrees = _agrees(table, ids, truth)
            name, candidates = f"none that is known, so held against: {numberings[0].name}", ()
    conflicts = known & ~agrees
    return Verdict(name, candidates, conflicts, _told(table, ids, truth, conflicts, classes))


def candidates_of(truth: Truth, classes: ClassList, numberings: Sequence[Numbering]) -> Numbering:
    """The numbering whose classes are just those present, else the first: for lists without."""
    present = {classes.names[number] for number in np.unique(truth.class_ids).tolist()}
    return next((item for item in numberings if set(item.names) == present), numberings[0])


def _best(
    ids: Ints, truth: Truth, classes: ClassList, numberings: Sequence[Numbering]
) -> Numbering:
    """The numbering that most lines follow; of equals one of just the classes there, or the first.

    Novel classes of HMDB-51 have the same numbers in their half as in the whole.
    """
    scores = [
        int(_agrees(_table(item, classes, int(ids.max())), ids, truth).sum()) for item in numberings
    ]
    equals = [item for item, score in zip(numberings, scores, strict=True) if score == max(scores)]
    return candidates_of(truth, classes, equals)


def _table(numbering: Numbering, classes: ClassList, largest: int) -> Ints:
    """Official class id of each number from 0 to ``largest``, -1 where it stands for nothing."""
    table = np.full(max(largest + 1, numbering.first + len(numbering.names)), -1, np.int64)
    official = [classes.id_of(name) for name in numbering.names]
    table[numbering.first : numbering.first + len(official)] = official
    return table


def _majority(ids: Ints, truth: Truth, classes: int) -> Ints:
    table = np.full(int(ids.max()) + 1, -1, np.int64)
    pairs, counts = np.unique(ids[truth.lines] * classes + truth.class_ids, return_counts=True)
    order = np.lexsort((pairs, counts))  # the commonest pair of a number is written last
    table[pairs[order] // classes] = pairs[order] % classes
    return table


def _is_numbering(table: Ints, agrees: Bools, known: Bools) -> bool:
    """Whether numbers that follow no known numbering are one of their own.

    Each number is one class and no other number's, most lines agree, and there are two for each
    number at least. Numbers that are the official ones of just these classes, each at another
    class, are not: that is how public label files swap kick and kick_ball.
    """
    numbers = np.flatnonzero(table >= 0)
    named = np.unique(table[numbers])
    if len(named) < len(numbers) or np.array_equal(named, numbers):
        return False
    lines = int(agrees.sum())
    return 2 * lines >= int(known.sum()) and lines >= 2 * len(numbers)


def _counted(table: Ints, classes: ClassList) -> tuple[str, ...]:
    """Class names of a numbering without gaps, from 0 or 1; none where it has some."""
    numbers = np.flatnonzero(table >= 0)
    if numbers[0] > 1 or len(numbers) != numbers[-1] - numbers[0] + 1:
        return ()
    return tuple(classes.names[number] for number in table[numbers].tolist())


def _agrees(table: Ints, ids: Ints, truth: Truth) -> Bools:
    """Lines whose number stands for a class of their clip, bool (N,)."""
    equal = table[ids[truth.lines]] == truth.class_ids
    agrees: Bools = np.bincount(truth.lines[equal], minlength=len(ids)) > 0
    return agrees


def _told(
    table: Ints, ids: Ints, truth: Truth, conflicts: Bools, classes: ClassList
) -> tuple[Contradiction, ...]:
    """Contradictions by number and class, those of most lines first."""
    first = np.unique(truth.lines, return_index=True)[1]
    first = first[conflicts[truth.lines[first]]]
    kinds = Counter(
        zip(ids[truth.lines[first]].tolist(), truth.class_ids[first].tolist(), strict=True)
    )
    return tuple(
        Contradiction(number, _name(int(table[number]), classes), classes.names[class_id], lines)
        for (number, class_id), lines in sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
    )


def _name(class_id: int, classes: ClassList) -> str:
    return classes.names[class_id] if class_id >= 0 else "no class"
