"""Tables 2 to 5: rows of systems, columns of protocols, mean ± deviation in the cells.

A cell is the mean over seeds, ± the population standard deviation (ddof 0) over them; in zero-shot
over the splits, each of which is first averaged over the seeds, as the paper's ± is. HM is the
harmonic mean of the means.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from train.metrics import harmonic_mean
from train.recipes.rows import ROWS
from train.report.columns import Column, heading, legend, letters, spread_untrained
from train.report.entries import RULES, Entry, Row

TITLES: Mapping[str, str] = {
    "base-novel": "Table 2: base to novel classes",
    "few-shot": "Table 3: few clips per class",
    "zero-shot": "Table 4: classes and benchmarks never seen",
    "full-supervised": "Table 5: full supervision",
}
METRICS: Mapping[str, tuple[str, ...]] = {
    "base-novel": ("base", "novel", "HM"),
    "few-shot": ("top-1",),
    "zero-shot": ("top-1",),
    "full-supervised": ("top-1", "top-5"),
}


@dataclass(frozen=True)
class Value:
    """A mean, its deviation where there are several values, and of how many.

    digits: behind the point, for people; files have four.
    """

    mean: float
    std: float | None = None
    count: int = 1
    digits: int = 2

    def __str__(self) -> str:
        spread = "" if self.std is None else f" ± {self.std:.{self.digits}f}"
        return f"{self.mean:.{self.digits}f}{spread}"


Cell = str | Value | None


@dataclass(frozen=True)
class Table:
    """Something to print: `slug` names its file, notes stand below it."""

    slug: str
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...]


Metrics = tuple[Value | None, ...]  # as METRICS names them


@dataclass(frozen=True)
class Line:
    """A row with its cells."""

    row: Row
    cells: Mapping[Column, Metrics]
    seeds: Mapping[Column, tuple[int, ...]]
    trainable: int
    places: tuple[str, ...]


def lines_of(entries: Iterable[Entry]) -> list[Line]:
    """Entries gathered into rows, in the order of the paper, the rules of one training together."""
    by_row: dict[Row, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_row[entry.row].append(entry)
    return sorted((_line(row, mine) for row, mine in by_row.items()), key=_order)


def _order(line: Line) -> tuple[object, ...]:
    row = line.row
    place = tuple(ROWS).index(row.name)
    return (place, row.departures, row.backbone, row.again, RULES.index(row.rule), row.selecting)


def _line(row: Row, entries: Sequence[Entry]) -> Line:
    found: dict[Column, list[tuple[int, tuple[tuple[float, ...], ...]]]] = defaultdict(list)
    for entry in entries:
        for column, figures in entry.figures:
            found[column].append((entry.seed, figures))
    return Line(
        row,
        {column: metrics(column, [f for _, f in mine]) for column, mine in found.items()},
        {column: tuple(sorted(seed for seed, _ in mine)) for column, mine in found.items()},
        max(entry.trainable for entry in entries),
        tuple(sorted(str(entry.path.parent) for entry in entries)),
    )


def metrics(column: Column, runs: Sequence[tuple[tuple[float, ...], ...]]) -> Metrics:
    """Cells of one row and column from the figures of its seeds."""
    values = tuple(_value([run[index] for run in runs]) for index in range(len(runs[0])))
    if column.task != "base-novel":
        return values
    base, novel = values
    if base is None or novel is None:
        return (base, novel, None)
    return (base, novel, Value(harmonic_mean(base.mean, novel.mean), None, base.count))


def _value(runs: Sequence[tuple[float, ...]]) -> Value | None:
    """Mean over seeds of each split, then over splits; ± over splits, or seeds of one split."""
    if any(len(run) != len(runs[0]) or not run for run in runs):
        return None
    over = np.asarray(runs, dtype=np.float64)  # (seeds, splits)
    several = over.mean(axis=0) if over.shape[1] > 1 else over[:, 0]
    std = float(several.std()) if len(several) > 1 else None
    return Value(float(over.mean()), std, len(several))


def task_table(task: str, lines: Sequence[Line]) -> Table | None:
    """The table of one task; None when no run is of it."""
    mine = [line for line in lines if line.row.task == task]
    if not mine:
        return None
    mine = beside_all_shots(mine)
    columns = sorted({column for line in mine for column in line.cells})
    marks = letters(columns)
    names = METRICS[task]
    head = ["system", "weights", "trained"]
    for column in columns:
        prefix = f"{heading(column)}{marks[column]}"
        head += [f"{prefix} {name}" for name in names]
    rows = [_cells(line, columns, len(names), labels(mine)[line.row]) for line in mine]
    notes = [f"{heading(c)}{marks[c]}: {legend(c)}." for c in columns]
    return Table(task, TITLES[task], (*head, "seeds"), tuple(rows), (*SPREAD[task], *notes))


_BY_RULE = (
    "weights: `last` are those of the last epoch; `best-on-test` were chosen by the test clips "
    "themselves, which is what the paper printed; `best-on-validation` by clips held out of the "
    "training split. Figures under different rules are not comparable."
)
_OVER_SEEDS = "Mean ± standard deviation (ddof 0) over the seeds (last column)"
SPREAD: Mapping[str, tuple[str, ...]] = {
    "base-novel": (f"{_OVER_SEEDS}; HM is the harmonic mean of the two means.", _BY_RULE),
    "few-shot": (f"{_OVER_SEEDS} of top-1.", _BY_RULE),
    "zero-shot": (
        "Mean ± standard deviation (ddof 0) of top-1 over the splits, each first averaged over the "
        "seeds (last column).",
        _BY_RULE,
    ),
    "full-supervised": (f"{_OVER_SEEDS}.", _BY_RULE),
}


def labels(lines: Sequence[Line]) -> dict[Row, str]:
    """Name of each row with what tells it apart from the others."""
    weights: dict[tuple[str, tuple[str, ...]], set[str]] = defaultdict(set)
    for line in lines:
        weights[line.row.name, line.row.departures].add(line.row.backbone)
    found = {}
    for line in lines:
        row = line.row
        parts = [row.name, *row.departures]
        if len(weights[row.name, row.departures]) > 1:
            parts.append(f"backbone {row.backbone[:8]}")
        if row.again:
            parts.append(f"run {row.again + 1} of the same words: {', '.join(line.places)}")
        found[row] = " · ".join(parts)
    return found


def _cells(line: Line, columns: Sequence[Column], width: int, label: str) -> tuple[Cell, ...]:
    cells: list[Cell] = [label, line.row.weights, millions(line.trainable)]
    for column in columns:
        cells += line.cells.get(column, (None,) * width)[:width]
    return (*cells, seeds_text(line.seeds))


def millions(count: int) -> str:
    """`8.71 M`; small counts in full."""
    return f"{count / 1e6:.2f} M" if count >= 100_000 else f"{count:,}"


def seeds_text(seeds: Mapping[Column, tuple[int, ...]]) -> str:
    """Seeds of a row, by column where they differ."""
    every = set(seeds.values())
    if len(every) == 1:
        return " ".join(map(str, every.pop()))
    return "; ".join(
        f"{heading(column)}: {' '.join(map(str, mine))}" for column, mine in sorted(seeds.items())
    )


def beside_all_shots(lines: Sequence[Line]) -> list[Line]:
    """The figure of an untrained model beside any number of shots tested in the same way."""
    places = spread_untrained(column for line in lines for column in line.cells)
    return [
        Line(
            line.row,
            {place: cells for c, cells in line.cells.items() for place in places[c]},
            {place: seeds for c, seeds in line.seeds.items() for place in places[c]},
            line.trainable,
            line.places,
        )
        for line in lines
    ]
