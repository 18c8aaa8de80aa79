"""Pixels of a plan by libjpeg-turbo and OpenCV in threads; runs on any machine.

::

    frames of the next steps, checked --> decode each once, crop, resize to 8 bits
      --> mean luma, where colours need it --> one affine map into the batch

A clip of local tars is one task: whoever decodes it reads it, since threads that hand each other
160 kB which lie in memory anyway lose more than the reading takes. Where reading is found to be
slow, the kernel is told of a step's frames when it is planned, two steps before their turn. From
far away, reading is a task of its own, for threads that may wait. Tasks of the next steps run while
a batch is used; all of them are fixed by their plans, so the number of threads changes nothing but
time.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg
import torch

from loaders.buffers import Buffers
from loaders.colour import LUMA
from loaders.faults import Faults, OnError
from loaders.plan import Planner, StepPlan
from loaders.watchdog import WaitLimits, Watchdog
from loaders.workers import Workers
from shards.store import FrameError, ShardStore

AHEAD = 2
"""Batches in the making beside the one in use."""
SLOW_S = 0.002
"""Seconds to read a clip, on average, from which the kernel is told ahead: in memory, it takes a
tenth of that, and to tell costs a third of it."""

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Limits = tuple[Floats, Floats]
"""Least and largest of each channel, (3, 1, 1) both."""


class CpuBackend:
    """Makes batches of plans in a pool of threads that lives until ``close``."""

    def __init__(
        self,
        planner: Planner,
        device: torch.device,
        threads: int,
        on_error: OnError = "raise",
        limits: WaitLimits | None = None,
    ) -> None:
        """planner: whose plans will be run. threads: how many clips are decoded at once."""
        self._store, self._size, self._device = planner.store, planner.views.size, device
        self._far, self._slow, self._read_s = self._store.tars.far, False, 0.0
        readers = max(threads, self._store.tars.readers) if self._far else 1
        self._readers, self._workers = Workers(readers, "read"), Workers(threads, "clips")
        pools = (self._readers, self._workers)
        self._watchdog = Watchdog(self._store, pools, limits or WaitLimits())
        self._faults = Faults(planner, on_error)
        self._buffers, self._desk = Buffers(), Desk()

    def run(
        self, plans: Iterator[StepPlan]
    ) -> Generator[tuple[StepPlan, torch.Tensor], None, None]:
        """Batches (B * views, T, 3, S, S) on the device in the order of the plans, each with the
        plan it was made by in the end.

        Raises what a clip raised, when its batch is due. Leaving early cancels what waits.
        """
        waiting: deque[tuple[StepPlan, torch.Tensor, list[Future[int]]]] = deque()
        try:
            for plan in plans:
                waiting.append((plan, *self._start(plan)))
                if len(waiting) > AHEAD:
                    yield self._finish(*waiting.popleft())
            while waiting:
                yield self._finish(*waiting.popleft())
        finally:
            for _, _, tasks in waiting:
                for task in tasks:
                    task.cancel()

    def close(self) -> None:
        """End the threads, after the clips they are at."""
        self._readers.close()
        self._workers.close()

    def _start(self, plan: StepPlan) -> tuple[torch.Tensor, list[Future[int]]]:
        b, k, t = plan.frames.shape
        c = plan.geometry.windows.shape[1]
        shape = (b, c * k, t, 3, self._size, self._size)
        if self._device.type == "cuda":
            batch = torch.empty(shape, pin_memory=True)  # torch keeps such memory by itself
        else:
            batch = self._buffers.take(shape)
        batch[plan.real :] = 0
        out = batch.numpy()
        if self._slow and plan.real:
            self._readers.submit("reading ahead", int(plan.clips[0]), partial(self._ahead, plan))
        return batch, [self._begin(plan, i, out[i]) for i in range(plan.real)]

    def _begin(self, plan: StepPlan, i: int, out: Floats) -> Future[int]:
        clip, read = int(plan.clips[i]), partial(self._read, plan, i)
        if not self._far:
            work = partial(self._clip, plan, i, out, read)
            return self._workers.submit("reading and decoding", clip, work)
        frames = self._readers.submit("reading", clip, read)
        return self._workers.submit_after(
            frames, "decoding", clip, lambda done: self._clip(plan, i, out, done.result)
        )

    def _finish(
        self, plan: StepPlan, batch: torch.Tensor, tasks: list[Future[int]]
    ) -> tuple[StepPlan, torch.Tensor]:
        rows = self._watchdog.results(tasks, plan.clips[: plan.real].tolist())
        rows += [-1] * (len(plan.rows) - len(rows))
        if -1 in rows[: plan.real]:  # clips were left out: padding comes last
            batch = batch[np.argsort(np.array(rows) < 0, kind="stable")]
        return (
            self._faults.mended(plan, rows),
            batch.flatten(0, 1).to(self._device, non_blocking=True),
        )

    def _ahead(self, plan: StepPlan) -> None:
        """Have what local tars hold of a plan brought into memory before its turn comes."""
        for i in range(plan.real):
            self._store.read_ahead(int(plan.clips[i]), np.unique(plan.frames[i]))

    def _read(self, plan: StepPlan, i: int) -> list[bytes]:
        """The distinct frames of clip i, by ascending position."""
        began = time.perf_counter()
        jpegs = self._store.read_frames(int(plan.clips[i]), np.unique(plan.frames[i]).tolist())
        self._read_s += (time.perf_counter() - began - self._read_s) / 16  # of the last ones
        self._slow |= self._read_s > SLOW_S and not self._far  # for good: ahead, it looks quick
        return jpegs

    def _clip(self, plan: StepPlan, i: int, out: Floats, jpegs: Callable[[], list[bytes]]) -> int:
        """Fill (C * K, T, 3, S, S) with clip i of a plan, or what stands in; returns its row."""

        def work(used: StepPlan, j: int) -> None:
            self._fill(used, j, jpegs() if used is plan else self._read(used, j), out)

        row, _ = self._faults.using(plan, i, work)
        if row < 0:
            out[:] = 0
        return row

    def _fill(self, plan: StepPlan, i: int, jpegs: list[bytes], out: Floats) -> None:
        """Fill (C * K, T, 3, S, S), crops outside, clips inside, with clip i of a plan."""
        wanted, places = np.unique(plan.frames[i], return_inverse=True)
        pictures = self._pictures(plan, i, wanted.tolist(), jpegs)
        numbers = places.ravel().tolist()
        maps, limits = affine(plan, i, [pictures[number] for number in numbers])
        crops = out.reshape(-1, len(numbers), *out.shape[2:])
        for crop, (x, y) in zip(crops, plan.geometry.windows[i].tolist(), strict=True):
            for place, number, colours in zip(crop, numbers, maps, strict=True):
                view = pictures[number, y : y + self._size, x : x + self._size]
                self._desk.paint(view, colours, limits, place)

    def _pictures(self, plan: StepPlan, i: int, frames: list[int], jpegs: list[bytes]) -> Bytes:
        """Frames of clip i decoded, cropped, resized and flipped, uint8 (U, h, w, 3), until the
        thread makes the next."""
        width, height = plan.geometry.resized[i].tolist()
        box, desk = plan.geometry.boxes[i].tolist(), self._desk
        pictures = desk.pictures(len(jpegs), height, width)
        for picture, jpeg, frame in zip(pictures, jpegs, frames, strict=True):
            try:
                cut(desk.decode(jpeg), box, picture)
            except (ValueError, cv2.error) as error:
                raise undecodable(self._store, int(plan.clips[i]), frame, error) from error
        if plan.geometry.flips[i]:
            tall = pictures.reshape(-1, width, 3)
            cv2.flip(tall, 1, dst=tall)
        return pictures


def undecodable(store: ShardStore, clip: int, frame: int, error: Exception) -> FrameError:
    """The error for a frame whose bytes are those written, and yet no picture."""
    return store.fault(clip, frame, f"it does not decode ({' '.join(str(error).split())})")


def affine(plan: StepPlan, i: int, frames: list[Bytes]) -> tuple[Floats, Limits | None]:
    """The colour map of each frame of clip i, (T, 3, 4), and what they are cut to, if they need it.

    frames: the T frames of the clip, for their mean luma; looked at only if contrast changes.
    """
    colours, lumas = plan.colours, np.zeros(len(frames))
    if colours.about_mean[i].any():
        lumas = np.array([cv2.mean(frame)[:3] for frame in frames]) @ LUMA
    maps = np.broadcast_to(colours.affine(i, lumas), (len(frames), 3, 4))
    if not colours.cut[i]:
        return maps, None
    low, high = colours.limits
    return maps, (low[:, None, None], high[:, None, None])


def cut(frame: Bytes, box: list[int], out: Bytes) -> None:
    """A box (x, y, w, h) of a frame, resized into uint8 (height, width, 3)."""
    x, y, w, h = box
    part = frame[y : y + h, x : x + w]
    if part.shape == out.shape:
        np.copyto(out, part)
    else:
        cv2.resize(part, (out.shape[1], out.shape[0]), dst=out)


class Desk(threading.local):
    """What a thread works with: its memory is taken once, as fresh pages cost time."""

    def __init__(self) -> None:
        self._frame = np.empty(0, dtype=np.uint8)
        self._pictures = np.empty(0, dtype=np.uint8)
        self._floats = np.empty((0, 0, 3), dtype=np.float32)

    def decode(self, jpeg: bytes) -> Bytes:
        """The pixels of a JPEG, uint8 (h, w, 3), until the thread decodes the next."""
        height, width, *_ = simplejpeg.decode_jpeg_header(jpeg)
        if self._frame.size < 3 * height * width:
            self._frame = np.empty(3 * height * width, dtype=np.uint8)
        frame: Bytes = simplejpeg.decode_jpeg(jpeg, "RGB", buffer=self._frame)
        return frame

    def pictures(self, count: int, height: int, width: int) -> Bytes:
        """Memory for so many pictures, uint8 (count, height, width, 3)."""
        size = count * height * width * 3
        if self._pictures.size < size:
            self._pictures = np.empty(size, dtype=np.uint8)
        return self._pictures[:size].reshape(count, height, width, 3)

    def paint(self, view: Bytes, colours: Floats, limits: Limits | None, out: Floats) -> None:
        """Colour an 8-bit view (S, S, 3) into floats (3, S, S)."""
        if self._floats.shape != view.shape:
            self._floats = np.empty(view.shape, dtype=np.float32)
        floats = self._floats
        np.copyto(floats, view)
        cv2.transform(floats, colours, dst=floats)
        cv2.split(floats, [out[0], out[1], out[2]])
        if limits is not None:  # while it is in the cache: the batch is too large to be
            np.clip(out, *limits, out=out)
