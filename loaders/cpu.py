"""Pixels of a plan by libjpeg-turbo and OpenCV in threads; runs on any machine.

::

    readers: frames of the next steps, checked --> decode each once, crop, resize to 8 bits
      --> mean luma, where colours need it --> one affine map into the batch

Each clip is two tasks, for threads that read and for threads that decode. Tasks of the next steps
run while a batch is used; all of them are fixed by their plans, so the number of threads changes
nothing but time.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterator
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

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Limits = tuple[tuple[float, ...], tuple[float, ...]]
"""Least and largest of each channel, and a fourth number that OpenCV's scalars have."""


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
        self._readers = Workers(max(threads, self._store.tars.readers), "read")
        self._workers = Workers(threads, "clips")
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
        return batch, [self._begin(plan, i, out[i]) for i in range(plan.real)]

    def _begin(self, plan: StepPlan, i: int, out: Floats) -> Future[int]:
        clip = int(plan.clips[i])
        read = self._readers.submit("reading", clip, partial(self._read, plan, i))
        work = partial(self._clip, plan, i, out)
        return self._workers.submit_after(read, "decoding", clip, work)

    def _finish(
        self, plan: StepPlan, batch: torch.Tensor, tasks: list[Future[int]]
    ) -> tuple[StepPlan, torch.Tensor]:
        rows = [self._watchdog.result(t, int(c)) for t, c in zip(tasks, plan.clips, strict=False)]
        rows += [-1] * (len(plan.rows) - len(rows))
        if -1 in rows[: plan.real]:  # clips were left out: padding comes last
            batch = batch[np.argsort(np.array(rows) < 0, kind="stable")]
        return (
            self._faults.mended(plan, rows),
            batch.flatten(0, 1).to(self._device, non_blocking=True),
        )

    def _read(self, plan: StepPlan, i: int) -> list[bytes]:
        """The distinct frames of clip i, by ascending position."""
        return self._store.read_frames(int(plan.clips[i]), np.unique(plan.frames[i]).tolist())

    def _clip(self, plan: StepPlan, i: int, out: Floats, read: Future[list[bytes]]) -> int:
        """Fill (C * K, T, 3, S, S) with clip i of a plan, or what stands in; returns its row."""

        def work(used: StepPlan, j: int) -> None:
            self._fill(used, j, read.result() if used is plan else self._read(used, j), out)

        row, _ = self._faults.using(plan, i, work)
        if row < 0:
            out[:] = 0
        return row

    def _fill(self, plan: StepPlan, i: int, jpegs: list[bytes], out: Floats) -> None:
        """Fill (C * K, T, 3, S, S), crops outside, clips inside, with clip i of a plan."""
        wanted, places = np.unique(plan.frames[i], return_inverse=True)
        pictures = [
            self._picture(jpeg, plan, i, frame)
            for jpeg, frame in zip(jpegs, wanted.tolist(), strict=True)
        ]
        numbers = places.ravel().tolist()
        maps, limits = affine(plan, i, [pictures[number] for number in numbers])
        crops = out.reshape(-1, len(numbers), *out.shape[2:])
        for crop, (x, y) in zip(crops, plan.geometry.windows[i].tolist(), strict=True):
            for place, number, colours in zip(crop, numbers, maps, strict=True):
                view = pictures[number][y : y + self._size, x : x + self._size]
                self._desk.paint(view, colours, limits, place)

    def _picture(self, jpeg: bytes, plan: StepPlan, i: int, frame: int) -> Bytes:
        try:
            return self._desk.picture(jpeg, plan, i)
        except (ValueError, cv2.error) as error:
            raise undecodable(self._store, int(plan.clips[i]), frame, error) from error


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
    return maps, ((*low.tolist(), 0.0), (*high.tolist(), 0.0))


def cut(frame: Bytes, plan: StepPlan, i: int) -> Bytes:
    """A whole frame of clip i cropped, resized and flipped: a copy, uint8 (h, w, 3)."""
    x, y, w, h = plan.geometry.boxes[i].tolist()
    part = frame[y : y + h, x : x + w]
    width, height = plan.geometry.resized[i].tolist()
    part = part.copy() if (w, h) == (width, height) else cv2.resize(part, (width, height))
    done: Bytes = cv2.flip(part, 1, dst=part) if plan.geometry.flips[i] else part
    return done


class Desk(threading.local):
    """What a thread works with: its memory is taken once, as fresh pages cost time."""

    def __init__(self) -> None:
        self._frame = np.empty(0, dtype=np.uint8)
        self._floats = np.empty((0, 0, 3), dtype=np.float32)

    def decode(self, jpeg: bytes) -> Bytes:
        """The pixels of a JPEG, uint8 (h, w, 3), until the thread decodes the next."""
        height, width, *_ = simplejpeg.decode_jpeg_header(jpeg)
        if self._frame.size < 3 * height * width:
            self._frame = np.empty(3 * height * width, dtype=np.uint8)
        frame: Bytes = simplejpeg.decode_jpeg(jpeg, "RGB", buffer=self._frame)
        return frame

    def picture(self, jpeg: bytes, plan: StepPlan, i: int) -> Bytes:
        """A frame of clip i decoded, cropped, resized and flipped, uint8 (h, w, 3)."""
        return cut(self.decode(jpeg), plan, i)

    def paint(self, view: Bytes, colours: Floats, limits: Limits | None, out: Floats) -> None:
        """Colour an 8-bit view (S, S, 3) into floats (3, S, S)."""
        if self._floats.shape != view.shape:
            self._floats = np.empty(view.shape, dtype=np.float32)
        floats = self._floats
        np.copyto(floats, view)
        cv2.transform(floats, colours, dst=floats)
        if limits is not None:  # while it is in the cache: the batch is too large to be
            low, high = limits
            cv2.max(floats, low, dst=floats)
            cv2.min(floats, high, dst=floats)
        cv2.split(floats, [out[0], out[1], out[2]])
