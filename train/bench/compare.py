"""Pipelines measured side by side: processes of their own that take turns, ratios of each round.

::

    round 1:  full | msta 128/8-12 | msta 256/1-12      one step each, the machine otherwise idle
    round 2:  msta 128/8-12 | msta 256/1-12 | full      another order
    …                                                   ratio of a pair: the median over rounds

A slow spell of the machine hits all pipelines of a round, so ratios are of one round each. On a
machine with other work on it the clock tells little even so: `cpu_ratios` are the same ratios of
processor time, which waiting for a turn does not count in. On a GPU they mean nothing.
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
from typing import Any, Literal

from manifests.errors import UserError
from train.bench.pipelines import CLIP_CONTEXT, Load, Pipeline

Adapters = Mapping[str, tuple[int, tuple[int, int]]]  # name -> width, first and last block
PAPER: Adapters = {"128/8-12": (128, (8, 12)), "256/1-12": (256, (1, 12))}
VICLIP_CONTEXT = 32
INFERENCE_ROUNDS = 3  # rounds of inference for each of the others
Kind = Literal["seconds", "cpu"]
Found = dict[str, Any]
Rounds = dict[str, list[dict[str, float]]]  # pipeline -> times of a step, one a round


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
            # Threads that spin while they wait would count as work. The profiler is chatty.
            env={"OMP_WAIT_POLICY": "PASSIVE", "KINETO_LOG_LEVEL": "99", **os.environ},
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
    """Times of a step of each, `rounds` times, every round in another order."""
    times: Rounds = {child.name: [] for child in found}
    for number in range(rounds):
        for place in range(len(found)):
            child = found[(place + number) % len(found)]
            took = child.ask(f"steps {steps}")
            times[child.name].append(took)
            told = f"{took['seconds']:.3f} s, {took['cpu']:.3f} s of processors"
            sys.stderr.write(f"  round {number + 1}: {child.name} {told}\n")
            sys.stderr.flush()
    return times


def ratio(times: Rounds, over: str, under: str, kind: Kind = "seconds") -> float:
    """Median over the rounds of one pipeline's time against another's."""
    pairs = zip(times[over], times[under], strict=True)
    return round(statistics.median(above[kind] / below[kind] for above, below in pairs), 4)


def training(load: Load, rounds: int, adapters: Adapters) -> Found:
    """Steps and memory of MSTA against full tuning."""
    pipelines = [Pipeline("full", "train", "full")]
    pipelines += [Pipeline(n, "train", "msta", mid, b) for n, (mid, b) in adapters.items()]
    with children(pipelines, load) as found:
        times = take_turns(found, rounds, steps=1)
        held = {child.name: child.ask("memory") for child in found}
    memory = {name: int(answer["bytes"]) for name, answer in held.items()}
    process = {name: int(answer["process"]) for name, answer in held.items()}
    return {
        **_both_kinds("train_step_ratio", times, {name: (name, "full") for name in adapters}),
        "memory_ratio": {name: round(memory[name] / memory["full"], 4) for name in adapters},
        "process_ratio": {name: round(process[name] / process["full"], 4) for name in adapters},
        "medians": _medians(times, "train"),
        "memory_bytes": memory,
        "process_bytes": process,
    }


def inference(load: Load, rounds: int, adapters: Adapters) -> Found:
    """Videos a second of the tuned model against the frozen one, and against the published way."""
    pipelines = [Pipeline("frozen", "infer", "zero-shot")]
    for name, (mid, blocks) in adapters.items():
        pipelines.append(Pipeline(name, "infer", "msta", mid, blocks))
        pipelines.append(Pipeline(f"{name} all tokens", "infer", "msta", mid, blocks, True))
    with children(pipelines, load) as found:
        # A step is short and what is looked for is a few hundredths.
        times = take_turns(found, INFERENCE_ROUNDS * rounds, steps=1)
    frozen = {name: ("frozen", name) for name in adapters}
    published = {name: (f"{name} all tokens", name) for name in adapters}
    return merged(
        _both_kinds("inference_ratio", times, frozen),
        _both_kinds("inference_published_ratio", times, published),
        {"medians": _medians(times, "infer")},
    )


def text(load: Load, rounds: int, adapters: Adapters) -> Found:
    """Forward and backward of all class texts against texts of full length."""
    parts: list[Found] = []
    for name, (mid, blocks) in adapters.items():
        pipelines = [Pipeline(f"{name} cut", "text", "msta", mid, blocks)]
        for context in (VICLIP_CONTEXT, CLIP_CONTEXT):
            whole = f"{name} {context} tokens"
            pipelines.append(Pipeline(whole, "text", "msta", mid, blocks, True, context))
        with children(pipelines, load) as found:
            times = take_turns(found, rounds, steps=2)
        for key, context in (("text_ratio", CLIP_CONTEXT), ("text_ratio_32", VICLIP_CONTEXT)):
            pair = (f"{name} {context} tokens", f"{name} cut")
            parts.append(_both_kinds(key, times, {name: pair}))
        parts.append({"medians": _medians(times, "text")})
    return merged(*parts)


def _both_kinds(key: str, times: Rounds, pairs: Mapping[str, tuple[str, str]]) -> Found:
    """A ratio by the clock under its key, and by processor time below `cpu_ratios`."""
    kinds: tuple[Kind, Kind] = ("seconds", "cpu")
    clock, busy = (
        {name: ratio(times, over, under, kind) for name, (over, under) in pairs.items()}
        for kind in kinds
    )
    return {key: clock, "cpu_ratios": {key: busy}}


def _medians(times: Rounds, work: str) -> Found:
    return {
        f"{work} {name}": {
            kind: round(statistics.median(one[kind] for one in took), 4) for kind in took[0]
        }
        for name, took in times.items()
    }


def merged(*parts: Found) -> Found:
    """Objects laid over each other, the objects in them too."""
    found: Found = {}
    for part in parts:
        for key, value in part.items():
            both = isinstance(value, dict) and isinstance(found.get(key), dict)
            found[key] = merged(found[key], value) if both else value
    return found
