"""Every figure behind a report, one line a test: runs.csv."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from train.report.labels import departures, row_name
from train.report.tables import Cell, Table
from train.results import Evaluation, Result, Selection

_HEAD = (
    "file",
    "task",
    "benchmark",
    "system",
    "departures in training",
    "departures in selection",
    "seed",
    "trained parameters",
    "training subset",
    "spatial descriptions",
    "temporal descriptions",
    "started from",
    "weights",
    "epoch",
    "test",
    "tested benchmark",
    "test subset",
    "shards",
    "classes",
    "views",
    "evaluated",
    "of",
    "top-1",
    "top-5",
)


def runs_table(found: Sequence[tuple[Path, Result]]) -> Table:
    """One row for each run, rule of selection and test."""
    rows = tuple(
        _row(path, result, selection, test)
        for path, result in found
        for selection, test in _tests(result)
    )
    return Table("runs", "Runs", _HEAD, rows, ())


def _tests(result: Result) -> Iterator[tuple[Selection, Evaluation]]:
    for selection in result.selections:
        for test in selection.tests:
            yield selection, test


def _row(path: Path, result: Result, selection: Selection, test: Evaluation) -> tuple[Cell, ...]:
    odd = departures(result.recipe, selection.rule)
    return (
        str(path),
        result.task,
        result.benchmark,
        row_name(result.recipe),
        "; ".join(odd.training),
        "; ".join(odd.selecting),
        str(result.seed),
        str(result.training.trainable_parameters),
        result.training.subset_hash,
        result.training.descriptions.get("spatial", ""),
        result.training.descriptions.get("temporal", ""),
        result.training.started_from,
        selection.rule,
        str(selection.epoch),
        test.target,
        test.benchmark,
        test.subset,
        test.dataset,
        str(test.classes),
        f"{test.clips}x{test.crops}",
        str(test.evaluated),
        str(test.of),
        repr(test.top1),
        "" if test.top5 is None else repr(test.top5),
    )
