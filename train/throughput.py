"""Videos a second at the largest batch that fits: the second figure of the paper's Table 8.

Clips are noise, in memory already, one view a video; class texts are encoded once, as in every
test. What is timed is the model: reading of clips has a figure of its own (`prep bench`).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from accelerate import Accelerator

from train.evaluate import view_scores
from train.looks import clips_dtype
from train.methods.method import Method
from train.recipes.records import Precision, Views
from train.results import Throughput

STEPS = 5  # whose median time counts
MOST = 4096  # videos tried at once
MOST_ON_CPU = 32  # larger ones are no faster there, and no allocation fails before the machine does


def largest_that_fits(fits: Callable[[int], bool], most: int) -> int:
    """The largest batch that fits, to an eighth of it; 0 when not even one does.

    fits: whether a batch does; whatever is smaller than one that fits does too.
    """
    good, bad = 0, most + 1
    size = 1
    while size <= most and fits(size):
        good, size = size, size * 2
    bad = min(size, bad)
    while good and bad - good > max(1, good // 8):
        middle = (good + bad) // 2
        good, bad = (middle, bad) if fits(middle) else (good, middle)
    return good


@torch.inference_mode()
def measure(
    method: Method, ids: torch.Tensor, look: Views, precision: Precision, accelerator: Accelerator
) -> Throughput:
    """Videos a second of a method among the classes of prompts `ids` `(C, L)`, in this process."""
    device = accelerator.device
    was_training = method.training
    method.eval()
    with accelerator.autocast():
        texts = method.encode_text(ids.to(device))

    def step(batch: int) -> float:
        shape = (batch, look.frames, 3, look.size, look.size)
        clips = torch.randn(shape, device=device, dtype=clips_dtype(precision))
        _finished(device)
        began = time.perf_counter()
        with accelerator.autocast():
            view_scores(method.encode_video(clips), texts, float(method.tau), 1)
        _finished(device)
        return time.perf_counter() - began

    most = MOST if device.type == "cuda" else MOST_ON_CPU
    batch = largest_that_fits(lambda size: _fits(step, size), most)
    step(max(batch, 1))  # warm; raises what keeps a single video out
    seconds = statistics.median(step(max(batch, 1)) for _ in range(STEPS))
    method.train(was_training)
    return Throughput(batch, round(batch / seconds, 3))


def _fits(step: Callable[[int], float], batch: int) -> bool:
    try:
        step(batch)
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        return False
    return True


def _finished(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
