"""Ctrl-C and SIGTERM: finish the update, save, leave."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from manifests.errors import UserError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StoppedError(UserError):
    """A signal ended the run; the message says where its state lies."""


class StopSignals:
    """Notes a signal while deferred, so that the loop can save; raises StoppedError at once else.

    A second signal of the same kind always ends the run at once: the last saved state stays.
    """

    def __init__(self) -> None:
        self.requested: str = ""
        self._deferred = False
        self._seen: set[int] = set()
        self._before: dict[int, object] = {}

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """While inside, a first signal is only noted in `requested`."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    def __enter__(self) -> StopSignals:
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, _frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if not self._deferred or number in self._seen:
            raise StoppedError(f"stopped by {name}; --resume goes on from the last saved state")
        self._seen.add(number)
        self.requested = name
