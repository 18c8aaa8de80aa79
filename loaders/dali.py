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
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from nvidia.dali import Pipeline, fn, types
from torch.utils.dlpack import from_dlpack

from loaders.buffers import Buffers
from loaders.colour import LUMA
from loaders.cpu import Desk, affine, undecodable
from loaders.faults import Faults, OnError
from loaders.plan import Planner, StepPlan
from loaders.watchdog import WaitLimits, Watchdog
from loaders.workers import Workers
from manifests.errors import UserError

AHEAD = 2
"""Batches whose frames are read ahead of DALI, which itself works on two more."""

Read = tuple[int, list[bytes] | None]
"""The row that was read in the end, -1 for none, and its distinct frames."""

Samples = tuple[list[npt.NDArray[np.uint8]], npt.NDArray[np.int32], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class _Work:
    """A plan and its distinct frames: ``clips`` (U,) and ``frames`` (U,) say which they are,
    ``places`` (B, K, T) which of them stands where."""

    plan: StepPlan
    clips: npt.NDArray[np.int64]
    frames: npt.NDArray[np.int64]
    places: npt.NDArray[np.int64]


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
        self._new_pipeline = partial(_pipeline, planner, device, frames, threads)
        self._pipeline = self._new_pipeline(self._next)

    def run(
        self, plans: Iterator[StepPlan]
    ) -> Generator[tuple[StepPlan, torch.Tensor], None, None]:
        """Batches (B * views, T, 3, S, S) on the device in the order of the plans, each with the
        plan it was made by in the end.

        Raises what reading raised, when its batch is due. Leaving early empties the pipeline.
        """
        due: deque[_Work] = deque()
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

    def _samples(self, plans: Iterator[StepPlan], due: deque[_Work]) -> Iterator[Samples]:
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
                    yield _inputs(work, jpegs)
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

    def _arrived(self, plan: StepPlan, tasks: list[Future[Read]]) -> tuple[_Work, list[bytes]]:
        """What was read, by the plan of the clips that were read in the end."""
        found = [self._watchdog.result(t, int(c)) for t, c in zip(tasks, plan.clips, strict=False)]
        jpegs = [jpeg for _, frames in found for jpeg in frames or ()]
        return _work(self._mended(plan, [row for row, _ in found])), jpegs

    def _mended(self, plan: StepPlan, rows: list[int]) -> StepPlan:
        return self._faults.mended(plan, rows + [-1] * (len(plan.rows) - len(rows)))

    def _made(self, due: deque[_Work]) -> tuple[_Work, tuple[Any, ...]] | None:
        """What the pipeline made next, one list of pictures a crop; None at its end."""
        try:
            pictures: tuple[Any, ...] = self._pipeline.run()
        except StopIteration:
            return None
        except RuntimeError as error:  # the batch it was at is lost, those after it are not
            return self._made_again(due.popleft().plan, error)
        return due.popleft(), pictures

    def _made_again(self, plan: StepPlan, error: RuntimeError) -> tuple[_Work, tuple[Any, ...]]:
        """A batch without its clips that do not decode; their FrameError if none may stand in."""
        read = [self._faults.using(plan, i, self._decodable) for i in range(plan.real)]
        mended = self._mended(plan, [row for row, _ in read])
        if mended is plan:
            raise UserError(
                f"{self._store.info.benchmark}: DALI fails on a batch whose frames decode (rows "
                f"{plan.rows.tolist()}: {' '.join(str(error).split())[:300]}); use backend cpu"
            ) from error
        jpegs = [jpeg for _, frames in read for jpeg in frames or ()]
        work = _work(mended)
        inputs = iter([_inputs(work, jpegs)])
        return work, self._new_pipeline(lambda: next(inputs)).run()

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

    def _batch(self, work: _Work, pictures: tuple[Any, ...]) -> torch.Tensor:
        if self._stream is None:
            return self._painted(work, [from_dlpack(crop.as_tensor()) for crop in pictures])
        with torch.cuda.stream(self._stream):
            crops = [from_dlpack(crop.as_tensor()) for crop in pictures]
            batch = coloured(crops, work.places, work.plan)
        # DALI's memory goes back to it on return, so what was queued must have read it.
        self._stream.synchronize()
        batch.record_stream(torch.cuda.current_stream(self._device))
        return batch

    def _painted(self, work: _Work, crops: list[torch.Tensor]) -> torch.Tensor:
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
        for task, number in zip(tasks, plan.clips.tolist(), strict=False):
            self._watchdog.result(task, number)
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


def _work(plan: StepPlan) -> _Work:
    """Number the distinct frames of a plan, those of one clip together."""
    clips = np.arange(plan.real, dtype=np.int64)[:, None, None] << 32
    unique, places = np.unique(clips | plan.frames[: plan.real], return_inverse=True)
    everywhere = np.zeros(plan.frames.shape, dtype=np.int64)
    everywhere[: plan.real] = places.reshape(plan.real, *plan.frames.shape[1:])
    return _Work(plan, unique >> 32, unique & 0xFFFFFFFF, everywhere)


def _inputs(work: _Work, jpegs: list[bytes]) -> Samples:
    """Frames with their boxes and sizes, as DALI takes them."""
    geometry = work.plan.geometry
    resized = geometry.resized.astype(np.float32)
    resized[geometry.flips, 0] *= -1  # a negative width flips
    frames = [np.frombuffer(jpeg, dtype=np.uint8) for jpeg in jpegs]
    places = [geometry.boxes, geometry.windows.reshape(len(resized), -1)]
    numbers = np.concatenate(places, axis=1).astype(np.int32)
    return frames, numbers[work.clips], resized[work.clips]


def _pipeline(
    planner: Planner, device: torch.device, frames: int, threads: int, source: Any
) -> Pipeline:
    """JPEGs, numbers (x, y, w, h of the box, then x, y of each window) and sizes -> pictures."""
    views = planner.views
    gpu = device.type == "cuda"
    pipeline = Pipeline(
        batch_size=frames,
        num_threads=threads,
        device_id=torch.cuda.current_device() if gpu and device.index is None else device.index,
        prefetch_queue_depth=2,
        exec_dynamic=True,
    )
    with pipeline:
        jpegs, numbers, sizes = fn.external_source(
            source=source, num_outputs=3, batch=True, dtype=[types.UINT8, types.INT32, types.FLOAT]
        )
        parts = fn.decoders.image_slice(
            jpegs,
            start=numbers[0:2],
            shape=numbers[2:4],
            axes=(1, 0),
            device="mixed" if gpu else "cpu",
            # All of a batch by one JPEG decoder: two make different pixels of one picture.
            hw_decoder_load=1.0,
            output_type=types.RGB,
            jpeg_fancy_upsampling=True,
        )
        whole = fn.resize(
            parts, resize_x=sizes[0], resize_y=sizes[1], antialias=False, dtype=types.UINT8
        )
        size = (views.size, views.size)
        starts = [numbers[4 + 2 * c : 6 + 2 * c] for c in range(views.crops)]
        crops = [fn.slice(whole, start=start, shape=size, axes=(1, 0)) for start in starts]
        pipeline.set_outputs(*crops)
    return pipeline
