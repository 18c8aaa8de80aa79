"""Measuring something in a process of its own: seconds, and the most memory it ever held.

::

    measure("tables", "open", place)  --process: prepare, start the clock, run-->  Measured

A process that did other work before has warm allocators and a peak that is not its own, so
nothing is ever measured twice in one.
"""

from __future__ import annotations

import importlib
import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from manifests.errors import UserError
from prep.processes import ask, serve

_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Measured:
    """Seconds of the work alone; peak of memory in bytes, program and preparation included."""

    seconds: float
    peak_bytes: int


def measure(stage: str, work: str, place: Path) -> Measured:
    """Run ``CASES[work](place)`` of ``prep.bench.<stage>`` in a process of its own.

    Raises UserError with the last line it said when it fails.
    """
    words = {"stage": stage, "work": work, "place": str(place)}
    try:
        return Measured(**ask("prep.bench.apart", words))
    except UserError as error:
        raise UserError(f"{work} cannot be measured: {error}") from None


def main(words: dict[str, Any]) -> dict[str, Any]:
    """Prepare, then measure; what is measured is what the case returns when it is called."""
    cases = importlib.import_module(f"prep.bench.{words['stage']}").CASES
    run = cases[words["work"]](Path(words["place"]))
    start = time.perf_counter()
    run()
    return asdict(Measured(time.perf_counter() - start, _peak_bytes()))


def _peak_bytes() -> int:
    """Most memory this program held; not that of the process that started it, where Linux tells."""
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    sys.exit(serve(main))
