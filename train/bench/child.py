"""One pipeline in a process of its own: `python -m train.bench.child PIPELINE LOAD`, both JSON.

Orders come as lines on stdin, answers leave as JSON lines on stdout; the end of stdin is the end::

    steps 3      {"seconds": …, "cpu": …}      mean of three steps, after work on the device is
                                               done; and the processor time of all threads
    memory       {"bytes": …, "process": …}    most that tensors held at once during one step,
                                               and most that the process has held so far

Memory is what tensors hold: weights, gradients, the optimiser's state, activations. On a GPU that
is the allocator's own count. On CPU it is the same count, from the profiler's record of every
allocation of a step, on top of what lives between steps; the process itself holds more, by the
interpreter and by what malloc keeps.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from train.bench.pipelines import Load, Pipeline, Step, build_step

WARM_UP = 2


def main(pipeline: Pipeline, load: Load) -> None:
    """Build, warm up, and do what is ordered."""
    step = build_step(pipeline, load)
    for _ in range(WARM_UP):
        step.run()
    _say({"ready": pipeline.name})
    for line in sys.stdin:
        order, *count = line.split()
        if order == "steps":
            _say(times(step, int(count[0]), load.device))
        else:
            held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            _say({"bytes": peak_bytes(step, load.device), "process": held})


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def times(step: Step, count: int, device: str) -> dict[str, float]:
    """Mean seconds of `count` steps: on the clock, and of this process's processors."""
    _finished(device)
    began, busy = time.perf_counter(), time.process_time()
    for _ in range(count):
        step.run()
    _finished(device)
    passed, worked = time.perf_counter() - began, time.process_time() - busy
    return {"seconds": passed / count, "cpu": worked / count}


def _finished(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def peak_bytes(step: Step, device: str) -> int:
    """Most bytes that tensors hold at once during one step."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        step.run()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        step.run()
    events = recorded.profiler.kineto_results.events()
    changes = [(event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]"]
    held = peak = 0
    for _, change in sorted(changes, key=lambda item: item[0]):
        held += change
        peak = max(peak, held)
    return peak + _living(step)


def _living(step: Step) -> int:
    """Bytes that live between steps: weights, buffers and the optimiser's state."""
    tensors = [*step.module.parameters(), *step.module.buffers()]
    for state in step.optimizer.state.values() if step.optimizer else ():
        tensors += [value for value in state.values() if isinstance(value, torch.Tensor)]
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in _all(tensors)}
    return sum(storages.values())


def _all(tensors: list[torch.Tensor]) -> Iterator[torch.Tensor]:
    for tensor in tensors:
        yield tensor
        if tensor.grad is not None:
            yield tensor.grad


if __name__ == "__main__":
    main(Pipeline(**json.loads(sys.argv[1])), Load(**json.loads(sys.argv[2])))
