"""Table 8: what an update and a test cost, from the runs' own clocks.

Seconds of an update hold everything between two updates but evaluations and saves: data, both
towers, the optimiser. Ratios are to full tuning of the same backbone on the same machine, with the
same batch, frames and precision, and are given only where that was run.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from train.recipes.rows import ROWS
from train.report.labels import departures, row_name
from train.report.tables import Cell, Table, Value, millions
from train.results import Result, Throughput

_HEAD = (
    "system",
    "trained",
    "s/update",
    "to full tuning",
    "clips/s",
    "waiting for data",
    "videos/s tested",
    "videos/s at the largest batch",
    "machine and batch",
    "runs",
)
_TUNED_WHOLE = ("ViCLIP", "Vanilla CLIP (tuned)")
_NOTES = (
    "s/update and clips/s: the training loop as a whole, waiting for data included (its share is "
    "given). videos/s tested: the tests of the run, reading of the clips included, at the batch of "
    "the run. At the largest batch: the model alone, one process, a view a video, clips in memory "
    "(runs with --throughput). Medians over runs of the same words.",
    "Ratios are to ViCLIP or CLIP tuned as a whole on the same machine with the same batch, frames "
    "and precision. Times of different machines do not compare.",
)


@dataclass(frozen=True, order=True)
class Place:
    """What must agree before times are compared."""

    machine: tuple[tuple[str, str], ...]
    backbone: str
    batch: int
    frames: int
    size: int
    classes: int  # class texts of an update

    @property
    def text(self) -> str:
        """For people."""
        machine = " ".join(f"{name} {value}" for name, value in self.machine)
        return (
            f"{machine} · batch {self.batch} · {self.frames} frames of {self.size} px · "
            f"{self.classes} classes"
        )


# Where, what is trained (with its departures), and how many parameters of it.
Key = tuple[Place, str, int]


@dataclass(frozen=True)
class Pace:
    """One run's own times."""

    clips_per_second: float
    wait: float
    videos_per_second: float
    views: str
    throughput: Throughput | None


def cost_table(found: Sequence[tuple[Path, Result]]) -> Table | None:
    """Table 8 of the runs that trained; None when none did."""
    by_place: dict[Key, list[Pace]] = defaultdict(list)
    for _, result in found:
        if result.task != "pretrain" and result.training.clips_per_second:
            pace = _pace(result)
            label = " · ".join(
                (row_name(result.recipe), *departures(result.recipe, "last").training)
            )
            trained = result.training.trainable_parameters
            by_place[place_of(result), label, trained].append(pace)
    if not by_place:
        return None
    full, throughput_of_full = _full(by_place), _full_throughput(by_place)
    rows: list[tuple[Cell, ...]] = []
    for (place, label, trained), paces in sorted(by_place.items(), key=_order):
        rate = statistics.median(pace.clips_per_second for pace in paces)
        reference = full.get(place)
        rows.append(
            (
                label,
                millions(trained),
                Value(place.batch / rate, digits=3),
                f"{reference / rate:.2f}x" if reference else "",
                Value(rate),
                f"{statistics.median(pace.wait for pace in paces):.0%}",
                _tested(paces),
                _largest(paces, throughput_of_full.get(place)),
                place.text,
                str(len(paces)),
            )
        )
    return Table("table-8", "Table 8: cost", _HEAD, tuple(rows), _NOTES)


def _order(item: tuple[Key, Sequence[Pace]]) -> tuple[object, ...]:
    place, label, trained = item[0]
    return (place, tuple(ROWS).index(label.split(" · ")[0]), label, trained)


def _tested(paces: Sequence[Pace]) -> str:
    """`71.2 (4x3), 210.4 (1x1)`: videos per second for each number of views."""
    by_views: dict[str, list[float]] = defaultdict(list)
    for pace in paces:
        by_views[pace.views].append(pace.videos_per_second)
    return ", ".join(
        f"{statistics.median(rates):.1f} ({views})" for views, rates in by_views.items()
    )


def _largest(paces: Sequence[Pace], full: float | None) -> str:
    """`65.7 (batch 512, 0.95x)`: with the ratio to full tuning where that was measured."""
    measured = [pace.throughput for pace in paces if pace.throughput]
    if not measured:
        return ""
    rate = statistics.median(found.videos_per_second for found in measured)
    batches = "–".join(map(str, sorted({found.batch for found in measured})))
    return f"{rate:.1f} (batch {batches}{f', {rate / full:.2f}x' if full else ''})"


def place_of(result: Result) -> Place:
    """Where and on what a run's times were taken."""
    recipe = result.recipe
    return Place(
        tuple((name, str(value)) for name, value in sorted(result.machine.items())),
        result.backbone,
        recipe["optim"]["batch"],
        recipe["look"]["frames"],
        recipe["look"]["size"],
        result.training.classes,
    )


def _pace(result: Result) -> Pace:
    tests = result.selections[0].tests
    seconds = sum(test.seconds for test in tests)
    first = tests[0]
    return Pace(
        result.training.clips_per_second or 0.0,
        result.training.data_wait_share or 0.0,
        sum(test.evaluated for test in tests) / seconds if seconds else 0.0,
        f"{first.clips}x{first.crops}",
        result.throughput,
    )


def _full(by_place: Mapping[Key, Sequence[Pace]]) -> dict[Place, float]:
    """Clips per second of full tuning as published, by place."""
    return {
        place: statistics.median(pace.clips_per_second for pace in paces)
        for (place, label, _), paces in by_place.items()
        if label.split(" · ")[0] in _TUNED_WHOLE
    }


def _full_throughput(by_place: Mapping[Key, Sequence[Pace]]) -> dict[Place, float]:
    """Videos per second of full tuning at its largest batch, by place."""
    found = {}
    for (place, label, _), paces in by_place.items():
        rates = [pace.throughput.videos_per_second for pace in paces if pace.throughput]
        if rates and label.split(" · ")[0] in _TUNED_WHOLE:
            found[place] = statistics.median(rates)
    return found
