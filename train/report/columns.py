"""What a figure was measured on: the protocol, which figures of one column have in common.

A training subset that is drawn differs from seed to seed, and that is what a spread over seeds is
for; so a column is known by how it was drawn. Should one seed have two subsets all the same (the
rows of the shards changed between two runs), they are two editions, and two columns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from train.results import Evaluation, Result

# Benchmarks that the paper's Tables 2 to 5 have figures of.
PRINTED: Mapping[str, tuple[str, ...]] = {
    "base-novel": ("kinetics400", "hmdb51", "ucf101", "ssv2"),
    "few-shot": ("hmdb51", "ucf101", "ssv2"),
    "zero-shot": ("hmdb51", "ucf101", "kinetics600"),
    "full-supervised": ("kinetics400",),
}
_SHORT = 8  # hexadecimal digits of a hash that people see


@dataclass(frozen=True, order=True)
class Tested:
    """Clips, candidates and views of one test."""

    target: str
    benchmark: str
    classes: int
    clips: int
    crops: int
    subset: str
    dataset: str
    evaluated: int
    of: int
    published_drop: bool

    @property
    def line(self) -> str:
        """One line for people."""
        return (
            f"{self.target}: {self.of} videos of {self.benchmark} (subset {self.subset[:_SHORT]}, "
            f"shards {self.dataset[:_SHORT]}), {self.classes} candidate classes, "
            f"{self.clips}x{self.crops} views, evaluated {self.evaluated} of {self.of}"
            + (" (published drop)" if self.published_drop else "")
        )


@dataclass(frozen=True, order=True)
class Column:
    """One protocol.

    benchmark: that the figure is of. trained: what was trained on, as far as it does not depend on
    the seed. shots: clips per class; 0 for a whole split, -1 where nothing was trained. edition:
    of the drawn training subset, 0 unless one seed has several.
    """

    task: str
    benchmark: str
    shots: int
    trained: str
    tests: tuple[Tested, ...]
    edition: int = 0


def tests_of(tests: Iterable[Evaluation]) -> tuple[Tested, ...]:
    """The sets behind some evaluations, without the clips held out for selection."""
    return tuple(
        Tested(
            test.target,
            test.benchmark,
            test.classes,
            test.clips,
            test.crops,
            test.subset,
            test.dataset,
            test.evaluated,
            test.of,
            test.published_drop,
        )
        for test in tests
        if test.target != "validation"
    )


def columns_of(result: Result, tests: Sequence[Evaluation]) -> tuple[Column, ...]:
    """Columns that the tests of one selection belong to.

    Base-to-novel has one, zero-shot one for each benchmark, the others one for each test.
    """
    shots = int(result.recipe["protocol"].get("shots", 0))
    drawn = bool(shots) and not result.recipe["protocol"]["subset"]
    subset = "" if drawn else f", subset {result.training.subset_hash[:_SHORT]}"
    trained = f"{result.benchmark} (shards {result.dataset['identity'][:_SHORT]}{subset})"
    if not result.training.updates:
        shots, trained = -1, "nothing"
    by_column: dict[str, list[Tested]] = defaultdict(list)
    for test in tests_of(tests):
        names = {"base-novel": "", "zero-shot": test.benchmark}
        by_column[names.get(result.task, f"{test.benchmark} {test.target}")].append(test)
    return tuple(
        Column(result.task, mine[0].benchmark, shots, trained, tuple(sorted(mine)))
        for mine in by_column.values()
    )


def editions(results: Sequence[Result]) -> list[int]:
    """For each result, which of the training subsets of its own seed and words it has, from 0."""
    subsets: dict[tuple[object, ...], set[str]] = defaultdict(set)
    for result in results:
        subsets[_words(result)].add(result.training.subset_hash)
    return [
        sorted(subsets[_words(result)]).index(result.training.subset_hash) for result in results
    ]


def _words(result: Result) -> tuple[object, ...]:
    protocol = result.recipe["protocol"]
    words = (result.task, result.dataset["identity"], result.seed, protocol.get("shots"))
    # Only what was drawn, and trained on, can be another draw.
    drawn = protocol.get("shots") and not protocol["subset"] and result.training.updates
    return words if drawn else (*words, result.training.subset_hash)


def spread_untrained(columns: Iterable[Column]) -> dict[Column, tuple[Column, ...]]:
    """For each column of untrained runs, the trained ones tested in the same way, or itself.

    An untrained model has one figure, which stands beside any number of shots.
    """
    every = set(columns)
    found: dict[Column, tuple[Column, ...]] = {}
    for column in every:
        same = sorted(
            other
            for other in every
            if other.shots >= 0 and replace(other, shots=-1, trained="nothing", edition=0) == column
        )
        found[column] = tuple(same) or (column,)
    return {column: found[column] if column.shots < 0 else (column,) for column in every}


def letters(columns: Iterable[Column]) -> dict[Column, str]:
    """`" [a]"`, `" [b]"` … for columns that their headings do not tell apart."""
    heads: dict[str, list[Column]] = defaultdict(list)
    for column in sorted(set(columns)):
        heads[heading(column)].append(column)
    return {
        column: f" [{chr(ord('a') + index)}]" if len(same) > 1 else ""
        for same in heads.values()
        for index, column in enumerate(same)
    }


def heading(column: Column) -> str:
    """`hmdb51, K = 16`; with the name of a test that is not the protocol's own."""
    single = column.task not in ("base-novel", "zero-shot")
    name = column.tests[0].target if single else "test"
    parts = [column.benchmark] + ([name] if name != "test" else [])
    return " ".join(parts) + (f", K = {column.shots}" if column.shots > 0 else "")


def legend(column: Column) -> str:
    """What a column is, in one line."""
    parts = [f"trained on {column.trained}"] if column.trained != "nothing" else ["not trained"]
    if column.shots > 0:
        parts[0] += f", {column.shots} clips per class"
    if column.edition:
        parts[0] += f", edition {column.edition + 1} of the subset drawn with the same seed"
    if column.benchmark not in PRINTED[column.task]:
        parts.append("not in the paper")
    return "; ".join([*parts, *(test.line for test in column.tests)])
