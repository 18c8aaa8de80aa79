"""Whether what is left out changes nothing: `train/run.py … --check-economies`.

One batch of the run's own training clips goes through a step with everything on, and through one
with each economy off in its turn. Loss and gradients must agree up to the rounding of sums in
another order; the time says what the economy is worth on this machine and batch.
"""

from __future__ import annotations

import contextlib
import functools
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch.nn.attention import SDPBackend, sdpa_kernel

from loaders import Batch
from manifests.errors import UserError
from train.checkpoint import trainable
from train.losses import cosines
from train.methods import Method
from train.methods.adapter import TAPS, TemporalUp
from train.methods.dropout import keyed
from train.models.text import TextPrefix
from train.models.tokenizer import Tokenizer
from train.models.transformer import Block
from train.objective import Objective
from train.recipes.words import Words
from train.session import training_loader
from train.texts import Means, description_means, prompt_ids
from train.tuning import Tuning

REPEATS = 3  # steps of each kind, whose median time counts
EVALUATIONS = 4  # batches of the evaluation that class texts are encoded once for
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
Step = Callable[[], dict[str, torch.Tensor]]  # one step; what it is judged by


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


class Steps:
    """A step of training, and the same with one economy off."""

    def __init__(self, work: Tuning, batch: Batch, accelerator: Accelerator) -> None:
        assert isinstance(work.module, Objective)
        self.work, self.batch, self.accelerator = work, batch, accelerator
        self.objective, self.method = work.module.train(), work.method
        self.tokenizer = _tokenizer(self.method)
        classes = work.data.train.classes
        ids = prompt_ids(classes, work.data.store.classes, work.recipe.text, self.tokenizer)
        self.ids = ids.to(accelerator.device)

    def whole(self, name: str) -> Step:
        """The step with everything on that one without `name` is held against."""
        return (lambda: self._evaluation(1)) if name == "texts-once" else self._step

    def without(self, name: str) -> Step | None:
        """The step with one economy off; None where the method does not use it."""
        backbone = self.method.backbone
        padding = self.tokenizer.context - self.ids.shape[1]
        trains = any(p.requires_grad for p in backbone.vision_encoder.parameters())
        variants: dict[str, Callable[[], Step] | None] = {
            "pooled-last": lambda: self._inside(lambda: _all_tokens(self.method)),
            "cut-text": lambda: self._with_texts(F.pad(self.ids, (0, padding))),
            "cached-text": lambda: lambda: self._step(self.ids),
            "no-graph": None if trains else lambda: lambda: self._step(graph=True),
            "means-once": self._means_anew if self.objective.loss.consistency != "none" else None,
            "flat-convolution": lambda: self._inside(lambda: _volumes(self.method)),
            "fused-attention": lambda: self._inside(lambda: sdpa_kernel(SDPBackend.MATH)),
            "one-backward": lambda: lambda: self._step(apart=True),
            "texts-once": lambda: lambda: self._evaluation(EVALUATIONS),
        }
        if name == "cached-text" and not isinstance(self.objective.text, TextPrefix):
            return None
        if name == "flat-convolution" and not _convolutions(self.method):
            return None
        variant = variants[name]
        return None if variant is None else variant()

    def _step(
        self,
        texts: torch.Tensor | TextPrefix | None = None,
        graph: bool = False,
        apart: bool = False,
    ) -> dict[str, torch.Tensor]:
        """Loss and gradients; graph: from the first block on; apart: a backward for each tower."""
        objective, method, batch = self.objective, self.method, self.batch
        with self.accelerator.autocast():
            with keyed(objective.seed, 0, batch.rows):
                step = _graphed(method) if graph else method.vision_step
                video = method.backbone.encode_video(batch.clips, step)
                text = method.encode_text(objective.text if texts is None else texts)
            pairs = [(video, text)]
            if apart:
                pairs = [(video, text.detach()), (video.detach(), text)]
            losses = [objective.losses(*pair, batch.labels)["loss"] for pair in pairs]
        for loss in losses:
            if loss.requires_grad:
                self.accelerator.backward(loss)
        found = {name: p.grad for name, p in trainable(method).items() if p.grad is not None}
        method.zero_grad()
        return {"loss": losses[0].detach(), **found}

    def _with_texts(self, ids: torch.Tensor) -> Step:
        texts = self.method.text_prefix(ids)
        return lambda: self._step(texts)

    def _inside(self, context: Callable[[], AbstractContextManager[Any]]) -> Step:
        def run() -> dict[str, torch.Tensor]:
            with context():
                return self._step()

        return run

    def _means_anew(self) -> Step:
        """Descriptions through the frozen tower in every step."""
        recipe, store = self.work.recipe, self.work.data.store
        kept = Means(self.objective.spatial, self.objective.temporal)

        def run() -> dict[str, torch.Tensor]:
            means = description_means(
                self.method.backbone,
                self.tokenizer,
                self.work.data.train.classes,
                store.info.benchmark,
                store.folder,
                recipe.loss,
            )
            self.objective.spatial, self.objective.temporal = means.spatial, means.temporal
            try:
                return self._step()
            finally:
                self.objective.spatial, self.objective.temporal = kept.spatial, kept.temporal

        return run

    @torch.inference_mode()
    def _evaluation(self, times: int) -> dict[str, torch.Tensor]:
        """Scores of several batches, class texts encoded so many times."""
        method = self.method.eval()
        scores = []
        with self.accelerator.autocast():
            for number in range(EVALUATIONS):
                if number < times:
                    texts = method.encode_text(self.ids)
                scores.append(cosines(method.encode_video(self.batch.clips), texts))
        method.train()
        return {"scores": torch.cat(scores)}


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


def _tokenizer(method: Method) -> Tokenizer:
    text = method.backbone.config.text
    return Tokenizer(text.vocabulary, text.context)


def _graphed(method: Method) -> Any:
    """The method's step, with a graph from the first block on."""

    def step(number: int, block: Block, x: torch.Tensor, rows: torch.Tensor | None) -> torch.Tensor:
        x = x.detach().requires_grad_() if number == 1 else x
        return method.vision_step(number, block, x, rows)

    return step


@contextlib.contextmanager
def _all_tokens(method: Method) -> Iterator[None]:
    method.backbone.pool_last(False)
    try:
        yield
    finally:
        method.backbone.pool_last(True)


def _convolutions(method: Method) -> list[TemporalUp]:
    return [module for module in method.modules() if isinstance(module, TemporalUp)]


@contextlib.contextmanager
def _volumes(method: Method) -> Iterator[None]:
    """The convolutions over time as 3-D ones, kernel (3, 1, 1), as the paper words them."""
    layers = _convolutions(method)
    for layer in layers:
        layer.forward = functools.partial(_volume, layer)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward  # the class's own again


def _volume(layer: TemporalUp, h: torch.Tensor, frames_first: bool = False) -> torch.Tensor:
    """`TemporalUp.forward` on `(B, P, T, m)`, or `(B, T, P, m)`, as a volume of one row."""
    time_axis = 1 if frames_first else 2
    plane = h.transpose(1, time_axis)[:, :, None]  # (B, T, 1, P, m)
    volume = plane.permute(0, 4, 1, 2, 3).contiguous()
    padding = (TAPS // 2, 0, 0)
    found = F.conv3d(volume, layer.weight, layer.bias, padding=padding, groups=layer.groups)
    return found.permute(0, 2, 3, 4, 1)[:, :, 0].transpose(1, time_axis)
