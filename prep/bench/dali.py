"""The way of the DALI backend, cut short: its own operators, with nothing behind a stage."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import torch
from nvidia.dali import Pipeline

from loaders.pictures import Samples, decoded, empty_pipeline, fed, inputs, numbered, resized
from prep.bench.chain import planner_of, plans, read
from prep.bench.work import Unit, Work

Stage = Literal["decode", "crop"]


def shortened(work: Work, upto: Stage, device: str) -> Iterator[Unit]:
    """Frames read in threads and decoded by DALI (the box only), resized too for ``crop``."""
    planner = planner_of(work)
    frames = min(work.batch, len(planner.subset)) * work.frames
    units: list[Unit] = []
    with ThreadPoolExecutor(work.threads) as pool:

        def feed() -> Samples:
            plan = next(steps)
            clips = list(pool.map(lambda i: read(planner, plan, i), range(plan.real)))
            jpegs = [jpeg for clip in clips for jpeg in clip]
            units.append((plan.real, sum(map(len, jpegs))))
            return inputs(numbered(plan), jpegs)

        steps = plans(planner)
        pipeline = _pipeline(feed, upto, torch.device(device), frames, work.threads)
        for number in itertools.count():
            pipeline.run()
            if device != "cpu":
                torch.cuda.synchronize()
            yield units[number]


def _pipeline(
    source: Callable[[], Samples], upto: Stage, device: torch.device, frames: int, threads: int
) -> Pipeline:
    pipeline = empty_pipeline(device, frames, threads)
    with pipeline:
        jpegs, numbers, sizes = fed(source)
        pictures = decoded(jpegs, numbers, device)
        pipeline.set_outputs(resized(pictures, sizes) if upto == "crop" else pictures)
    return pipeline
