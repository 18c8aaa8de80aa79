"""Pixels of a plan by NVIDIA DALI: nvJPEG on a GPU, libjpeg-turbo on a CPU.

::

    threads: frames of the next steps, checked --external source--> decode box -> resize, flip
      -> cut windows -> 8-bit pictures, one a distinct frame -> gather by place -> colours -> batch

DALI kills a whole batch for one bad sample, so a frame is read and checked before it gets there,
and an error ends the source; it is raised when the batch it belongs to is due. Should a frame not
decode although its bytes are those written, the batch is looked through, and made once more by a
pipeline of its own if clips may stand in. DALI also runs ahead by itself: ``due`` holds the plans
it has been given, and what it has in the making is taken out of it before another epoch starts.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.dlpack import from_dlpack

from loaders.buffers import Buffers
from loaders.colour import LUMA
from loaders.cpu import Desk, affine, undecodable
from loaders.faults import Faults, OnError
from loaders.pictures import Samples, Work, inputs, numbered, pipeline_of
from loaders.plan import Planner, StepPlan
from loaders.watchdog import WaitLimits, Watchdog
from loaders.workers import Workers
from manifests.errors import UserError

AHEAD = 2
"""Batches whose frames are read ahead of DALI, which itself works on two more."""

Read = tuple[int, list[bytes] | None]
"""The row that was read in the end, -1 for none, and its distinct frames."""


class DaliBackend:
    """Makes batches of plans in one pipeline and a pool of threads that live until ``close``."""

    def __init__(
        self,
        planner: Planner,
        device: torch.device,
        threads: int,
        on_error: OnError = "raise",
        limits: WaitLimits | None = None,
    ) -> None:
        """planner: whose plans will be run. threads: for painting, and for DALI."""
        self._store, self._size, self._device = planner.store, planner.views.size, device
        self._readers = Workers(max(threads, self._store.tars.readers), "read")
        self._workers = Workers(threads, "clips")
        pools = (self._readers, self._workers)
        self._watchdog = Watchdog(self._store, pools, limits or WaitLimits())
        self._faults = Faults(planner, on_error)
        self._buffers, self._desk = Buffers(), Desk()
        self._stream: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._source: Iterator[Samples] = iter(())
        self._error: Exception | None = None
        frames = planner.share * planner.views.clips * planner.views.frames
        self._new_pipeline = partial(pipeline_of, planner, device, frames, threads)
        self._pipeline = self._new_pipeline(self._next)

    def run(
        self, plans: Iterator[StepPlan]
    ) -> Generator[tuple[StepPlan, torch.Tensor], None, None]:
        """Batches (B * views, T, 3, S, S) on the device in the order of the plans, each with the
        plan it was made by in the end.

        Raises what reading raised, when its batch is due. Leaving early empties the pipeline.
        """
        due: deque[Work] = deque()
        self._source, self._error = self._samples(plans, due), None
        try:
            while (made := self._made(due)) is not None:
                work, pictures = made
                yield work.plan, self._batch(work, pictures)
            if self._error is not None:
                raise self._error
            for work in due:  # a last step of nothing but padding
                yield work.plan, self._empty(work.plan)
        finally:
            self._source = iter(())
            self._drain()
            self._pipeline.reset()

    def close(self) -> None:
        """End the threads and free the pipeline."""
        self._readers.close()
        self._workers.close()
        del self._pipeline

    def _next(self) -> Samples:
        return next(self._source)

    def _samples(self, plans: Iterator[StepPlan], due: deque[Work]) -> Iterator[Samples]:
        """What DALI is fed, frames read ahead; keeps an error for the one who waits."""
        waiting: deque[tuple[StepPlan, list[Future[Read]]]] = deque()
        try:
            while True:
                for plan in itertools.islice(plans, AHEAD + 1 - len(waiting)):
                    waiting.append((plan, self._start(plan)))
                if not waiting:
                    return
                work, jpegs = self._arrived(*waiting.popleft())
                due.append(work)
                if jpegs:
                    yield inputs(work, jpegs)
        except Exception as error:
            self._error = error
        finally:
            for _, tasks in waiting:
                for task in tasks:
                    task.cancel()

    def _start(self, plan: StepPlan) -> list[Future[Read]]:
        def read(i: int) -> Read:
            return self._faults.using(plan, i, self._read)

        return [
            self._readers.submit("reading", int(plan.clips[i]), partial(read, i))
            for i in range(plan.real)
        ]

    def _read(self, plan: StepPlan, i: int) -> list[bytes]:
        """The distinct frames of clip i, by ascending position."""
        return self._store.read_frames(int(plan.clips[i]), np.unique(plan.frames[i]).tolist())

    def _arrived(self, plan: StepPlan, tasks: list[Future[Read]]) -> tuple[Work, list[bytes]]:
        """What was read, by the plan of the clips that were read in the end."""
        found = self._watchdog.results(tasks, plan.clips[: plan.real].tolist())
        jpegs = [jpeg for _, frames in found for jpeg in frames or ()]
        return numbered(self._mended(plan, [row for row, _ in found])), jpegs

    def _mended(self, plan: StepPlan, rows: list[int]) -> StepPlan:
        return self._faults.mended(plan, rows + [-1] * (len(plan.rows) - len(rows)))

    def _made(self, due: deque[Work]) -> tuple[Work, tuple[Any, ...]] | None:
        """What the pipeline made next, one list of pictures a crop; None at its end."""
        try:
            pictures: tuple[Any, ...] = self._pipeline.run()
        except StopIteration:
            return None
        except RuntimeError as error:  # the batch it was at is lost, those after it are not
            return self._made_again(due.popleft().plan, error)
        return due.popleft(), pictures

    def _made_again(self, plan: StepPlan, error: RuntimeError) -> tuple[Work, tuple[Any, ...]]:
        """A batch without its clips that do not decode; their FrameError if none may stand in."""
        read = [self._faults.using(plan, i, self._decodable) for i in range(plan.real)]
        mended = self._mended(plan, [row for row, _ in read])
        if mended is plan:
            raise UserError(
                f"{self._store.info.benchmark}: DALI fails on a batch whose frames decode (rows "
                f"{plan.rows.tolist()}: {' '.join(str(error).split())[:300]}); use backend cpu"
            ) from error
        jpegs = [jpeg for _, frames in read for jpeg in frames or ()]
        work = numbered(mended)
        once = iter([inputs(work, jpegs)])
        return work, self._new_pipeline(lambda: next(once)).run()

    def _decodable(self, plan: StepPlan, i: int) -> list[bytes]:
        """As ``_read``, every frame decoded once to see that it can be."""
        clip, jpegs = int(plan.clips[i]), self._read(plan, i)
        for jpeg, frame in zip(jpegs, np.unique(plan.frames[i]).tolist(), strict=True):
            try:
                self._desk.decode(jpeg)
            except ValueError as error:
                raise undecodable(self._store, clip, frame, error) from error
        return jpegs

    def _drain(self) -> None:
        """Take out what the pipeline has in the making, good or not."""
        while True:
            try:
                self._pipeline.run()
            except StopIteration:
                return
            except RuntimeError:
                continue

    def _batch(self, work: Work, pictures: tuple[Any, ...]) -> torch.Tensor:
        if self._stream is None:
            return self._painted(work, [from_dlpack(crop.as_tensor()) for crop in pictures])
        with torch.cuda.stream(self._stream):
            crops = [from_dlpack(crop.as_tensor()) for crop in pictures]
            batch = coloured(crops, work.places, work.plan)
        # DALI's memory goes back to it on return, so what was queued must have read it.
        self._stream.synchronize()
        batch.record_stream(torch.cuda.current_stream(self._device))
        return batch

    def _painted(self, work: Work, crops: list[torch.Tensor]) -> torch.Tensor:
        """The same as ``coloured``, faster on a CPU: clip by clip, in threads."""
        plan = work.plan
        b, k, t = plan.frames.shape
        batch = self._buffers.take((b * len(crops) * k, t, 3, self._size, self._size))
        out = batch.numpy().reshape(b, len(crops), k * t, *batch.shape[2:])
        out[plan.real :] = 0
        views = [crop.numpy() for crop in crops]

        def clip(i: int) -> None:
            numbers = work.places[i].ravel().tolist()
            maps, limits = affine(plan, i, [views[0][number] for number in numbers])
            for crop, places in zip(views, out[i], strict=True):
                for number, place, colours in zip(numbers, places, maps, strict=True):
                    self._desk.paint(crop[number], colours, limits, place)

        tasks = [
            self._workers.submit("colouring", int(plan.clips[i]), partial(clip, i))
            for i in range(plan.real)
        ]
        self._watchdog.results(tasks, plan.clips[: plan.real].tolist())
        return batch

    def _empty(self, plan: StepPlan) -> torch.Tensor:
        b, k, t = plan.frames.shape
        views = b * k * plan.geometry.windows.shape[1]
        return torch.zeros((views, t, 3, self._size, self._size), device=self._device)


def coloured(
    crops: list[torch.Tensor], places: npt.NDArray[np.int64], plan: StepPlan
) -> torch.Tensor:
    """Gather and colour pictures uint8 (U, S, S, 3), one tensor a crop, on their device.

    places: (B, K, T). Returns float32 (B * C * K, T, 3, S, S), zeros where the plan is padded.
    """
    device = crops[0].device

    def there(values: npt.NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(values).to(device)

    index, colours = there(places), plan.colours
    pixels = torch.stack([crop[index] for crop in crops], dim=1).float()  # (B, C, K, T, S, S, 3)
    b, c, k, t, s = pixels.shape[:5]
    lumas = (pixels.mean(dim=(1, 4, 5)) @ there(LUMA.astype(np.float32))).flatten(1)
    if colours.matrix.shape[1] == 1:
        lumas = lumas.mean(dim=1, keepdim=True)
    weighted = (there(colours.about_mean) * lumas)[..., None]
    offset = (weighted - there(colours.mean)) / there(colours.deviation)  # (B, F, 3)
    # Three additions rather than a matrix product, which a GPU may round to ten bits (TF32).
    out = offset[:, None, :, :, None, None].expand(b, c, k * t, 3, s, s).clone()
    matrix, pixels = there(colours.matrix)[:, None], pixels.view(b, c, k * t, 1, s, s, 3)
    for channel in range(3):
        out.addcmul_(pixels[..., channel], matrix[..., channel, None, None])
    low, high = (there(limit)[:, None, None] for limit in colours.limits)
    out.clamp_(low, high)
    out[plan.real :] = 0
    return out.view(b * c * k, t, 3, s, s)
