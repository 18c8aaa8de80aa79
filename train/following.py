"""The figures of an update, looked at one update later: logged, shown, and acted upon.

Asking a device for a number right after launching the work would make it wait for us; the number
of the update before is there already. Ranks take the mean of their figures, so all of them see
the same "no number" and the same wish to stop at the same update.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from tqdm import tqdm

from manifests.errors import UserError
from train.checkpoint import Progress
from train.diverging import Divergence
from train.stopping import StopSignals
from train.tracking import Pace


@dataclass
class _Pending:
    """Figures on their way: means over the ranks; the last two are the number of clips that stand
    in for others, and the wish to stop."""

    progress: Progress
    names: tuple[str, ...]
    values: torch.Tensor
    rows: torch.Tensor
    rate: float


class Follower:
    """Takes each update's figures and returns, one update later, whether to stop."""

    def __init__(
        self,
        accelerator: Accelerator,
        signals: StopSignals,
        pace: Pace,
        line: tqdm[Any],
        divergence: Divergence,
    ) -> None:
        self.accelerator = accelerator
        self.signals = signals
        self.pace = pace
        self.line = line
        self.divergence = divergence
        self._pending: _Pending | None = None

    def follow(
        self,
        progress: Progress,
        figures: dict[str, torch.Tensor],
        rows: torch.Tensor,
        rate: float,
        waited: float,
        replaced: int = 0,
    ) -> bool:
        """Note this update's figures, look at the last one's; True when the run is to stop.

        progress: before this update. rows: `(B,)` of this rank. waited: seconds for its batch.
        replaced: how many of its clips stand in for others.
        """
        stop = self.finish()
        wish = torch.tensor(float(bool(self.signals.requested)), device=rows.device)
        swapped = torch.tensor(float(replaced), device=rows.device)
        names = tuple(figures)
        own = torch.stack([*(figures[name].float().reshape(()) for name in names), swapped, wish])
        values = self.accelerator.reduce(own, reduction="mean")
        self._pending = _Pending(progress, names, values, rows, rate)
        self.pace.step(len(rows) * self.accelerator.num_processes, waited)
        return stop

    def finish(self) -> bool:
        """Look at the figures on their way, if any; True when the run is to stop.

        Raises UserError when the loss is no number, or has run away.
        """
        pending, self._pending = self._pending, None
        if pending is None:
            return False
        *values, swapped, wish = pending.values.tolist()
        self.pace.substituted += round(swapped * self.accelerator.num_processes)
        figures = dict(zip(pending.names, values, strict=True))
        if not all(math.isfinite(value) for value in values):
            odd = ", ".join(f"{name} {value}" for name, value in figures.items())
            self._refuse(pending, f"is no number: {odd}", "--precision fp32")
        self._report(pending, figures)
        if odd := self.divergence.told(figures["loss"]):
            self._refuse(pending, odd, "--diverging 0 to go on all the same")
        return bool(wish > 0)

    def _report(self, pending: _Pending, figures: dict[str, float]) -> None:
        pace = self.pace
        seen = {"clips_per_second": pace.rate, "data_wait": pace.wait_share}
        seen["substituted"] = pace.substituted
        place = {"epoch": pending.progress.epoch, "step": pending.progress.step}
        update = pending.progress.update
        self.accelerator.log({**place, **figures, "lr": pending.rate, **seen}, step=update)
        shown = {name: f"{value:.4f}" for name, value in figures.items()}
        self.line.set_postfix(
            {
                **shown,
                "lr": f"{pending.rate:.2e}",
                "clips/s": f"{self.pace.rate:.1f}",
                "wait": f"{self.pace.wait_share:.0%}",
            },
            refresh=False,
        )
        self.line.update()

    def _refuse(self, pending: _Pending, odd: str, other: str) -> None:
        rows = self.accelerator.gather(pending.rows).tolist()
        progress = pending.progress
        raise UserError(
            f"at update {progress.update} (epoch {progress.epoch}, step {progress.step}) the loss "
            f"{odd}; rows of the batch {rows}; lower --lr, or {other}; the last saved state is "
            "from before"
        )
