"""Means over the base-to-novel sets: Table 2's mean, Tables 6 and 7, Figure 1.

The paper's Tables 6 and 7 average base and novel over four sets and take the harmonic mean of the
averages. Averages are comparable over the same sets only, so lines are shown once for every group
of sets that one of them covers, with all lines that cover it.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from train.metrics import harmonic_mean
from train.recipes.ablations import TABLES
from train.report.columns import Column, heading, legend
from train.report.entries import Entry, Row
from train.report.tables import (
    Cell,
    Line,
    Table,
    Value,
    beside_all_shots,
    labels,
    lines_of,
    millions,
    seeds_text,
)

ABLATIONS: Mapping[str, str] = {
    "6a": "Table 6a: parts of the adapters",
    "6b": "Table 6b: width of the adapters (m)",
    "6c": "Table 6c: weight of the adapters (lambda)",
    "6d": "Table 6d: weight of the consistency loss (alpha)",
    "6e": "Table 6e: descriptions per class (N)",
    "6f": "Table 6f: blocks with adapters",
    "7": "Table 7: kinds of descriptions",
}
_NOTE = (
    "Base and novel are means over {sets}; HM is the harmonic mean of the two means. "
    "Figures under different rules of selection (weights) are not comparable."
)


@dataclass(frozen=True)
class Mean:
    """One line over one group of sets."""

    label: str
    rule: str
    weights: str
    trainable: int
    base: float
    novel: float
    seeds: str

    @property
    def hm(self) -> float:
        """Harmonic mean of the means."""
        return harmonic_mean(self.base, self.novel)


@dataclass(frozen=True)
class Group:
    """Lines that cover the same sets."""

    columns: tuple[Column, ...]
    means: tuple[Mean, ...]

    @property
    def sets(self) -> str:
        """`hmdb51, ucf101`."""
        return ", ".join(column.benchmark for column in self.columns)


def groups(lines: Sequence[Line], names: Mapping[Row, str]) -> list[Group]:
    """Lines by the sets that they cover; the largest groups first.

    names: what each line's row is called. Groups of one row are left out where there are others.
    """
    wanted = sorted({c for line in lines for c in _covers(line)}, key=lambda c: (-len(c), c))
    found = [
        Group(
            cover,
            tuple(
                _mean(line, cover, names[line.row])
                for line in lines
                if set(cover) <= line.cells.keys()
            ),
        )
        for cover in wanted
    ]
    return [group for group in found if len({m.label for m in group.means}) > 1] or found[:1]


def _covers(line: Line) -> list[tuple[Column, ...]]:
    """All sets that a line has figures of, one protocol of each set."""
    by_set: dict[str, list[Column]] = defaultdict(list)
    for column in sorted(line.cells):
        if None not in line.cells[column]:
            by_set[column.benchmark].append(column)
    return list(itertools.product(*by_set.values())) if by_set else []


def _mean(line: Line, columns: Sequence[Column], label: str) -> Mean:
    base, novel = (
        sum(value.mean for c in columns if (value := line.cells[c][index])) / len(columns)
        for index in (0, 1)
    )
    seeds = seeds_text({column: line.seeds[column] for column in columns})
    return Mean(label, line.row.rule, line.row.weights, line.trainable, base, novel, seeds)


def table_2_groups(lines: Sequence[Line]) -> list[Group]:
    """Rows of Table 2 averaged over sets: also the points of Figure 1."""
    mine = [line for line in lines if line.row.task == "base-novel"]
    return groups(beside_all_shots(mine), labels(mine))


def mean_tables(found: Sequence[Group]) -> list[Table]:
    """Table 2's means, one table for each group of several sets."""
    return [
        _table(f"base-novel-mean-{number}", "Table 2, mean over sets", group)
        for number, group in enumerate(found, start=1)
        if len(group.columns) > 1
    ]


def ablation_tables(entries: Iterable[Entry]) -> list[Table]:
    """Tables 6 and 7 as far as there are runs of their lines."""
    entries = list(entries)
    tables = []
    for name, variants in TABLES.items():
        by_line = {line: [e for e in entries if (name, line) in e.lines] for line in variants}
        lines, names = _ablation_lines(by_line)
        if not any(entry.row.departures for mine in by_line.values() for entry in mine):
            continue  # the recipe itself is a line of every table, and alone no ablation
        for number, group in enumerate(groups(lines, names), start=1):
            tables.append(_table(f"table-{name}-{number}", ABLATIONS[name], group))
    return tables


def _ablation_lines(
    by_line: Mapping[str, Sequence[Entry]],
) -> tuple[list[Line], dict[Row, str]]:
    """Lines in the order of the table, whatever reading or row their runs count as elsewhere."""
    lines: list[Line] = []
    for name, entries in by_line.items():
        same = [replace(e, row=replace(e.row, departures=(name,))) for e in entries]
        lines += lines_of(same)
    named = labels(lines)
    return lines, {row: text.removeprefix(f"{row.name} · ") for row, text in named.items()}


def _table(slug: str, title: str, group: Group) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            mean.label,
            mean.weights,
            millions(mean.trainable),
            Value(mean.base),
            Value(mean.novel),
            Value(mean.hm),
            mean.seeds,
        )
        for mean in group.means
    ]
    return Table(
        slug,
        f"{title} ({group.sets})",
        ("system", "weights", "trained", "base", "novel", "HM", "seeds"),
        tuple(rows),
        (
            _NOTE.format(sets=group.sets),
            *(f"{heading(c)}: {legend(c)}." for c in group.columns),
        ),
    )
