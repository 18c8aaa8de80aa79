"""Figures of every update: one JSON line each, always; a progress line on a terminal."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.tracking import GeneralTracker, on_main_process
from tqdm import tqdm

from shards.atomic import atomic_write


class JSONLines(GeneralTracker):  # type: ignore[misc]
    """Accelerate tracker that appends `{"update": 7, "loss": …}` to a file."""

    name = "jsonl"
    requires_logging_directory = False

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    @property
    def tracker(self) -> Path:
        """The file."""
        return self.path

    @on_main_process  # type: ignore[untyped-decorator]
    def store_init_configuration(self, values: dict[str, Any]) -> None:
        """Nothing: the recipe has a file of its own."""

    @on_main_process  # type: ignore[untyped-decorator]
    def log(self, values: dict[str, Any], step: int | None = None, **_: Any) -> None:
        """Append one line; a crash loses nothing that was logged."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"update": step, **values}) + "\n")


def trim_log(path: Path, updates: int) -> None:
    """Drop lines of updates that a resumed run will do again (`update >= updates`)."""
    if not path.is_file():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            before = json.loads(line)["update"] < updates
        except ValueError:  # the last line of a killed run
            continue
        if before:
            kept.append(f"{line}\n")
    atomic_write(path, "".join(kept).encode())


class Pace:
    """Clips per second and the share of time spent waiting for data.

    earlier: seconds that the stopped runs before this one spent. substituted: clips that stood in
    for others there.
    """

    def __init__(self, earlier: float = 0.0, substituted: int = 0, window: int = 50) -> None:
        self._earlier = earlier
        self.substituted = substituted
        self._recent: deque[tuple[float, int]] = deque(maxlen=window)
        self.clips = 0
        self.waited = 0.0
        self.seconds = 0.0
        self._last = time.perf_counter()

    def restart(self) -> None:
        """Leave out what happened since the last step: an evaluation, a save."""
        self._last = time.perf_counter()

    def step(self, clips: int, waited: float) -> None:
        """One update done: `clips` over all ranks, `waited` seconds for this rank's batch."""
        now = time.perf_counter()
        spent, self._last = now - self._last, now
        self._recent.append((spent, clips))
        self.clips += clips
        self.waited += waited
        self.seconds += spent

    @property
    def total(self) -> float:
        """Seconds spent training, in the runs before this one too."""
        return self._earlier + self.seconds

    @property
    def rate(self) -> float:
        """Clips per second of the last updates."""
        spent = sum(seconds for seconds, _ in self._recent)
        return sum(clips for _, clips in self._recent) / spent if spent else 0.0

    @property
    def wait_share(self) -> float:
        """Share of the training time spent waiting for data."""
        return self.waited / self.seconds if self.seconds else 0.0


def progress_line(total: int, done: int, accelerator: Accelerator) -> tqdm[Any]:
    """Progress of the updates; silent on other ranks and where nobody looks."""
    quiet = not accelerator.is_main_process or not sys.stderr.isatty()
    bar: tqdm[Any] = tqdm(
        total=total, initial=done, unit="update", disable=quiet, dynamic_ncols=True
    )
    return bar
