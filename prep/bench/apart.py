"""Measuring something in a process of its own: seconds, and the most memory it ever held.

::

    measure("tables", "open", place)  --python -m prep.bench.apart tables open PLACE-->  JSON

A process that did other work before has warm allocators and a peak that is not its own, so
nothing is ever measured twice in one.
"""

from __future__ import annotations

import importlib
import json
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from manifests.errors import UserError

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
    line = [sys.executable, "-m", "prep.bench.apart", stage, work, str(place)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["killed, perhaps for want of memory"]
        raise UserError(f"{work} could not be measured: {last[0]}")
    return Measured(**json.loads(done.stdout))


def main(stage: str, work: str, place: str) -> str:
    """Prepare, then measure; what is measured is what the case returns when it is called."""
    run = importlib.import_module(f"prep.bench.{stage}").CASES[work](Path(place))
    start = time.perf_counter()
    run()
    return json.dumps(asdict(Measured(time.perf_counter() - start, _peak_bytes())))


def _peak_bytes() -> int:
    """Most memory this program held; not that of the process that started it, where Linux tells."""
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    sys.stdout.write(main(*sys.argv[1:]))
