"""Results as train/run.py writes them, without a run: every figure is said by the test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from train.recipes.words import read_words
from train.report.compose import Report, compose
from train.report.tables import Table, Value
from train.results import Evaluation, Result, Selection, Training, save_result, summarise, versions

STORE = "a" * 64


def scored(
    target: str,
    top1: float,
    benchmark: str = "hmdb51",
    *,
    classes: int = 51,
    views: tuple[int, int] = (10, 3),
    subset: str = "",
    top5: float | None = None,
    drop: bool = False,
) -> Evaluation:
    """One test of 100 videos; its subset has a hash of its own for each benchmark and target."""
    of = 100
    return Evaluation(
        target=target,
        benchmark=benchmark,
        dataset=STORE,
        subset=subset or f"{benchmark}-{target}".encode().hex(),
        classes=classes,
        epoch=1,
        clips=views[0],
        crops=views[1],
        top1=top1,
        top5=top5,
        evaluated=of,
        of=of,
        displacement=0,
        seconds=2.0,
        published_drop=drop,
    )


def made(words: str, tests: Sequence[Evaluation], **changes: Any) -> Result:
    """The result of the run that `words` ask for, with these tests of the last weights.

    changes: fields of `Result`; `best`: tests under best-on-test too; `trainable`: parameters;
    `drawn`: hash of the training subset; `descriptions`, `started_from`: digests.
    """
    recipe = read_words(words.split()).recipe
    trained = recipe.optim.epochs > 0
    count = changes.pop("trainable", 1_000_000)
    pace, best = changes.pop("pace", 16.0), changes.pop("best", tests)
    drawn = changes.pop("drawn", f"drawn-{recipe.seed}")
    held = changes.pop("descriptions", {}), changes.pop("started_from", "")
    selections = [_selection("last", recipe.task, tests)]
    if trained:
        selections.append(_selection("best-on-test", recipe.task, best))
    training = Training(
        subset="train",
        subset_hash=drawn,
        videos=100,
        classes=51,
        updates=50 if trained else 0,
        seconds=100.0,
        clips_per_second=pace if trained else None,
        data_wait_share=0.05 if trained else None,
        trainable_parameters=count if trained else 0,
        parameters=149_603_841,
        descriptions=held[0],
        started_from=held[1],
    )
    result = Result(
        task=recipe.task,
        benchmark=recipe.dataset,
        method=recipe.method,
        seed=recipe.seed,
        recipe=recipe.as_json(),
        dataset={"identity": STORE, "fingerprint": "f", "classes": "c"},
        backbone="b" * 64,
        training=training,
        selections=tuple(selections),
        versions=versions(),
        machine={"device": "cuda:0", "processes": 1},
    )
    return replace(result, **changes)


def _selection(rule: Any, task: str, tests: Sequence[Evaluation]) -> Selection:
    return Selection(rule, 1, "adapter.safetensors", tuple(tests), summarise(task, tests))


def written(folder: Path, *results: Result) -> list[tuple[Path, Result]]:
    """Results saved below a folder, each in one of its own, as the report finds them."""
    found = []
    for number, result in enumerate(results):
        path = folder / f"run{number:03}" / "result.json"
        path.parent.mkdir(parents=True)
        save_result(path, result)
        found.append((path, result))
    return found


def base_novel(base: float, novel: float, benchmark: str = "hmdb51", **more: Any) -> Any:
    """Tests of the two halves."""
    return (
        scored("base", base, benchmark, classes=26, **more),
        scored("novel", novel, benchmark, classes=25, **more),
    )


__all__ = ["STORE", "asdict", "base_novel", "made", "scored", "written"]


def report_of(folder: Path, *results: Result) -> Report:
    """The report of results written below a folder."""
    return compose(written(folder, *results))


def table(report: Report, slug: str) -> Table:
    """The one table of a name."""
    (found,) = [each for each in report.tables if each.slug == slug]
    return found


def column(found: Table, name: str) -> dict[tuple[str, str], Value | str | None]:
    """Cells below a head, by system and weights."""
    place = found.head.index(name)
    return {(str(row[0]), str(row[1])): row[place] for row in found.rows}
