"""What workers do in the tests of the pool: things that go well, badly, or end the worker."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from manifests.errors import UserError
from prep.engines import Tick
from shards.plan import ShardTask


@dataclass(frozen=True)
class Counting:
    """Ticks once a clip, refusing odd rows, and returns shard, rows and the worker's number."""

    def __call__(self, task: ShardTask, tick: Tick) -> tuple[str, list[int], int]:
        for clip in task.clips:
            tick(clip.row % 2 == 1)
        return task.shard, [clip.row for clip in task.clips], os.getpid()


@dataclass(frozen=True)
class Failing:
    """Raises over one shard: a UserError, or a mistake of the program."""

    shard: str
    mistake: bool = False

    def __call__(self, task: ShardTask, tick: Tick) -> str:
        if task.shard == self.shard:
            if self.mistake:
                raise ZeroDivisionError("a mistake of the program")
            raise UserError("cannot write it: no space left on device")
        return task.shard


@dataclass(frozen=True)
class Dying:
    """Ends its process over one shard after two clips, ``times`` times; counted in a folder."""

    shard: str
    times: int
    counter: Path
    how: int = signal.SIGKILL

    def __call__(self, task: ShardTask, tick: Tick) -> str:
        for number, clip in enumerate(task.clips):
            if (
                number == 2
                and task.shard == self.shard
                and len(list(self.counter.iterdir())) < self.times
            ):
                (self.counter / str(os.getpid())).touch()
                os.kill(os.getpid(), self.how) if self.how else os._exit(3)
            tick(clip.row % 2 == 1)
        return task.shard


@dataclass(frozen=True)
class Lingering:
    """Writes its process number down and sleeps; clears it away when it is asked to end."""

    folder: Path

    def __call__(self, task: ShardTask, tick: Tick) -> str:
        mark = self.folder / str(os.getpid())
        mark.touch()
        try:
            if task.shard != "all-00000":
                time.sleep(60)
        finally:
            mark.unlink()
        return task.shard


@dataclass(frozen=True)
class Noting:
    """Writes down where each task is begun; on one machine it then waits until that is lost.

    Others wait for that machine to begin one.
    """

    folder: Path
    held: str

    def __call__(self, task: ShardTask, tick: Tick) -> str:
        import ray

        node = ray.get_runtime_context().get_node_id()
        (self.folder / f"{task.shard} {node}").touch()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and (
            node == self.held or not list(self.folder.glob(f"* {self.held}"))
        ):
            time.sleep(0.05)
        for clip in task.clips:
            tick(clip.row % 2 == 1)
        return task.shard
