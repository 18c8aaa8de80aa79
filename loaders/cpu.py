"""Pixels of a plan by libjpeg-turbo and OpenCV in threads; runs on any machine.

One task is one clip: its frames are read, each decoded once, cropped and resized to 8 bits, then
the clip's mean luma is taken where its colours need it and one affine map writes the normalised
floats into the batch. Tasks of the next steps run while a batch is used; all of them are fixed by
their plans, so the number of threads changes nothing but time.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg
import torch

from loaders.buffers import Buffers
from loaders.colour import LUMA
from loaders.plan import Planner, StepPlan

AHEAD = 2
"""Batches in the making beside the one in use."""

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Limits = tuple[tuple[float, ...], tuple[float, ...]]
"""Least and largest of each channel, and a fourth number that OpenCV's scalars have."""


class CpuBackend:
    """Makes batches of plans in a pool of threads that lives until ``close``."""

    def __init__(self, planner: Planner, device: torch.device, threads: int) -> None:
        """planner: whose plans will be run. threads: how many clips are worked on at once."""
        self._store, self._size, self._device = planner.store, planner.views.size, device
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="clips")
        self._buffers, self._desk = Buffers(), Desk()

    def run(
        self, plans: Iterator[StepPlan]
    ) -> Generator[tuple[StepPlan, torch.Tensor], None, None]:
        """Batches (B * views, T, 3, S, S) on the device in the order of the plans.

        Raises what a clip raised, when its batch is due. Leaving early cancels what waits.
        """
        waiting: deque[tuple[StepPlan, torch.Tensor, list[Future[None]]]] = deque()
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
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _start(self, plan: StepPlan) -> tuple[torch.Tensor, list[Future[None]]]:
        b, k, t = plan.frames.shape
        c = plan.geometry.windows.shape[1]
        shape = (b, c * k, t, 3, self._size, self._size)
        if self._device.type == "cuda":
            batch = torch.empty(shape, pin_memory=True)  # torch keeps such memory by itself
        else:
            batch = self._buffers.take(shape)
        batch[plan.real :] = 0
        out = batch.numpy()
        tasks = [self._pool.submit(self._clip, plan, i, out[i]) for i in range(plan.real)]
        return batch, tasks

    def _finish(
        self, plan: StepPlan, batch: torch.Tensor, tasks: list[Future[None]]
    ) -> tuple[StepPlan, torch.Tensor]:
        for task in tasks:
            task.result()
        return plan, batch.flatten(0, 1).to(self._device, non_blocking=True)

    def _clip(self, plan: StepPlan, i: int, out: Floats) -> None:
        """Fill (C * K, T, 3, S, S), crops outside, clips inside, with clip i of a plan."""
        wanted, places = np.unique(plan.frames[i], return_inverse=True)
        jpegs = self._store.read_frames(int(plan.clips[i]), wanted.tolist())
        pictures = [self._desk.picture(jpeg, plan, i) for jpeg in jpegs]
        numbers = places.ravel().tolist()
        maps, limits = affine(plan, i, [pictures[number] for number in numbers])
        crops = out.reshape(-1, len(numbers), *out.shape[2:])
        for crop, (x, y) in zip(crops, plan.geometry.windows[i].tolist(), strict=True):
            for place, number, colours in zip(crop, numbers, maps, strict=True):
                view = pictures[number][y : y + self._size, x : x + self._size]
                self._desk.paint(view, colours, limits, place)


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
