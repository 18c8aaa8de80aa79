"""Do the class numbers of a list contradict the names of its clips?

What a line names is told by the folder in it, or by the official annotation of its clip; never by
the number. The numbers are held against every numbering that lists are known to be written in, and
the one that most lines follow, and the lines of most classes, is taken as theirs; a line that does
not follow it is a *conflict*. A label file (--labels) takes the place of all of these.

Where no known numbering explains the list, it may count in a way of its own, as halves drawn by
somebody else do: each number then stands for the class that most of its lines are of. That is
granted only where lines bear it out and no known numbering has the same numbers for the same
classes, see ``_is_numbering``; numbers that merely stand elsewhere contradict the names.
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


@dataclass(frozen=True)
class _Numbered:
    """The numbers of a list, each once and ascending, (U,); which of them each line has, (N,).

    A *table* says what the numbers stand for: official class ids, int64 (U,), -1 for no class.
    """

    numbers: Ints
    of_line: Ints
    truth: Truth

    def agrees(self, table: Ints) -> Bools:
        """Lines whose number stands for a class of their clip, bool (N,)."""
        equal = table[self.of_line[self.truth.lines]] == self.truth.class_ids
        count = len(self.of_line)
        agrees: Bools = np.bincount(self.truth.lines[equal], minlength=count) > 0
        return agrees

    @property
    def known(self) -> Bools:
        """Lines that name a class at all, bool (N,)."""
        known: Bools = np.bincount(self.truth.lines, minlength=len(self.of_line)) > 0
        return known


def judge(
    ids: Ints, truth: Truth, classes: ClassList, numberings: Sequence[Numbering], *, given: bool
) -> Verdict:
    """Find the numbering of ``ids``, int64 (N,), and the lines that contradict it.

    Lines of the number -1 tell no class. ``given`` means that the numberings are what somebody
    says they are, to be held to.
    """
    told = ids[truth.lines] >= 0
    truth = Truth(truth.lines[told], truth.class_ids[told])
    if not len(truth.lines):
        return Verdict(UNTOLD, (), np.zeros(len(ids), bool), ())
    lines = _Numbered(*np.unique(ids, return_inverse=True), truth)
    name, candidates, table = _followed(lines, classes, numberings, given)
    conflicts = lines.known & ~lines.agrees(table)
    return Verdict(name, candidates, conflicts, _told(table, lines, conflicts, classes))


def _followed(
    lines: _Numbered, classes: ClassList, numberings: Sequence[Numbering], given: bool
) -> tuple[str, tuple[str, ...], Ints]:
    """Name, candidates and table of the numbering that the lines are held to."""
    named = len(np.unique(lines.truth.class_ids))
    numberings = [item for item in numberings if item.least <= named]
    best = _best(lines, classes, numberings)
    table = _table(best, classes, lines.numbers)
    if given or _explains(table, lines, best.least):
        return best.name, best.names, table
    own = _majority(lines, len(classes))
    alike = [item for item in numberings if _counts_alike(item, classes, lines, own)]
    if not alike and _is_numbering(own, lines, len(classes)):
        return OWN, _counted(own, lines.numbers, classes), own
    held = (alike or numberings)[0]
    name = f"none that is known, so held against: {held.name} (--labels FILE names another)"
    return name, held.names, _table(held, classes, lines.numbers)


def candidates_of(truth: Truth, classes: ClassList, numberings: Sequence[Numbering]) -> Numbering:
    """The numbering whose classes are just those present, else the first: for lists without."""
    present = {classes.names[number] for number in np.unique(truth.class_ids).tolist()}
    return next((item for item in numberings if set(item.names) == present), numberings[0])


def _best(lines: _Numbered, classes: ClassList, numberings: Sequence[Numbering]) -> Numbering:
    """The numbering that most lines follow; of equals one of just the classes there, or the first.

    Novel classes of HMDB-51 have the same numbers in their half as in the whole.
    """
    scores = [int(lines.agrees(_table(item, classes, lines.numbers)).sum()) for item in numberings]
    equals = [item for item, score in zip(numberings, scores, strict=True) if score == max(scores)]
    return candidates_of(lines.truth, classes, equals)


def _table(numbering: Numbering, classes: ClassList, numbers: Ints) -> Ints:
    official = np.array([*map(classes.id_of, numbering.names), -1], np.int64)
    places = numbers - numbering.first
    within = (places >= 0) & (places < len(numbering.names))
    return official[np.where(within, places, -1)]


def _explains(table: Ints, lines: _Numbered, least: int) -> bool:
    """Whether most lines agree, and most lines of most classes, ``least`` classes anyway.

    Lines alone do not tell: where kick and kick_ball are swapped, one of them agrees with a count
    from 1, and it may have more lines than the other.
    """
    agrees, truth = lines.agrees(table), lines.truth
    of_class = np.bincount(truth.class_ids)
    right = np.bincount(truth.class_ids, weights=agrees[truth.lines])
    explained = int((2 * right > of_class).sum())
    most = 2 * int(agrees.sum()) > int(lines.known.sum())
    return most and explained >= max(least, int((of_class > 0).sum()) // 2 + 1)


def _majority(lines: _Numbered, classes: int) -> Ints:
    """The class that most lines of each number are of, as a table."""
    truth = lines.truth
    table = np.full(len(lines.numbers), -1, np.int64)
    mine = lines.of_line[truth.lines] * classes + truth.class_ids
    pairs, counts = np.unique(mine, return_counts=True)
    order = np.lexsort((pairs, counts))  # the commonest pair of a number is written last
    table[pairs[order] // classes] = pairs[order] % classes
    return table


def _counts_alike(item: Numbering, classes: ClassList, lines: _Numbered, own: Ints) -> bool:
    """Whether a known numbering has just these numbers for just these classes, in any order."""
    used = own >= 0
    theirs = _table(item, classes, lines.numbers[used])
    return np.array_equal(np.unique(theirs), np.unique(own[used]))


def _is_numbering(own: Ints, lines: _Numbered, classes: int) -> bool:
    """Whether numbers that follow no known numbering are one of their own.

    Each of two numbers or more is one class and no other number's, most lines agree, and there are
    two for each number at least. The numbers count some classes from 0 or 1 with hardly a gap and
    leave out a tenth, or reach past the last class; else they are official ones, at other classes.
    """
    used = own >= 0
    numbers = lines.numbers[used]
    if len(np.unique(own[used])) < len(numbers) or len(numbers) < 2:
        return False
    agree = int(lines.agrees(own).sum())
    if 2 * agree < int(lines.known.sum()) or agree < 2 * len(numbers):
        return False
    first, last = min(int(numbers[0]), 1), int(numbers[-1])
    gaps, left = last - first + 1 - len(numbers), classes - last
    some = 10 * left >= classes and 4 * gaps <= min(len(numbers), left)
    return some or last > classes


def _counted(table: Ints, numbers: Ints, classes: ClassList) -> tuple[str, ...]:
    """Class names of a numbering without gaps, from 0 or 1; none where it has some."""
    numbers, table = numbers[table >= 0], table[table >= 0]
    if numbers[0] > 1 or len(numbers) != numbers[-1] - numbers[0] + 1:
        return ()
    return tuple(classes.names[number] for number in table.tolist())


def _told(
    table: Ints, lines: _Numbered, conflicts: Bools, classes: ClassList
) -> tuple[Contradiction, ...]:
    """Contradictions by number and class, those of most lines first."""
    truth = lines.truth
    first = np.unique(truth.lines, return_index=True)[1]
    first = first[conflicts[truth.lines[first]]]
    codes = lines.of_line[truth.lines[first]].tolist()
    kinds = Counter(zip(codes, truth.class_ids[first].tolist(), strict=True))
    return tuple(
        Contradiction(
            int(lines.numbers[code]),
            _name(int(table[code]), classes),
            classes.names[class_id],
            count,
        )
        for (code, class_id), count in sorted(kinds.items(), key=lambda kind: (-kind[1], kind[0]))
    )


def _name(class_id: int, classes: ClassList) -> str:
    return classes.names[class_id] if class_id >= 0 else "no class"
