"""Pipelines measured side by side: processes of their own that take turns, ratios of each round.

::

    round 1:  full | msta 128/8-12 | msta 256/1-12      one step each, the machine otherwise idle
    round 2:  msta 128/8-12 | msta 256/1-12 | full      another order
    …                                                   ratio of a pair: the median over rounds

A slow spell of the machine hits all pipelines of a round, so ratios are of one round each.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import Any

from manifests.errors import UserError
from train.bench.pipelines import CLIP_CONTEXT, Load, Pipeline

Adapters = Mapping[str, tuple[int, tuple[int, int]]]  # name -> width, first and last block
PAPER: Adapters = {"128/8-12": (128, (8, 12)), "256/1-12": (256, (1, 12))}
VICLIP_CONTEXT = 32
Rounds = dict[str, list[float]]  # pipeline -> seconds of a step, one a round


class Child:
    """A pipeline's process."""

    def __init__(self, pipeline: Pipeline, load: Load) -> None:
        words = [json.dumps(asdict(pipeline)), json.dumps(asdict(load))]
        self.name = pipeline.name
        self._process = subprocess.Popen(
            [sys.executable, "-m", "train.bench.child", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"KINETO_LOG_LEVEL": "99", **os.environ},  # the profiler is chatty
        )

    def ready(self) -> None:
        """Wait until it is warm."""
        self._answer()

    def ask(self, order: str) -> dict[str, Any]:
        """Give an order and wait for the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(order + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):  # libraries print too
                answer: dict[str, Any] = json.loads(line)
                return answer
        raise UserError(
            f"the pipeline {self.name} ended with exit code {self._process.wait()} (its message "
            "is above; -9 or 137 is too little memory: a smaller --batch needs less)"
        )

    def end(self) -> None:
        """Let it go."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@contextmanager
def children(pipelines: Sequence[Pipeline], load: Load) -> Iterator[list[Child]]:
    """Processes of some pipelines, all warm; they end with the block."""
    with ExitStack() as stack:
        found = []
        for pipeline in pipelines:
            child = Child(pipeline, load)
            stack.callback(child.end)
            found.append(child)
        for child in found:
            child.ready()
        yield found


def take_turns(found: Sequence[Child], rounds: int, steps: int) -> Rounds:
    """Seconds of a step of each, `rounds` times, every round in another order."""
    seconds: Rounds = {child.name: [] for child in found}
    for number in range(rounds):
        for place in range(len(found)):
            child = found[(place + number) % len(found)]
            seconds[child.name].append(child.ask(f"steps {steps}")["seconds"])
            sys.stderr.write(
                f"  round {number + 1}: {child.name} {seconds[child.name][-1]:.3f} s\n"
            )
            sys.stderr.flush()
    return seconds


def ratio(seconds: Rounds, over: str, under: str) -> float:
    """Median over the rounds of one pipeline's seconds against another's."""
    pairs = zip(seconds[over], seconds[under], strict=True)
    return round(statistics.median(above / below for above, below in pairs), 4)


def training(load: Load, rounds: int, adapters: Adapters) -> dict[str, Any]:
    """Steps and memory of MSTA against full tuning."""
    pipelines = [Pipeline("full", "train", "full")]
    pipelines += [Pipeline(n, "train", "msta", mid, b) for n, (mid, b) in adapters.items()]
    with children(pipelines, load) as found:
        seconds = take_turns(found, rounds, steps=1)
        held = {child.name: child.ask("memory") for child in found}
    memory = {name: int(answer["bytes"]) for name, answer in held.items()}
    process = {name: int(answer["process"]) for name, answer in held.items()}
    return {
        "train_step_ratio": {name: ratio(seconds, name, "full") for name in adapters},
        "memory_ratio": {name: round(memory[name] / memory["full"], 4) for name in adapters},
        "train_step_seconds": _medians(seconds),
        "memory_bytes": memory,
        "process_ratio": {name: round(process[name] / process["full"], 4) for name in adapters},
        "process_bytes": process,
    }


def inference(load: Load, rounds: int, adapters: Adapters) -> dict[str, Any]:
    """Videos a second of the tuned model against the frozen one, and against the published way."""
    pipelines = [Pipeline("frozen", "infer", "zero-shot")]
    for name, (mid, blocks) in adapters.items():
        pipelines.append(Pipeline(name, "infer", "msta", mid, blocks))
        pipelines.append(Pipeline(f"{name} all tokens", "infer", "msta", mid, blocks, True))
    with children(pipelines, load) as found:
        seconds = take_turns(found, rounds, steps=1)
    published = {name: ratio(seconds, f"{name} all tokens", name) for name in adapters}
    return {
        "inference_ratio": {name: ratio(seconds, "frozen", name) for name in adapters},
        "inference_published_ratio": published,
        "inference_seconds": _medians(seconds),
    }


def text(load: Load, rounds: int, adapters: Adapters) -> dict[str, Any]:
    """Forward and backward of all class texts against texts of full length."""
    found: dict[str, Any] = {"text_ratio": {}, "text_ratio_32": {}, "text_seconds": {}}
    for name, (mid, blocks) in adapters.items():
        pipelines = [Pipeline(f"{name} cut", "text", "msta", mid, blocks)]
        for context in (VICLIP_CONTEXT, CLIP_CONTEXT):
            whole = f"{name} {context} tokens"
            pipelines.append(Pipeline(whole, "text", "msta", mid, blocks, True, context))
        with children(pipelines, load) as processes:
            seconds = take_turns(processes, rounds, steps=2)
        cut = f"{name} cut"
        found["text_ratio"][name] = ratio(seconds, f"{name} {CLIP_CONTEXT} tokens", cut)
        found["text_ratio_32"][name] = ratio(seconds, f"{name} {VICLIP_CONTEXT} tokens", cut)
        found["text_seconds"].update(_medians(seconds))
    return found


def _medians(seconds: Rounds) -> dict[str, float]:
    return {name: round(statistics.median(found), 4) for name, found in seconds.items()}
