"""One machine: a pool of processes, one shard a task.

::

    parent --task--> worker --ticks, then the result--> parent      one pipe a worker

Workers are spawned (a fork would copy the threads of Arrow and ffmpeg's libraries in an unknown
state), have a process group of their own (Ctrl-C on a terminal reaches the parent alone, not the
ffmpeg of a worker, whose early end would read as a broken video), and die with the parent: the
kernel kills them, so that no orphan of a killed run writes on. ``ProcessPoolExecutor`` is not used
because one dead worker breaks all of it; here its task alone is tried again, once.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, NoReturn, TypeVar

from manifests.errors import UserError
from shards.plan import ShardTask

Result = TypeVar("Result")
#: What a worker does: makes a shard, and tells after each clip whether it was refused.
Tick = Callable[[bool], None]
Work = Callable[[ShardTask, Tick], Result]
#: What the caller hears: clips done (negative when a task starts anew), refused ones among them.
Progress = Callable[[int, int], None]

# decord is known to leak: a worker makes way for a fresh one after so many shards.
_SHARDS_PER_WORKER = 16
_TRIES = 2
_GRACE_S = 5.0
_PR_SET_PDEATHSIG = 1


@dataclass
class _Attempt:
    """A task on its way, and how often it was begun."""

    task: ShardTask
    tries: int = 1


@dataclass
class _Worker:
    """A process, the parent's end of its pipe, and what it is at."""

    process: BaseProcess
    pipe: Connection
    attempt: _Attempt | None = None
    made: int = 0
    clips: int = 0
    refused: int = 0


def run_local(
    work: Work[Result], tasks: Iterable[ShardTask], workers: int, progress: Progress
) -> Iterator[Result]:
    """Yield the result of ``work`` for every task, in the order in which they end.

    ``work`` and results are pickled. A UserError of a worker, or a worker that died twice over one
    task, ends the run with one line; workers are gone when the generator is closed or ends.
    """
    pool = _Pool(work, iter(tasks), workers, progress)
    try:
        yield from pool.results()
    finally:
        pool.stop()


@dataclass
class _Pool(Generic[Result]):
    work: Work[Result]
    tasks: Iterator[ShardTask]
    size: int
    progress: Progress
    workers: list[_Worker] = field(default_factory=list)
    again: deque[_Attempt] = field(default_factory=deque)

    def results(self) -> Iterator[Result]:
        """Keep every worker busy until nothing is left."""
        while self._fill():
            for pipe in wait([worker.pipe for worker in self.workers]):
                worker = next(worker for worker in self.workers if worker.pipe is pipe)
                try:
                    kind, content = worker.pipe.recv()
                except (EOFError, OSError):
                    self._mourn(worker)
                    continue
                if kind == "made":
                    worker.attempt = None
                    worker.made += 1
                    yield content
                elif kind == "clip":
                    self._count(worker, 1, int(content))
                elif kind == "refused":
                    raise UserError(content)
                else:
                    raise RuntimeError(f"a worker failed\n{content}")

    def stop(self) -> None:
        """End all workers: asked first, so that they clear up after themselves, then made to."""
        for worker in self.workers:
            worker.process.terminate()
        for worker in self.workers:
            worker.process.join(_GRACE_S)
            if worker.process.exitcode is None:
                worker.process.kill()
                worker.process.join()
            worker.pipe.close()
        self.workers.clear()

    def _fill(self) -> bool:
        """Give idle workers a task, start new ones where there is work; False when all is done."""
        for worker in [w for w in self.workers if w.attempt is None]:
            attempt = self._next() if worker.made < _SHARDS_PER_WORKER else None
            if attempt is None:
                self._dismiss(worker)
            else:
                self._give(worker, attempt)
        while len(self.workers) < self.size and (attempt := self._next()) is not None:
            worker = _start(self.work)
            self.workers.append(worker)
            self._give(worker, attempt)
        return bool(self.workers)

    def _next(self) -> _Attempt | None:
        if self.again:
            return self.again.popleft()
        task = next(self.tasks, None)
        return None if task is None else _Attempt(task)

    def _give(self, worker: _Worker, attempt: _Attempt) -> None:
        worker.attempt, worker.clips, worker.refused = attempt, 0, 0
        # One that is dead already is found by the next wait, and mourned.
        with contextlib.suppress(OSError):
            worker.pipe.send(attempt.task)

    def _dismiss(self, worker: _Worker) -> None:
        """Let a worker go that has nothing to do: its pipe closed, it ends by itself."""
        self.workers.remove(worker)
        worker.pipe.close()
        worker.process.join()

    def _mourn(self, worker: _Worker) -> None:
        """A worker is dead: have its task done by another, or name what kills workers."""
        self.workers.remove(worker)
        worker.pipe.close()
        worker.process.join()
        attempt = worker.attempt
        if attempt is None:
            return
        if attempt.tries >= _TRIES:
            raise UserError(_death(attempt.task, worker))
        self._count(worker, -worker.clips, -worker.refused)
        self.again.append(_Attempt(attempt.task, attempt.tries + 1))

    def _count(self, worker: _Worker, clips: int, refused: int) -> None:
        worker.clips += clips
        worker.refused += refused
        self.progress(clips, refused)


def _death(task: ShardTask, worker: _Worker) -> str:
    code = worker.process.exitcode or 0
    how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
    files = [clip.file for clip in task.clips]
    where = f" at {files[worker.clips]}" if worker.clips < len(files) else ""
    return (
        f"shard {task.shard} ended its worker {_TRIES} times, last {how}{where}: if memory is "
        "short use fewer --workers, else another --decoder, or take that file away; what is "
        "finished is kept"
    )


def _start(work: Work[Any]) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(work, theirs, os.getpid()), daemon=True)
    # The first start of all starts multiprocessing's tracker, which unblocks the signal on its way.
    resource_tracker.ensure_running()
    with _interrupts_later():
        process.start()
    theirs.close()  # so that the pipe ends when the worker does
    return _Worker(process, ours)


@contextlib.contextmanager
def _interrupts_later() -> Iterator[None]:
    """Keep Ctrl-C until the block has ended: half a start would leave a worker without its words.

    The child inherits that the signal is blocked. That alone is not enough here: a thread of some
    library may take the signal, and Python then interrupts the main thread all the same.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is ever interrupted
        return
    came: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
        if came:
            signal.raise_signal(signal.SIGINT)


def _serve(work: Work[Any], pipe: Connection, parent: int) -> None:
    """The worker: make the shards that come through the pipe until it closes."""
    die_with_parent(parent)
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    signal.signal(signal.SIGTERM, _leave)
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        pipe.send(_answer(work, task, lambda refused: pipe.send(("clip", refused))))


def _answer(work: Work[Any], task: ShardTask, tick: Tick) -> tuple[str, Any]:
    try:
        return "made", work(task, tick)
    except UserError as error:
        return "refused", str(error)
    except Exception:
        return "failed", f"{task.shard}: {traceback.format_exc()}"


def _leave(*_: object) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent, of that number, ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before it could be asked for
        os._exit(1)


def usable_cores() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0))
