"""From results to a whole report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from manifests.errors import UserError
from train.report.columns import Column, legend, letters
from train.report.cost import cost_table
from train.report.entries import RULES, entries_of
from train.report.means import Group, ablation_tables, mean_tables, table_2_groups
from train.report.pages import Plot, Report
from train.report.plots import Series, chart
from train.report.runs import runs_table
from train.report.tables import TITLES, Line, Value, beside_all_shots, labels, lines_of, task_table
from train.results import Result


def compose(found: Sequence[tuple[Path, Result]]) -> Report:
    """Tables and plots of what was found; UserError when nothing of it was tested."""
    entries = entries_of(found)
    if not entries:
        raise UserError("none of these runs was tested: name results of tuning, not of pretrain")
    # A line of an ablation stands in its own table, with its mean over sets, and in runs.csv.
    lines = lines_of(e for e in entries if not (e.lines and e.row.departures))
    groups = table_2_groups(lines)
    tables = []
    for task in TITLES:
        table = task_table(task, lines)
        tables += [table] if table else []
        tables += mean_tables(groups) if task == "base-novel" else []
    tables += ablation_tables(entries)
    cost = cost_table(found)
    tables += [cost] if cost else []
    plots = (*figure_1(groups), *shots_plots(lines))
    return Report(_notes(found), tuple(tables), plots, runs_table(found))


def _notes(found: Sequence[tuple[Path, Result]]) -> tuple[str, ...]:
    left = sum(result.task == "pretrain" for _, result in found)
    kept = len(found) - left
    text = f"{kept} {'run' if kept == 1 else 'runs'}"
    return (
        text + (f"; {left} of pre-training left out." if left else "."),
        "Figures share a cell only when nothing that decides them differs but the seed, and a "
        "column only when they were tested on the same clips, among the same classes, in the same "
        "views.",
    )


def figure_1(groups: Sequence[Group]) -> list[Plot]:
    """Trained parameters against the harmonic mean, for each group of sets and each rule."""
    plots = []
    for number, group in enumerate(groups, start=1):
        for rule in RULES:
            series = [
                Series(mean.label, ((mean.trainable, mean.hm),))
                for mean in group.means
                if mean.rule == rule and mean.trainable
            ]
            if len(series) < 2:
                continue
            plots.append(
                Plot(
                    f"figure-1-{number}-{rule}",
                    f"Figure 1: trained parameters and harmonic mean ({group.sets}; {rule})",
                    chart(series, "trained parameters", "HM", joined=False),
                    (
                        *(f"{c.benchmark}: {legend(c)}." for c in group.columns),
                        *_untrained(group, rule),
                    ),
                )
            )
    return plots


def _untrained(group: Group, rule: str) -> tuple[str, ...]:
    """Models that train nothing have no place on a logarithmic axis: their figures in words."""
    return tuple(
        f"{mean.label}: HM {mean.hm:.2f} with nothing trained."
        for mean in group.means
        if mean.rule == rule and not mean.trainable
    )


def shots_plots(lines: Sequence[Line]) -> list[Plot]:
    """Top-1 over clips per class, one plot for each protocol and rule with two points at least."""
    mine = [line for line in lines if line.row.task == "few-shot"]
    named, mine = labels(mine), beside_all_shots(mine)
    plots = []
    for columns in _over_shots(mine):
        marks = letters(c for line in mine for c in line.cells)
        for rule in RULES:
            series = [
                Series(named[line.row], points)
                for line in mine
                if line.row.rule == rule and (points := _points(line, columns))
            ]
            if not series:
                continue
            first = columns[0]
            plots.append(
                Plot(
                    f"few-shot-{first.benchmark}{marks[first].strip(' []')}-{rule}",
                    f"Top-1 by clips per class ({first.benchmark}{marks[first]}; {rule})",
                    chart(series, "clips per class", "top-1", joined=True),
                    tuple(f"{test.line}." for test in first.tests),
                )
            )
    return plots


def _over_shots(lines: Sequence[Line]) -> list[tuple[Column, ...]]:
    """Columns that differ in shots alone, where there are several."""
    same: dict[object, list[Column]] = defaultdict(list)
    for column in sorted({c for line in lines for c in line.cells if c.shots > 0}):
        same[column.benchmark, column.trained, column.tests, column.edition].append(column)
    return [tuple(columns) for columns in same.values() if len(columns) > 1]


def _points(line: Line, columns: Sequence[Column]) -> tuple[tuple[float, float], ...]:
    found = []
    for column in columns:
        value = line.cells.get(column, (None,))[0]
        if isinstance(value, Value):
            found.append((float(column.shots), value.mean))
    return tuple(found)
