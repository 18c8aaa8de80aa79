"""One step of training, and the same step with one economy off: what `economies.py` compares."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch.nn.attention import SDPBackend, sdpa_kernel

from loaders import Batch
from train.checkpoint import trainable
from train.losses import cosines
from train.methods.adapter import TAPS, TemporalUp
from train.methods.dropout import keyed
from train.methods.method import Method
from train.models.text import TextPrefix
from train.models.tokenizer import Tokenizer
from train.models.transformer import Block
from train.objective import Objective
from train.texts import Means, description_means, prompt_ids
from train.tuning import Tuning

EVALUATIONS = 4  # batches of the evaluation that class texts are encoded once for
Step = Callable[[], dict[str, torch.Tensor]]  # one step; what it is judged by


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
