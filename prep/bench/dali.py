"""The way of the DALI backend, cut short: its operators, with nothing behind a stage."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
import torch
from nvidia.dali import Pipeline, fn, types

from loaders.plan import StepPlan
from prep.bench.chain import planner_of, plans, read
from prep.bench.work import Unit, Work


def shortened(work: Work, upto: Literal["decode", "crop"], device: str) -> Iterator[Unit]:
    """Frames read in threads and decoded by DALI (the box only), resized too for ``crop``."""
    planner = planner_of(work)
    batch = min(work.batch, len(planner.subset))
    units: list[Unit] = []
    with ThreadPoolExecutor(work.threads) as pool:

        def feed() -> tuple[list[Any], list[Any], list[Any]]:
            plan = next(steps)
            clips = list(pool.map(lambda i: read(planner, plan, i), range(plan.real)))
            units.append((plan.real, sum(len(jpeg) for clip in clips for jpeg in clip)))
            return _inputs(plan, clips)

        steps = plans(planner)
        pipeline = _pipeline(feed, work, upto, device, batch * work.frames)
        for number in itertools.count():
            pipeline.run()
            if device != "cpu":
                torch.cuda.synchronize()
            yield units[number]


def _inputs(plan: StepPlan, clips: list[list[bytes]]) -> tuple[list[Any], list[Any], list[Any]]:
    """JPEGs, their boxes (x, y, w, h) and the sizes they become."""
    frames = [np.frombuffer(jpeg, dtype=np.uint8) for clip in clips for jpeg in clip]
    of = [i for i, clip in enumerate(clips) for _ in clip]
    boxes = plan.geometry.boxes[of].astype(np.int32)
    sizes = plan.geometry.resized[of].astype(np.float32)
    return frames, list(boxes), list(sizes)


def _pipeline(source: Any, work: Work, upto: str, device: str, frames: int) -> Pipeline:
    gpu = device != "cpu"
    pipeline = Pipeline(
        batch_size=frames,
        num_threads=work.threads,
        device_id=torch.cuda.current_device() if gpu else None,
        prefetch_queue_depth=2,
        exec_dynamic=True,
    )
    with pipeline:
        jpegs, boxes, sizes = fn.external_source(
            source=source, num_outputs=3, batch=True, dtype=[types.UINT8, types.INT32, types.FLOAT]
        )
        pictures = fn.decoders.image_slice(
            jpegs,
            start=boxes[0:2],
            shape=boxes[2:4],
            axes=(1, 0),
            device="mixed" if gpu else "cpu",
            output_type=types.RGB,
            jpeg_fancy_upsampling=True,
        )
        if upto == "crop":
            pictures = fn.resize(
                pictures, resize_x=sizes[0], resize_y=sizes[1], antialias=False, dtype=types.UINT8
            )
        pipeline.set_outputs(pictures)
    return pipeline
