"""Results on disk as entries: one for each run and selection rule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from manifests.errors import UserError
from train.report.columns import Column, columns_of, editions
from train.report.labels import ablation_lines, departures, foundations, row_name
from train.results import Result, Rule, Selection, load_result

RULES: tuple[Rule, ...] = ("last", "best-on-validation", "best-on-test")


@dataclass(frozen=True)
class Row:
    """What the entries of one row share; they differ in the seed alone.

    departures: of the training from the published row. backbone: digest of its weights. selecting:
    departures of the selection. again: for further runs of the same words and seed, so that no
    seed counts twice.
    """

    task: str
    name: str
    departures: tuple[str, ...]
    backbone: str
    rule: Rule
    selecting: tuple[str, ...] = ()
    again: int = 0

    @property
    def weights(self) -> str:
        """The rule of selection, with what it departs in."""
        return " · ".join((self.rule, *self.selecting))


@dataclass(frozen=True)
class Entry:
    """One run under one rule of selection.

    figures: for each column its metrics, each a tuple over splits (one value but in zero-shot).
    lines: of the ablations, by table.
    """

    row: Row
    seed: int
    figures: tuple[tuple[Column, tuple[tuple[float, ...], ...]], ...]
    trainable: int
    lines: tuple[tuple[str, str], ...]
    path: Path


def find_results(places: Sequence[Path]) -> list[tuple[Path, Result]]:
    """Results named, and those below folders named, each once, in the order of paths.

    Raises UserError for a place without a result and for a file that is none.
    """
    files: dict[Path, Path] = {}
    for place in places:
        found = sorted(place.rglob("result.json")) if place.is_dir() else [place]
        if not found:
            raise UserError(f"{place} holds no result.json: name a folder of a finished run")
        for path in found:
            files.setdefault(path.resolve(), path)
    return [(path, load_result(path)) for path in files.values()]


def entries_of(found: Sequence[tuple[Path, Result]]) -> list[Entry]:
    """Entries of the runs that were tested; pre-training is not."""
    tested = [(path, result) for path, result in found if result.task != "pretrain"]
    results = [result for _, result in tested]
    entries = [
        _entry(path, result, selection, edition, sources)
        for (path, result), edition, sources in zip(
            tested, editions(results), foundations(results), strict=True
        )
        for selection in result.selections
        if selection.tests
    ]
    return _seeds_once(entries)


def _entry(
    path: Path, result: Result, selection: Selection, edition: int, sources: tuple[str, ...]
) -> Entry:
    rule = selection.rule
    recipe = result.recipe
    odd, count = departures(recipe, rule), result.training.substituted
    training = (
        *odd.training,
        *sources,
        *([f"{count} clips in place of unreadable ones"] if count else []),
    )
    name = row_name(recipe)
    row = Row(result.task, name, training, result.backbone, rule, odd.selecting)
    columns = [replace(c, edition=edition) for c in columns_of(result, selection.tests)]
    return Entry(
        row,
        result.seed,
        tuple((column, _metrics(column, selection)) for column in columns),
        result.training.trainable_parameters,
        () if count or sources else tuple(ablation_lines(recipe).items()),
        path,
    )


def _metrics(column: Column, selection: Selection) -> tuple[tuple[float, ...], ...]:
    """Base and novel; top-1 of each split; or top-1 and top-5. A metric without figures is ()."""
    by_name = {(test.benchmark, test.target): test for test in selection.tests}
    tests = [by_name[test.benchmark, test.target] for test in column.tests]
    if column.task == "base-novel":
        halves = {test.target: (test.top1,) for test in tests}
        return halves.get("base", ()), halves.get("novel", ())
    if column.task == "zero-shot":
        return (tuple(test.top1 for test in tests),)
    top5 = tests[0].top5
    return ((tests[0].top1,), () if top5 is None else (top5,))


def _seeds_once(entries: Sequence[Entry]) -> list[Entry]:
    """The second and later runs of one seed of one row and column go to rows of their own."""
    count: dict[tuple[object, ...], int] = defaultdict(int)
    found = []
    for entry in entries:
        key = (entry.row, entry.seed, tuple(column for column, _ in entry.figures))
        again = count[key]
        count[key] += 1
        found.append(replace(entry, row=replace(entry.row, again=again)))
    return found
