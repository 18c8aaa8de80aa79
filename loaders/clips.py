"""The public loader: a store, a subset and views in; batches on the device out.

::

    with ClipLoader(store, subset, TrainViews(), 32, seed=1, device="cuda") as loader:
        for batch in loader.epoch(0):
            model(batch.clips, batch.labels)
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import itertools
import logging
import weakref
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import TracebackType
from typing import TYPE_CHECKING, Literal

import torch

from loaders.cpu import CpuBackend
from loaders.faults import ON_ERROR, OnError
from loaders.plan import Planner, StepPlan
from loaders.views import TrainViews, Views
from loaders.watchdog import WaitLimits
from manifests.errors import UserError
from shards.store import ShardStore
from shards.subsets import Subset

if TYPE_CHECKING:
    from loaders.dali import DaliBackend

BackendName = Literal["auto", "cpu", "dali"]
DTYPES = (torch.float32, torch.bfloat16, torch.float16)

_Made = Generator[tuple[StepPlan, torch.Tensor], None, None]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Batch:
    """B videos, each seen in one or more views.

    ``clips`` (B * views, T, 3, S, S) on the device, normalised, in the loader's ``dtype``, the
    views of one video after another, crops outside, clips inside. ``labels`` int64 (B,) on the
    device, local labels of the subset. ``rows`` int64 (B,) on the device, official rows; padding,
    at the end of an evaluation only, has row -1, label 0 and zeros for pixels. ``replaced`` clips
    were not those planned, as these could not be used: others stand in for them (training), or they
    became padding (evaluation).
    """

    clips: torch.Tensor
    labels: torch.Tensor
    rows: torch.Tensor
    views: int
    replaced: int = 0


class ClipLoader:
    """Batches of a subset for one rank, the same ones whatever reads them and wherever it starts.

    store, subset: the shards and the clips among them. views: ``TrainViews`` gives shuffled global
    batches of ``batch`` clips, shared evenly by the ranks, the last short one dropped;
    ``TestViews`` gives every clip exactly once over all ranks, ``batch`` videos per rank and step,
    the same number of steps on each rank. seed: order and augmentation. rank, world: this rank of
    so many. device: where batches end up. dtype: float32, bfloat16 or float16 of the clips, rounded
    from float32 once they are on the device. published_drop: evaluate only what the followed code's
    loaders do, on 8 ranks in batches of 2, whatever this loader's are. backend: ``dali`` decodes
    with NVIDIA DALI, ``cpu`` with libjpeg-turbo and OpenCV, ``auto`` takes DALI on a GPU where it
    is installed. threads: how many clips are decoded at once; they live until ``close``.
    shuffle_tars: read so many tars at a time, shuffled inside (blocks.py); 0 shuffles everything.
    on_error: ``raise``, or ``substitute`` for a clip whose frames cannot be used (faults.py).
    limits: how long nothing may move before the wait is logged, and ended (watchdog.py).

    Raises UserError when the subset does not fit the store or the batch, or a backend is missing.
    """

    def __init__(
        self,
        store: ShardStore,
        subset: Subset,
        views: Views,
        batch: int,
        *,
        seed: int = 1,
        rank: int = 0,
        world: int = 1,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        published_drop: bool = False,
        backend: BackendName = "auto",
        threads: int = 2,
        shuffle_tars: int = 0,
        on_error: OnError = "raise",
        limits: WaitLimits | None = None,
    ) -> None:
        if threads < 1:
            raise UserError(f"{threads} loader threads: at least 1")
        if on_error not in ON_ERROR:
            raise UserError(f"on_error {on_error!r}: one of {', '.join(ON_ERROR)}")
        if dtype not in DTYPES:
            raise UserError(f"clips in {dtype}: one of {', '.join(map(str, DTYPES))}")
        self._planner = Planner(
            store,
            subset,
            views,
            batch,
            seed=seed,
            rank=rank,
            world=world,
            published_drop=published_drop,
            shuffle_tars=shuffle_tars,
        )
        store.tars.want(self._planner.wanted, blocks=bool(shuffle_tars))
        self._training = isinstance(views, TrainViews)
        self._device, self._dtype = torch.device(device), dtype
        self.steps_per_epoch = self._planner.steps
        self.identity = self._planner.identity
        self.rows = self._planner.shown_rows
        self.backend, self.why = choose(backend, self._device)
        _say(self.backend, self.why)
        build = _backend_class(self.backend)
        self._backend = build(self._planner, self._device, threads, on_error, limits)
        # Weak, so that an iterator nobody holds any more ends at once.
        self._current: weakref.ref[Generator[Batch, None, None]] | None = None
        self._made: _Made | None = None
        self._made_for = -1
        _open.add(self)

    @cached_property
    def displacement(self) -> int:
        """Largest distance, in source frames, of a wanted test frame from the stored one shown for
        it, over the subset; 0 where all frames are stored."""
        return self._planner.displacement()

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """This rank's batches of an epoch from a step on; any step is as cheap a start as step 0.

        One epoch runs at a time: a new one ends the one before. It may be left early. While the
        last batches of a training epoch are used, the first of the next are made; they are dropped
        if another is asked for. Raises FrameError, at the batch it belongs to, when a frame is not
        what was stored.
        """
        if not 0 <= start_step <= self.steps_per_epoch:
            raise ValueError(f"step {start_step} of an epoch of {self.steps_per_epoch}")
        self._end_current()
        batches = self._batches(epoch, start_step)
        self._current = weakref.ref(batches)
        return batches

    def _batches(self, epoch: int, start_step: int) -> Generator[Batch, None, None]:
        made = self._going_on(epoch, start_step)
        with contextlib.ExitStack() as left_early:
            left_early.callback(made.close)
            for plan, clips in itertools.islice(made, self.steps_per_epoch - start_step):
                yield Batch(
                    clips=clips.to(self._dtype),
                    labels=torch.from_numpy(plan.labels).to(self._device),
                    rows=torch.from_numpy(plan.rows).to(self._device),
                    views=len(clips) // len(plan.rows),
                    replaced=plan.replaced,
                )
            if self._training:
                left_early.pop_all()
                self._made, self._made_for = made, epoch + 1

    def _going_on(self, epoch: int, start_step: int) -> _Made:
        """What the backend makes from a step of an epoch on, under way already if it follows."""
        made, self._made = self._made, None
        if made is not None and (epoch, start_step) == (self._made_for, 0):
            return made
        if made is not None:
            made.close()
        return self._backend.run(self._plans(epoch, start_step))

    def _plans(self, epoch: int, start_step: int) -> Iterator[StepPlan]:
        """Plans from a step on; in training without end, as one epoch follows the other."""
        for number in itertools.count(epoch) if self._training else (epoch,):
            for step in range(start_step if number == epoch else 0, self.steps_per_epoch):
                yield self._plan(number, step)

    def _plan(self, epoch: int, step: int) -> StepPlan:
        self._planner.store.tars.soon(self._planner.upcoming(epoch, step))
        return self._planner.step(epoch, step)

    def close(self) -> None:
        """End the running epoch and the threads."""
        _open.discard(self)
        self._end_current()
        if self._made is not None:
            self._made.close()
        self._backend.close()

    def _end_current(self) -> None:
        current = self._current() if self._current is not None else None
        if current is not None:
            current.close()

    def __enter__(self) -> ClipLoader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


_open: weakref.WeakSet[ClipLoader] = weakref.WeakSet()


@lru_cache
def _close_at_exit() -> None:
    """Have what a program leaves open closed before DALI, which must be loaded by now, is."""
    atexit.register(_close_all)


def _close_all() -> None:
    for loader in list(_open):
        loader.close()


def choose(backend: BackendName, device: torch.device) -> tuple[str, str]:
    """The backend that is used and why; UserError when the one asked for cannot be."""
    installed = dali_installed()
    if backend == "dali" and not installed:
        raise UserError(
            "backend dali needs NVIDIA DALI: install actionshards[cuda12] or actionshards[cuda13], "
            "or use backend cpu"
        )
    if backend != "auto":
        return backend, "asked for"
    if device.type != "cuda":
        return "cpu", f"batches go to {device.type}, where OpenCV is the faster"
    if not installed:
        return "cpu", "DALI is not installed (extras cuda12, cuda13)"
    return "dali", "batches go to a GPU and DALI is installed"


@lru_cache
def _say(backend: str, why: str) -> None:
    """Log the choice, once a process: a run has a loader for every test."""
    _log.info("frames are decoded by %s: %s", backend, why)


def _backend_class(name: str) -> type[CpuBackend] | type[DaliBackend]:
    if name == "cpu":
        return CpuBackend
    from loaders.dali import DaliBackend  # an extra, and slow to import

    _close_at_exit()
    return DaliBackend


def dali_installed() -> bool:
    """Whether NVIDIA DALI can be imported, without importing it."""
    try:
        return importlib.util.find_spec("nvidia.dali") is not None
    except ModuleNotFoundError:
        return False
