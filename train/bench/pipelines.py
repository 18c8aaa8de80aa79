"""The pipelines that are compared: what one step of each does.

Weights are drawn, not loaded, and clips are noise: neither changes what a step costs. Everything
else is as in a run: the objective with both losses, AdamW, class prompts of a real benchmark, the
same attention kernel and the same economies on both sides unless a pipeline is the published way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch

from manifests.classes import load_classes
from train.losses import cosines
from train.methods import build_method, default_options
from train.methods.method import Method
from train.models.build import build_backbone
from train.models.config import SIZES, BackboneConfig
from train.models.tokenizer import Tokenizer
from train.objective import Objective
from train.recipes.records import Loss, Text
from train.texts import Means, prompt_ids

CLIP_CONTEXT = 77  # the longest text that any pipeline encodes


@dataclass(frozen=True)
class Load:
    """What all pipelines of a run work on."""

    backbone: str = "b16"
    batch: int = 2  # clips of a step
    benchmark: str = "hmdb51"  # whose class prompts are encoded
    device: str = "cpu"
    precision: Literal["fp32", "bf16"] = "fp32"


@dataclass(frozen=True)
class Pipeline:
    """One of the things compared.

    published: all tokens through the last block, texts at their full length from the first block.
    """

    name: str
    work: Literal["train", "infer", "text"]
    method: Literal["full", "zero-shot", "msta"]
    mid: int = 0
    blocks: tuple[int, int] = (0, 0)
    published: bool = False
    context: int = CLIP_CONTEXT  # of a published way's texts


@dataclass
class Step:
    """A pipeline ready to run: what one step does, and what training keeps between steps."""

    run: Callable[[], Any]
    module: torch.nn.Module
    optimizer: torch.optim.Optimizer | None = None


def build_step(pipeline: Pipeline, load: Load) -> Step:
    """The step of a pipeline; the first few are slower than the rest."""
    device = torch.device(load.device)
    config = _config(load)
    method = _method(pipeline, config).to(device)
    method.backbone.pool_last(not pipeline.published)
    ids = _prompts(load, config).to(device)
    clips = _clips(load, config).to(device)
    kinds = {"train": _training, "infer": _inference, "text": _text}
    return kinds[pipeline.work](pipeline, load, method, clips, ids)


def _config(load: Load) -> BackboneConfig:
    config = SIZES[load.backbone]
    return replace(config, text=replace(config.text, context=CLIP_CONTEXT))


def _method(pipeline: Pipeline, config: BackboneConfig) -> Method:
    changes = {"mid": pipeline.mid, "blocks": tuple(pipeline.blocks)}
    options = default_options(pipeline.method, **(changes if pipeline.method == "msta" else {}))
    return build_method(pipeline.method, build_backbone(config), options, seed=1)


def _prompts(load: Load, config: BackboneConfig) -> torch.Tensor:
    classes = load_classes(load.benchmark)
    tokenizer = Tokenizer(config.text.vocabulary, config.text.context)
    return prompt_ids(classes.names, classes, Text(), tokenizer)


def _clips(load: Load, config: BackboneConfig) -> torch.Tensor:
    vision = config.vision
    shape = (load.batch, vision.frames, 3, vision.resolution, vision.resolution)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def _autocast(load: Load) -> torch.autocast:
    return torch.autocast(load.device, torch.bfloat16, enabled=load.precision == "bf16")


def _training(
    pipeline: Pipeline, load: Load, method: Method, clips: torch.Tensor, ids: torch.Tensor
) -> Step:
    """Forward of both towers, losses, backward, AdamW."""
    means = Means()
    if pipeline.method == "msta":  # only its rows are held to descriptions
        shape = (len(ids), method.backbone.config.embed)
        means = Means(*(torch.randn(shape, device=ids.device) for _ in range(2)))
    objective = Objective(method, ids, means, Loss(), seed=1).to(ids.device).train()
    trained = [p for p in objective.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-6)
    rows = torch.arange(load.batch, device=ids.device)

    def run() -> None:
        with _autocast(load):
            loss = objective(clips, rows % len(ids), rows, 0)["loss"]
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return Step(run, objective, optimizer)


def _inference(
    pipeline: Pipeline, load: Load, method: Method, clips: torch.Tensor, ids: torch.Tensor
) -> Step:
    """Scores of clips; class texts are encoded once, before."""
    del pipeline
    method.eval()
    with torch.inference_mode(), _autocast(load):
        texts = method.encode_text(ids)

    @torch.inference_mode()
    def run() -> torch.Tensor:
        with _autocast(load):
            return cosines(method.encode_video(clips), texts)

    return Step(run, method)


def _text(
    pipeline: Pipeline, load: Load, method: Method, clips: torch.Tensor, ids: torch.Tensor
) -> Step:
    """Forward and backward of the text tower with adapters, all class prompts."""
    del clips
    method.eval()  # no dropout: it is keyed by the rows of clips, of which there are none
    texts: Any = method.text_prefix(ids)
    if pipeline.published:
        texts = torch.nn.functional.pad(ids, (0, pipeline.context - ids.shape[1]))

    def run() -> None:
        with _autocast(load):
            features = method.encode_text(texts)
        torch.autograd.backward(features.float().square().sum())
        method.zero_grad()

    return Step(run, method)
