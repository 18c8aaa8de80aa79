"""The loop: one epoch after another, one update after another, nothing hidden.

::

    batch -> parts -> towers -> cross entropy + alpha * consistency -> gradients -> AdamW at lr(t)

What a step means (rows, order, frames, augmentation) is decided by the loader from (seed, epoch,
step), so a run that stopped goes on at (epoch, step) and ends with the weights of one that never
stopped. The figures of an update are looked at one update later, when the device has them anyway:
a loss that is no number or runs away, and a signal, are therefore acted upon one update late, on
all ranks alike.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate import Accelerator

from train.checkpoint import Progress, save_state
from train.diverging import Divergence
from train.following import Follower
from train.recipes.records import Optim
from train.schedule import lr_at
from train.stopping import StoppedError, StopSignals
from train.tracking import Pace, progress_line


class TrainingBatch(Protocol):
    """What the loader yields for training: one clip a row."""

    @property
    def clips(self) -> torch.Tensor:
        """`(B, T, 3, H, W)`."""

    @property
    def labels(self) -> torch.Tensor:
        """`(B,)`, places among the training classes."""

    @property
    def rows(self) -> torch.Tensor:
        """`(B,)`, official rows."""

    @property
    def replaced(self) -> int:
        """Clips that stand in for others that could not be read."""


class TrainingLoader(Protocol):
    """Epochs of batches, the same global batches for any number of ranks."""

    @property
    def steps_per_epoch(self) -> int:
        """Updates of one epoch; the last short batch is dropped."""

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Any]:
        """Batches of this rank from a step on."""


@dataclass
class Loop:
    """What the loop works with.

    model: prepared; maps (clips, labels, rows, update) to scalars, of which `loss` is trained on.
    save_steps: also save every so many updates inside an epoch; 0 saves after each epoch only.
    diverging: see `train.diverging.Divergence`.
    """

    accelerator: Accelerator
    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    loader: TrainingLoader
    optim: Optim
    out: Path
    save_steps: int = 0
    diverging: float = 0.0


def train(
    loop: Loop, progress: Progress, evaluate: Callable[[Progress], Progress]
) -> tuple[Progress, Pace]:
    """Train from `progress` to the last epoch; returns where it ended and how fast it went.

    evaluate is called before the first and after each epoch and returns the progress with what it
    found. Raises StoppedError, after saving, when a signal came; UserError when the loss is no
    number or diverges.
    """
    steps = loop.loader.steps_per_epoch
    pace = Pace(progress.seconds, progress.substituted)
    bar = progress_line(loop.optim.epochs * steps, progress.update, loop.accelerator)
    with StopSignals() as signals, bar as line:
        divergence = Divergence(loop.diverging, progress.first_losses)
        follower = Follower(loop.accelerator, signals, pace, line, divergence)
        progress = evaluate(progress)
        while progress.epoch < loop.optim.epochs:
            with signals.deferred():
                progress = _epoch(loop, progress, follower)
                _save(loop, progress, follower)
            progress = evaluate(progress)
    return progress, pace


def _epoch(loop: Loop, progress: Progress, follower: Follower) -> Progress:
    """The updates of one epoch from `progress.step` on."""
    steps = loop.loader.steps_per_epoch
    batches = loop.loader.epoch(progress.epoch, progress.step)
    follower.pace.restart()
    for batch, waited in _timed(batches):
        rate = learning_rate(loop.optim, progress.update, steps)
        figures = _update(loop, batch, progress.update, rate)
        stop = follower.follow(progress, figures, batch.rows, rate, waited, batch.replaced)
        progress = _next(progress, steps)
        if stop:
            _save_and_leave(loop, progress, follower)
        if loop.save_steps and progress.step and progress.update % loop.save_steps == 0:
            follower.finish()
            _save(loop, progress, follower)
            follower.pace.restart()
    if follower.finish():
        _save_and_leave(loop, progress, follower)
    return progress


def learning_rate(optim: Optim, update: int, steps_per_epoch: int) -> float:
    """Rate of update number `update` (from 0)."""
    if optim.schedule == "constant" and update >= optim.warmup_epochs * steps_per_epoch:
        return optim.lr
    return lr_at(update, optim.lr, optim.epochs, optim.warmup_epochs, steps_per_epoch)


def _update(loop: Loop, batch: TrainingBatch, update: int, rate: float) -> dict[str, torch.Tensor]:
    """One update of the weights; figures of this rank's share of the batch.

    The gradients of the parts add up to that of the whole share: accumulation saves memory only.
    """
    accelerator = loop.accelerator
    for group in loop.optimizer.param_groups:
        group["lr"] = rate
    totals: dict[str, torch.Tensor] = {}
    for part, last in _parts(len(batch.rows), loop.optim.accumulate):
        weight = (part.stop - part.start) / len(batch.rows)
        with contextlib.nullcontext() if last else accelerator.no_sync(loop.model):
            figures = loop.model(batch.clips[part], batch.labels[part], batch.rows[part], update)
            accelerator.backward(figures["loss"] * weight)
        for name, value in figures.items():
            totals[name] = totals.get(name, 0.0) + value.detach() * weight
    if loop.optim.clip_norm:
        accelerator.clip_grad_norm_(loop.model.parameters(), loop.optim.clip_norm)
    loop.optimizer.step()
    loop.optimizer.zero_grad()
    return totals


def _parts(rows: int, count: int) -> Iterator[tuple[slice, bool]]:
    """Spans of nearly equal length that cover `rows`, and whether each is the last."""
    size = -(-rows // count)
    for start in range(0, rows, size):
        stop = min(start + size, rows)
        yield slice(start, stop), stop == rows


def _next(progress: Progress, steps: int) -> Progress:
    """One update done: after an epoch's last step comes step 0 of the next."""
    step = progress.step + 1
    epoch, step = (progress.epoch + 1, 0) if step == steps else (progress.epoch, step)
    return replace(progress, epoch=epoch, step=step, update=progress.update + 1)


def _timed(batches: Iterator[Any]) -> Iterator[tuple[Any, float]]:
    """Batches, each with the seconds it was waited for."""
    while True:
        before = time.perf_counter()
        batch = next(batches, None)
        if batch is None:
            return
        yield batch, time.perf_counter() - before


def _save(loop: Loop, progress: Progress, follower: Follower) -> Path:
    pace = follower.pace
    stamped = replace(
        progress,
        seconds=pace.total,
        substituted=pace.substituted,
        first_losses=follower.divergence.first,
    )
    return save_state(loop.accelerator, loop.out, stamped)


def _save_and_leave(loop: Loop, progress: Progress, follower: Follower) -> None:
    follower.finish()
    folder = _save(loop, progress, follower)
    raise StoppedError(
        f"stopped by {follower.signals.requested or 'a signal to another rank'} after update "
        f"{progress.update}; state saved in {folder}; --resume goes on from there"
    )
