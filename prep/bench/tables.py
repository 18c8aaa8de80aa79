"""How lists and tables scale: each work on made-up sets of several lengths, see made.py.

=========== ========================================================================
scan        `prep scan`: folder walked, lists read, compared, missing clips written
plan        shards placed and hashed, files looked at, compared with no records
finish      `prep shard --finish`: scan, plan, records read and compared, tables written
open        `ShardStore.open`, and which clips are in the training split
few-shot    `prep subset few-shot --shots 16`: set opened, drawn, written
base-novel  `prep subset base-novel`: three draws, two tests
zero-shot   `prep subset zero-shot`: three tests (of Kinetics-600)
full        `prep subset full`: every clip of two splits
=========== ========================================================================

Videos and tars play no part. Files were just written, so the disk's cache is warm.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from prep.bench.apart import Measured, measure
from prep.bench.made import FRAMES, link_videos, raw_place, shards_place, write_lists, write_set
from prep.cli import parsed
from shards.atomic import disk_errors

Run = Callable[[], object]

#: Fewer rows than this leave classes or halves without a clip.
LEAST_ROWS = 1000

_BENCHMARK, _ZERO_SHOT = "kinetics400", "kinetics600"


@dataclass(frozen=True)
class Figure:
    """One work at one length: the seconds of every run, the largest peak in bytes."""

    work: str
    rows: int
    runs: tuple[float, ...]
    peak_bytes: int

    @property
    def seconds(self) -> float:
        """Median of the runs."""
        return statistics.median(self.runs)

    @property
    def us_per_row(self) -> float:
        """Microseconds a row: what takes linear time keeps or lowers it as rows grow."""
        return self.seconds / self.rows * 1e6


def measure_tables(lengths: Sequence[int], runs: int, place: Path | None = None) -> list[Figure]:
    """Make a set of each length below ``place`` (a temporary folder), measure, clear it away."""
    lengths = sorted(set(lengths))
    with tqdm(total=len(lengths) * runs * len(CASES), unit="run", disable=None) as bar:
        return [f for rows in lengths for f in _of_length(rows, runs, place, bar.update)]


def _of_length(
    rows: int, runs: int, place: Path | None, tick: Callable[[], object]
) -> Iterator[Figure]:
    found: dict[str, list[Measured]] = {work: [] for work in CASES}
    with tempfile.TemporaryDirectory(prefix="prep-bench-", dir=place) as name:
        folder = Path(name)
        with disk_errors(folder):
            make(folder, rows)
        for _ in range(runs):
            for work, measured in found.items():
                measured.append(measure("tables", work, folder))
                tick()
    for work, measured in found.items():
        seconds = tuple(one.seconds for one in measured)
        yield Figure(work, rows, seconds, max(one.peak_bytes for one in measured))


def make(place: Path, rows: int) -> None:
    """Make up what the works below need."""
    for benchmark in (_BENCHMARK, _ZERO_SHOT):
        write_lists(place, benchmark, rows)
        write_set(place, benchmark)
    link_videos(place, _BENCHMARK)


def _scan(place: Path) -> Run:
    root = raw_place(place, _BENCHMARK)
    return _command("scan", _BENCHMARK, "--root", root, "--out", place / "missing.csv")


def _plan(place: Path) -> Run:
    from prep.benchmarks import SOURCES
    from prep.ingest import compare
    from prep.jobs import plan_job
    from prep.video.settings import EncodeSettings, Limits
    from shards.recorded import scan_records

    source = SOURCES[_BENCHMARK](raw_place(place, _BENCHMARK), None)

    def run() -> None:
        job = plan_job(source, place / "none", EncodeSettings(), Limits())
        compare(job, scan_records(job.folder))

    return run


def _finish(place: Path) -> Run:
    root, out = raw_place(place, _BENCHMARK), shards_place(place)
    # The made-up program's name is none; tars are told to be wanting, tables are made all the same.
    words = ("--root", root, "--out", out, "--frames", FRAMES, "--finish", "--allow-mixed")
    return _command("shard", _BENCHMARK, *words)


def _open(place: Path) -> Run:
    from shards.store import ShardStore

    return lambda: ShardStore.open(shards_place(place) / _BENCHMARK).split("train")


def _subset(kind: str, benchmark: str, *words: str) -> Callable[[Path], Run]:
    def prepared(place: Path) -> Run:
        shards = ("--shards", shards_place(place), "--anew")
        return _command("subset", benchmark, *shards, *words, kind=kind)

    return prepared


def _command(name: str, benchmark: str, *words: object, kind: str = "") -> Run:
    """A command as it is typed, ready to run."""
    typed = [*([kind] if kind else []), "--dataset", benchmark, *map(str, words)]
    return parsed(name, typed).run


#: work -> what prepares it below a place, and returns what is to be measured
CASES: Mapping[str, Callable[[Path], Run]] = {
    "scan": _scan,
    "plan": _plan,
    "finish": _finish,
    "open": _open,
    "few-shot": _subset("few-shot", _BENCHMARK, "--shots", "16", "--allow-fewer"),
    "base-novel": _subset("base-novel", _BENCHMARK, "--allow-fewer"),
    "zero-shot": _subset("zero-shot", _ZERO_SHOT),
    "full": _subset("full", _BENCHMARK),
}
