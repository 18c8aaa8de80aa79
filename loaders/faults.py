"""What happens to a clip that cannot be used: an error, or another clip in its place.

``raise``: FrameError when its batch is due. ``substitute``, in training: the first usable one of a
few clips of the subset drawn from (seed, epoch, row), so the same everywhere and every time, with
its own label, frames and augmentation. ``substitute``, in evaluation: nothing stands in for a
tested clip; it becomes padding, and counts as not evaluated.

Only a fault of the clip itself is mended so. When the network is down, the disk is full or nothing
moves, every clip would be replaced: that is always an error.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from loaders.draws import row_uniforms
from loaders.plan import Planner, StepPlan
from loaders.views import TestViews
from shards.store import FrameError, OutOfReachError

T = TypeVar("T")
Rows = npt.NDArray[np.int64]
OnError = Literal["raise", "substitute"]
ON_ERROR: tuple[OnError, ...] = ("raise", "substitute")

CANDIDATES = 8
"""Clips that are tried in place of one before it is an error after all."""

_log = logging.getLogger(__name__)


class Faults:
    """The rule of one loader."""

    def __init__(self, planner: Planner, on_error: OnError) -> None:
        self._planner, self._on_error = planner, on_error
        self._told: set[int] = set()

    def using(
        self, plan: StepPlan, i: int, work: Callable[[StepPlan, int], T]
    ) -> tuple[int, T | None]:
        """Work on clip i of a plan, or on what stands in for it.

        Returns the official row worked on and the result; -1 and None when the clip is left out.
        Raises the clip's FrameError when nothing may or can stand in for it.
        """
        row = int(plan.rows[i])
        try:
            return row, work(plan, i)
        except OutOfReachError:
            raise
        except FrameError as error:
            if self._on_error == "raise":
                raise
            return self._instead(plan.epoch, row, error, work)

    def mended(self, plan: StepPlan, rows: list[int]) -> StepPlan:
        """The plan of the rows that were worked on, (B,), padding last; itself when as planned."""
        used = np.array(rows, dtype=np.int64)
        if (used == plan.rows).all():
            return plan
        mended = self._planner.of_rows(plan.epoch, used[np.argsort(used < 0, kind="stable")])
        return replace(mended, replaced=plan.replaced + int((used != plan.rows).sum()))

    def _instead(
        self, epoch: int, row: int, error: FrameError, work: Callable[[StepPlan, int], T]
    ) -> tuple[int, T | None]:
        if isinstance(self._planner.views, TestViews):
            self._tell(row, "%s; it is not evaluated", error)
            return -1, None
        for other in stand_ins(self._planner.seed, epoch, row, self._planner.subset.rows):
            try:
                made = work(self._planner.of_rows(epoch, np.array([other])), 0)
            except OutOfReachError:
                raise
            except FrameError:
                continue
            self._tell(row, "%s; others stand in, row %d in epoch %d", error, other, epoch)
            return other, made
        raise error

    def _tell(self, row: int, words: str, *values: object) -> None:
        if row not in self._told:
            self._told.add(row)
            _log.warning(words, *values)


def stand_ins(seed: int, epoch: int, row: int, rows: Rows) -> list[int]:
    """Up to CANDIDATES different rows of ``rows`` (n,), none of them ``row``, in order of draw."""
    draws = row_uniforms(seed, epoch, "stand-in", np.array([row]), CANDIDATES)[0]
    drawn = rows[(draws * len(rows)).astype(np.int64)].tolist()
    return [other for other in dict.fromkeys(drawn) if other != row]
