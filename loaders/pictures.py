"""What DALI does to the frames of a plan, up to 8-bit pictures: its inputs and its graph.

::

    JPEGs, boxes and windows, sizes --> decode the box --> resize, flip --> cut windows
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from nvidia.dali import Pipeline, fn, types

from loaders.plan import Planner, StepPlan

Samples = tuple[list[npt.NDArray[np.uint8]], npt.NDArray[np.int32], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Work:
    """A plan and its distinct frames: ``clips`` (U,) and ``frames`` (U,) say which they are,
    ``places`` (B, K, T) which of them stands where."""

    plan: StepPlan
    clips: npt.NDArray[np.int64]
    frames: npt.NDArray[np.int64]
    places: npt.NDArray[np.int64]


def numbered(plan: StepPlan) -> Work:
    """Number the distinct frames of a plan, those of one clip together."""
    clips = np.arange(plan.real, dtype=np.int64)[:, None, None] << 32
    unique, places = np.unique(clips | plan.frames[: plan.real], return_inverse=True)
    everywhere = np.zeros(plan.frames.shape, dtype=np.int64)
    everywhere[: plan.real] = places.reshape(plan.real, *plan.frames.shape[1:])
    return Work(plan, unique >> 32, unique & 0xFFFFFFFF, everywhere)


def inputs(work: Work, jpegs: list[bytes]) -> Samples:
    """Frames with their boxes and sizes, as DALI takes them."""
    geometry = work.plan.geometry
    resized = geometry.resized.astype(np.float32)
    resized[geometry.flips, 0] *= -1  # a negative width flips
    frames = [np.frombuffer(jpeg, dtype=np.uint8) for jpeg in jpegs]
    places = [geometry.boxes, geometry.windows.reshape(len(resized), -1)]
    numbers = np.concatenate(places, axis=1).astype(np.int32)
    return frames, numbers[work.clips], resized[work.clips]


def pipeline_of(
    planner: Planner, device: torch.device, frames: int, threads: int, source: Any
) -> Pipeline:
    """JPEGs, numbers (x, y, w, h of the box, then x, y of each window) and sizes -> pictures."""
    views = planner.views
    pipeline = empty_pipeline(device, frames, threads)
    with pipeline:
        jpegs, numbers, sizes = fed(source)
        whole = resized(decoded(jpegs, numbers, device), sizes)
        size = (views.size, views.size)
        starts = [numbers[4 + 2 * c : 6 + 2 * c] for c in range(views.crops)]
        crops = [fn.slice(whole, start=start, shape=size, axes=(1, 0)) for start in starts]
        pipeline.set_outputs(*crops)
    return pipeline


def empty_pipeline(device: torch.device, frames: int, threads: int) -> Pipeline:
    """A pipeline without operators, for at most so many frames at a time."""
    gpu = device.type == "cuda"
    return Pipeline(
        batch_size=frames,
        num_threads=threads,
        device_id=torch.cuda.current_device() if gpu and device.index is None else device.index,
        prefetch_queue_depth=2,
        exec_dynamic=True,
    )


def fed(source: Any) -> tuple[Any, Any, Any]:
    """JPEGs, numbers and sizes, as ``source`` gives them: a callable that returns Samples."""
    types_of = [types.UINT8, types.INT32, types.FLOAT]
    jpegs, numbers, sizes = fn.external_source(
        source=source, num_outputs=3, batch=True, dtype=types_of
    )
    return jpegs, numbers, sizes


def decoded(jpegs: Any, numbers: Any, device: torch.device) -> Any:
    """The boxes of the frames, on the device."""
    return fn.decoders.image_slice(
        jpegs,
        start=numbers[0:2],
        shape=numbers[2:4],
        axes=(1, 0),
        device="mixed" if device.type == "cuda" else "cpu",
        # All of a batch by one JPEG decoder: two make different pixels of one picture.
        hw_decoder_load=1.0,
        output_type=types.RGB,
        jpeg_fancy_upsampling=True,
    )


def resized(parts: Any, sizes: Any) -> Any:
    """8-bit pictures of the sizes, flipped where a width is negative."""
    return fn.resize(
        parts, resize_x=sizes[0], resize_y=sizes[1], antialias=False, dtype=types.UINT8
    )
