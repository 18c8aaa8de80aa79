"""Ctrl-C and SIGTERM: finish the update, save, leave."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType

from manifests.errors import UserError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StoppedError(UserError):
    """A signal ended the run; the message says where its state lies."""


class StopSignals:
    """Notes a signal while `deferred`, so that the loop can save; raises StoppedError at once else.

    A second signal of the same kind always ends the run at once: the last saved state stays.
    """

    def __init__(self) -> None:
        self.requested: str = ""
        self.deferred = False
        self._seen: set[int] = set()
        self._before: dict[int, object] = {}

    def __enter__(self) -> StopSignals:
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, _frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if not self.deferred or number in self._seen:
            raise StoppedError(f"stopped by {name}; --resume goes on from the last saved state")
        self._seen.add(number)
        self.requested = name
