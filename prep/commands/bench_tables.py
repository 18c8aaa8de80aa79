"""`prep bench --tables`: lists and tables of made-up sets; each figure in a process of its own."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from manifests.errors import UserError
from prep.bench.made import FRAMES
from prep.bench.tables import LEAST_ROWS, Figure, measure_tables
from prep.text import aligned, count


def bench_tables(rows: Sequence[int], rounds: int) -> TablesReport:
    """Measure; what is made up for it lies below the temporary folder (TMPDIR) meanwhile."""
    if not rows or min(rows) < LEAST_ROWS:
        raise UserError(f"--rows {' '.join(map(str, rows))}: at least {LEAST_ROWS}")
    if rounds < 1:
        raise UserError(f"--rounds {rounds}: at least 1")
    return TablesReport(tuple(measure_tables(rows, rounds)), rounds)


@dataclass(frozen=True)
class TablesReport:
    """What was measured."""

    tables: tuple[Figure, ...]
    rounds: int

    exit_code = 0

    def text(self) -> str:
        """A line a work, a column a length: median seconds and the most memory held."""
        lengths = sorted({figure.rows for figure in self.tables})
        cells = {(f.work, f.rows): f"{f.seconds:.2f} s  {_mb(f):,} MB" for f in self.tables}
        works = list(dict.fromkeys(figure.work for figure in self.tables))
        head = ("work", *(f"{rows:,} clips" for rows in lengths))
        body = [(work, *(cells[work, rows] for rows in lengths)) for work in works]
        return "\n".join(
            [
                f"made-up Kinetics, {FRAMES} frames a clip; median of {count(self.rounds, 'run')}, "
                "most memory held",
                *aligned([head, *body]),
            ]
        )

    def as_dict(self) -> dict[str, Any]:
        """Every run, and on what."""
        return {
            "machine": {
                "cores": os.cpu_count(),
                "platform": platform.platform(),
                "python": platform.python_version(),
            },
            "tables": [
                {
                    "work": figure.work,
                    "rows": figure.rows,
                    "seconds": figure.seconds,
                    "us_per_row": figure.us_per_row,
                    "peak_mb": _mb(figure),
                    "runs": list(figure.runs),
                }
                for figure in self.tables
            ],
        }


def _mb(figure: Figure) -> int:
    return round(figure.peak_bytes / 1e6)
