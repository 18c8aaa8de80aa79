"""No hang: whoever waits for a clip is told what it waits for, and in the end does not.

A read from a dead file server never returns and cannot be interrupted. So what is waited for is a
task of ``Workers``; when nothing moves, neither a task nor a byte of a download, the wait is told
in the log every ``warn_s`` and ends with StallError after ``limit_s``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import TypeVar

from loaders.workers import Workers
from shards.store import OutOfReachError, ShardStore

T = TypeVar("T")

_TICK_S = 1.0
_log = logging.getLogger(__name__)


class StallError(OutOfReachError):
    """Nothing moved for too long; the message says which clip was waited for, and what was on."""


@dataclass(frozen=True)
class WaitLimits:
    """How long nothing may move."""

    warn_s: float = 30.0
    """Seconds after which, and every so many from there, the wait is logged."""
    limit_s: float = 600.0
    """Seconds after which it is given up."""


class Watchdog:
    """Waits for tasks of some pools that read from a store."""

    def __init__(self, store: ShardStore, pools: Sequence[Workers], limits: WaitLimits) -> None:
        self._store, self._pools, self._limits = store, pools, limits

    def results(self, tasks: Sequence[Future[T]], clips: Sequence[int]) -> list[T]:
        """What tasks made of clips (their positions in the store); raises what the first raised.

        All are waited for at once: a thread that woke for each would take turns from those that
        work. Raises StallError when nothing at all has moved for ``limit_s``.
        """
        since, warned, seen = time.monotonic(), 0, self._moves()
        tick = min(_TICK_S, self._limits.warn_s, self._limits.limit_s)
        while wait(tasks, timeout=tick).not_done:
            moves, now = self._moves(), time.monotonic()
            if moves != seen:
                since, warned, seen = now, 0, moves
            clip = next((c for t, c in zip(tasks, clips, strict=True) if not t.done()), clips[-1])
            if now - since >= self._limits.limit_s:
                raise StallError(f"{self._words(clip, now - since)}; {_ADVICE}")
            if now - since >= self._limits.warn_s * (warned + 1):
                warned += 1
                _log.warning("%s", self._words(clip, now - since))
        return [task.result() for task in tasks]

    def _moves(self) -> int:
        return sum(pool.done for pool in self._pools) + self._store.tars.progress

    def _words(self, clip: int, seconds: float) -> str:
        now = time.monotonic()
        busy = [activity for pool in self._pools for activity in pool.busy()]
        at = [f"{a.stage} {self._name(a.clip)} for {now - a.since:.0f} s" for a in busy[:4]]
        more = f" and {len(busy) - 4} more" if len(busy) > 4 else ""
        return (
            f"{self._store.info.benchmark}: nothing has moved for {seconds:.0f} s while waiting "
            f"for {self._name(clip)}; at work: {', '.join(at) or 'nobody'}{more}"
        )

    def _name(self, clip: int) -> str:
        layout = self._store.layout
        return f"clip {layout.key(clip)} of shard {layout.shard(clip).name}"


_ADVICE = (
    "the disk, file server or network does not answer: mend that and run the same command again "
    "(a training run: with --resume)"
)
