"""Threads that say what they are at, and that nothing has to wait for.

The pool of ``concurrent.futures`` is joined when Python ends, so that one thread stuck in a read of
a dead file server would hold the process for ever. These threads are daemons: they are joined for
a moment, then left behind.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

S = TypeVar("S")
T = TypeVar("T")

JOIN_S = 2.0
"""How long ``close`` waits for what is under way, seconds."""


@dataclass(frozen=True)
class Activity:
    """What one thread is at: the stage, the clip (its position in the store), since when."""

    stage: str
    clip: int
    since: float


@dataclass(frozen=True)
class _Task:
    future: Future[Any]
    stage: str
    clip: int
    work: Callable[[], Any]


class _State:
    """What the threads share with their pool, without holding it."""

    def __init__(self) -> None:
        self.tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self.at: dict[int, Activity] = {}
        self.done = 0


class Workers:
    """So many threads that live until ``close``, or until nobody holds the pool any more."""

    def __init__(self, count: int, name: str) -> None:
        self._state = _State()
        self._threads = [
            threading.Thread(
                target=_live, args=(self._state,), name=f"{name}-{number}", daemon=True
            )
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()
        self._end = weakref.finalize(self, _end, self._state, count)

    def submit(self, stage: str, clip: int, work: Callable[[], T]) -> Future[T]:
        """Have work done; the stage and the clip are what ``busy`` tells of it."""
        future: Future[T] = Future()
        self._state.tasks.put(_Task(future, stage, clip, work))
        return future

    def submit_after(
        self, first: Future[S], stage: str, clip: int, work: Callable[[Future[S]], T]
    ) -> Future[T]:
        """Have work done on a finished future, once it is; no thread waits for that."""
        future: Future[T] = Future()
        tasks = self._state.tasks
        first.add_done_callback(
            lambda done: tasks.put(_Task(future, stage, clip, partial(work, done)))
        )
        return future

    def busy(self) -> list[Activity]:
        """What the threads are at, the longest first."""
        return sorted(self._state.at.values(), key=lambda activity: activity.since)

    @property
    def done(self) -> int:
        """Tasks done so far: grows as long as anything moves."""
        return self._state.done

    def close(self) -> None:
        """End the threads after what they are at; one that is stuck is left behind."""
        self._end()
        deadline = time.monotonic() + JOIN_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))


def _end(state: _State, count: int) -> None:
    for _ in range(count):
        state.tasks.put(None)


def _live(state: _State) -> None:
    me = threading.get_ident()
    while (task := state.tasks.get()) is not None:
        if task.future.set_running_or_notify_cancel():
            state.at[me] = Activity(task.stage, task.clip, time.monotonic())
            _do(task)
            del state.at[me]
            state.done += 1
        del task  # or it would hold its batch until the next one comes


def _do(task: _Task) -> None:
    try:
        result = task.work()
    except BaseException as error:
        task.future.set_exception(error)
    else:
        task.future.set_result(result)
