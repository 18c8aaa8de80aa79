"""Threads that say what they are at, and that nothing has to wait for.

The pool of ``concurrent.futures`` is joined when Python ends, so that one thread stuck in a read of
a dead file server would hold the process for ever. These threads are daemons: they are joined for
a moment, then left behind. Joined they must be, at the end of Python too: a daemon that comes back
from C++ into an interpreter that is gone takes the process down with an abort.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
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
        self.ended = False
        self.threads: list[threading.Thread] = []


class Workers:
    """So many threads that live until ``close``, or until nobody holds the pool any more."""

    def __init__(self, count: int, name: str) -> None:
        self._state = state = _State()
        for number in range(count):
            thread = threading.Thread(target=_live, args=(state,), name=f"{name}-{number}")
            thread.daemon = True
            state.threads.append(thread)
            thread.start()
        _states.add(state)
        weakref.finalize(self, _end, state)

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
        _end(self._state)
        _join([self._state])


_states: weakref.WeakSet[_State] = weakref.WeakSet()


def _end(state: _State) -> None:
    """Have the threads end after what they are at; what waits is cancelled."""
    state.ended = True
    with contextlib.suppress(Empty):
        while True:
            task = state.tasks.get_nowait()
            if task is not None:
                task.future.cancel()
    for _ in state.threads:
        state.tasks.put(None)


def _join(states: list[_State]) -> None:
    deadline = time.monotonic() + JOIN_S
    for state in states:
        for thread in state.threads:
            thread.join(max(0.0, deadline - time.monotonic()))


@atexit.register
def _end_all() -> None:
    states = list(_states)
    for state in states:
        _end(state)
    _join(states)


def _live(state: _State) -> None:
    me = threading.get_ident()
    while (task := state.tasks.get()) is not None:
        if state.ended:
            task.future.cancel()
        elif task.future.set_running_or_notify_cancel():
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
