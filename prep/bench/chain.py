"""The way of a clip through the loaders, cut short behind a stage.

::

    read -> decode -> crop (and resize) -> colour -> device
    |---- thread pool or DALI, as the backends do it ----|  ClipLoader

A figure is that of the way up to and including its stage, so what a stage costs is the difference
to the one before. The last stage is the loader itself, with nothing taken out of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
import torch

from loaders.clips import ClipLoader
from loaders.cpu import Desk, cut
from loaders.plan import Planner, StepPlan
from prep.bench.work import Unit, Work

Stage = Literal["read", "decode", "crop"]
SEED = 1


def plans(planner: Planner) -> Iterator[StepPlan]:
    """Plans of epoch after epoch, without end."""
    for epoch in itertools.count():
        for step in range(planner.steps):
            yield planner.step(epoch, step)


def planner_of(work: Work) -> Planner:
    """Plans of training on the measured clips."""
    store, subset = work.open()
    batch = min(work.batch, len(subset))
    return Planner(store, subset, work.views, batch, seed=SEED, rank=0, world=1)


def loader(work: Work, backend: Literal["cpu", "dali"], device: str) -> Iterator[Unit]:
    """Batches of the loader, normalised floats on a device."""
    store, subset = work.open()
    batch = min(work.batch, len(subset))
    sizes = _sizes(work)
    with ClipLoader(
        store,
        subset,
        work.views,
        batch,
        seed=SEED,
        device=device,
        backend=backend,
        threads=work.threads,
    ) as clips:
        for epoch in itertools.count():
            for made in clips.epoch(epoch):
                if device != "cpu":
                    torch.cuda.synchronize()
                yield len(made.rows), round(sizes * len(made.rows))


def _sizes(work: Work) -> float:
    """JPEG bytes of one clip as the views read it, mean over the first steps."""
    planner = planner_of(work)
    steps = list(itertools.islice(plans(planner), max(1, planner.steps)))
    total = sum(sum(map(len, read(planner, plan, i))) for plan in steps for i in range(plan.real))
    return total / sum(plan.real for plan in steps)


def read(planner: Planner, plan: StepPlan, i: int) -> list[bytes]:
    """The distinct frames that clip i of a plan is made of, checked JPEGs."""
    wanted = np.unique(plan.frames[i]).tolist()
    return planner.store.read_frames(int(plan.clips[i]), wanted)


def threaded(work: Work, upto: Stage) -> Iterator[Unit]:
    """The way of the cpu backend, clip by clip in threads, up to a stage."""
    planner, desk = planner_of(work), Desk()

    def clip(plan: StepPlan, i: int) -> int:
        jpegs = read(planner, plan, i)
        if upto == "decode":
            for jpeg in jpegs:
                desk.decode(jpeg)
        if upto == "crop":
            decoded_and_cut(desk, plan, i, jpegs)
        return sum(map(len, jpegs))

    return _pooled(plans(planner), clip, work.threads)


def decoded_and_cut(desk: Desk, plan: StepPlan, i: int, jpegs: list[bytes]) -> None:
    """Clip i of a plan decoded, cropped and resized, and no more."""
    box, (width, height) = plan.geometry.boxes[i].tolist(), plan.geometry.resized[i].tolist()
    for jpeg, picture in zip(jpegs, desk.pictures(len(jpegs), height, width), strict=True):
        cut(desk.decode(jpeg), box, picture)


def limit(work: Work) -> Iterator[Unit]:
    """Plain decode and crop of JPEGs that lie in memory: what no loader of them can beat."""
    planner, desk = planner_of(work), Desk()
    steps = list(itertools.islice(plans(planner), max(1, planner.steps)))
    held = {
        (number, i): read(planner, plan, i)
        for number, plan in enumerate(steps)
        for i in range(plan.real)
    }

    def clip(numbered: tuple[int, StepPlan], i: int) -> int:
        number, plan = numbered
        jpegs = held[number, i]
        decoded_and_cut(desk, plan, i, jpegs)
        return sum(map(len, jpegs))

    with ThreadPoolExecutor(work.threads) as pool:
        for number, plan in itertools.cycle(enumerate(steps)):
            numbered = (number, plan)
            sizes = pool.map(lambda i, about=numbered: clip(about, i), range(plan.real))
            yield plan.real, sum(sizes)


def _pooled(
    steps: Iterator[StepPlan], clip: Callable[[StepPlan, int], int], threads: int
) -> Iterator[Unit]:
    """Steps whose clips are spread over threads: one task each, as a task a clip costs as much as
    reading one."""

    def every(plan: StepPlan, first: int) -> int:
        return sum(clip(plan, i) for i in range(first, plan.real, threads))

    with ThreadPoolExecutor(threads) as pool:
        for plan in steps:
            yield plan.real, sum(pool.map(every, itertools.repeat(plan), range(threads)))
