"""Whether what is left out changes nothing: `train/run.py … --check-economies`.

One batch of the run's own training clips goes through a step with everything on, and through one
with each economy off in its turn. Loss and gradients must agree up to the rounding of sums in
another order; the time says what the economy is worth on this machine and batch.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch
from accelerate import Accelerator

from manifests.errors import UserError
from train.economy_steps import EVALUATIONS, Step, Steps
from train.recipes.words import Words
from train.session import training_loader
from train.tuning import Tuning

REPEATS = 3  # steps of each kind, whose median time counts
# Largest difference of a loss or a gradient, against the largest gradient.
TOLERANCES: Final = {"fp32": 1e-4, "bf16": 3e-2, "fp16": 3e-2}
ECONOMIES: Final[Mapping[str, str]] = {
    "pooled-last": "last blocks: queries, MLP and adapter of the wanted token only",
    "cut-text": "prompts cut to the longest, not padded to the context",
    "cached-text": "frozen text blocks of the prompts computed once",
    "no-graph": "no graph below the first trained vision block",
    "means-once": "description means computed once",
    "flat-convolution": "convolution over time on a plane, not on a volume",
    "fused-attention": "attention in one kernel, without its matrix",
    "one-backward": "both towers in one backward",
    "texts-once": f"class texts once per evaluation (of {EVALUATIONS} batches)",
}


@dataclass(frozen=True)
class Finding:
    """One economy: the largest relative difference without it, and how many times longer it takes.

    difference and time are None where the method has no use for the economy.
    """

    name: str
    what: str
    difference: float | None
    time: float | None
    tolerance: float

    @property
    def exact(self) -> bool:
        """Whether leaving it out changes nothing."""
        return self.difference is None or self.difference <= self.tolerance


def check(words: Words[Any, Any]) -> tuple[Finding, ...]:
    """Every economy on the first batch of a run; UserError when there is nothing to check."""
    recipe, where = words.recipe, words.where
    if recipe.task == "pretrain" or not recipe.optim.epochs:
        raise UserError(
            "--check-economies looks at a step of tuning: choose a --method that trains"
        )
    precision = "no" if recipe.optim.precision == "fp32" else recipe.optim.precision
    accelerator = Accelerator(mixed_precision=precision)
    work = Tuning(words, accelerator)
    try:
        with training_loader(work, recipe, where, accelerator) as loader:
            batch = next(iter(loader.epoch(0)))
        steps = Steps(work, batch, accelerator)
        tolerance = TOLERANCES[recipe.optim.precision]
        return tuple(_finding(steps, name, tolerance) for name in ECONOMIES)
    finally:
        work.close()


def report(findings: tuple[Finding, ...]) -> str:
    """A line an economy."""
    lines = []
    for finding in findings:
        told = "not used by this method"
        if finding.difference is not None:
            word = "same" if finding.exact else f"DIFFERS (more than {finding.tolerance:g})"
            told = f"{word}: {finding.difference:.1e} apart, {finding.time:.2f} times the time"
        lines.append(f"without {finding.name:16}  {told}  [{finding.what}]")
    return "\n".join(lines)


def _finding(steps: Steps, name: str, tolerance: float) -> Finding:
    without = steps.without(name)
    if without is None:
        return Finding(name, ECONOMIES[name], None, None, tolerance)
    whole = steps.whole(name)
    difference = relative_difference(whole(), without())
    seconds: dict[str, list[float]] = {"with": [], "without": []}
    for _ in range(REPEATS):
        seconds["with"].append(_seconds(whole))
        seconds["without"].append(_seconds(without))
    medians = {kind: statistics.median(found) for kind, found in seconds.items()}
    taken = round(medians["without"] / medians["with"], 3)
    return Finding(name, ECONOMIES[name], difference, taken, tolerance)


def relative_difference(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """Largest difference of two steps, against the largest number of its kind in the first.

    Kinds are the loss (or the scores) and all gradients together. A gradient that only one of them
    has is infinitely far away.
    """
    if one.keys() != other.keys():
        return float("inf")
    worst = 0.0
    for named in ({"loss", "scores"}, one.keys() - {"loss", "scores"}):
        pairs = [(one[name].float(), other[name].float()) for name in one if name in named]
        largest = max((float(first.abs().max()) for first, _ in pairs), default=0.0)
        apart = max((float((a - b).abs().max()) for a, b in pairs), default=0.0)
        worst = max(worst, apart / largest if largest else apart)
    return worst


def _seconds(step: Step) -> float:
    _wait()
    began = time.perf_counter()
    step()
    _wait()
    return time.perf_counter() - began


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
