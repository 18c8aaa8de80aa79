"""When a loss that is still a number has run away.

Cross entropy over cosines is bounded, so a run that is lost need never reach infinity: its loss
climbs and stays up. What counts is the mean over a window of updates, against the mean over the
first window, in which the rate is still warming up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

WINDOW = 50  # updates


class Divergence:
    """Watches one loss, update by update.

    factor: how many times the first window's mean, or 1 where that is less, is too much; 0: nothing
    is. first: the losses of the first window so far, from a run before this one.
    """

    def __init__(self, factor: float, first: Sequence[float] = ()) -> None:
        self.factor = factor
        self._first = list(first)
        self._recent: deque[float] = deque(maxlen=WINDOW)

    @property
    def first(self) -> list[float]:
        """Losses of the first window so far: what a stopped run hands on."""
        return list(self._first)

    def told(self, loss: float) -> str:
        """Note an update's loss; what is wrong by now, empty when nothing is."""
        if len(self._first) < WINDOW:
            self._first.append(loss)
            return ""
        self._recent.append(loss)
        if not self.factor or len(self._recent) < WINDOW:
            return ""
        start, now = (sum(losses) / WINDOW for losses in (self._first, self._recent))
        if now <= self.factor * max(start, 1.0):
            return ""
        return f"diverges: {now:.3f} over the last {WINDOW} updates, {start:.3f} over the first"
