"""A method on a backbone, its training clips and its tests: what a tuning run works on.

::

    backbone --descriptions--> frozen means --.
       `--> method --> objective (one forward of both towers) --> the loop of trainer.py
                `----> evaluator, adapter files
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from manifests.errors import UserError
from train.checkpoint import (
    AdapterInfo,
    check_adapter,
    digest,
    load_adapter,
    save_adapter,
    trainable,
)
from train.data import Data, cache_of, read_data
from train.evaluation import Evaluator, Reading
from train.looks import check_look
from train.methods import build_method
from train.methods.method import Method
from train.models.weights import load_backbone
from train.objective import Objective
from train.recipes.words import Words
from train.results import Evaluation, Rule, Throughput, versions
from train.texts import description_means, prompt_ids
from train.throughput import measure


class Tuning:
    """Everything of a tuning run that is not the loop.

    module: maps (clips, labels, rows, update) to scalars. Raises UserError when weights, shards,
    subset, descriptions or adapter are absent or do not belong together.
    """

    def __init__(self, words: Words[Any, Any], accelerator: Accelerator) -> None:
        recipe, where = words.recipe, words.where
        self.recipe = recipe
        self.accelerator = accelerator
        self.data: Data = read_data(
            recipe, where.shards, cache_of(where), save=accelerator.is_main_process
        )
        backbone, tokenizer, self.backbone = load_backbone(
            recipe.backbone, recipe.look.frames, where.models
        )
        check_look(recipe.look, backbone.config)
        self.parameters = sum(parameter.numel() for parameter in backbone.parameters())
        backbone.to(accelerator.device)
        store, train = self.data.store, self.data.train
        means = description_means(
            backbone, tokenizer, train.classes, store.info.benchmark, store.folder, recipe.loss
        )
        self.descriptions = dict(means.digests)
        self.started_from = ""
        self.method: Method = build_method(recipe.method, backbone, recipe.options, recipe.seed)
        self.method.to(accelerator.device)
        if where.adapter is not None:
            self._start_from(*load_adapter(where.adapter), where.adapter)
        prompts = prompt_ids(train.classes, store.classes, recipe.text, tokenizer)
        self._ids = prompts.to(accelerator.device)
        self.module: nn.Module = Objective(self.method, self._ids, means, recipe.loss, recipe.seed)
        self._evaluator = Evaluator(
            recipe,
            self.data.targets,
            tokenizer,
            accelerator,
            Reading(where.backend, where.threads, where.on_error),
        )

    @property
    def trainable_parameters(self) -> int:
        """Numbers that training changes."""
        return sum(tensor.numel() for tensor in trainable(self.method).values())

    def test(self, epoch: int) -> tuple[Evaluation, ...]:
        """Test the method as it is now."""
        return self._evaluator.evaluate(self.method, epoch)

    def save(self, folder: Path, rule: Rule, epoch: int) -> str | None:
        """Write what was trained; returns the name of the file, None when nothing is trained."""
        tensors = trainable(self.method)
        if not tensors:
            return None
        name = f"adapter-{rule}.safetensors"
        if self.accelerator.is_main_process:
            save_adapter(folder / name, tensors, self._info(epoch, rule))
        return name

    def throughput(self) -> Throughput:
        """Videos a second among the training classes, as the method is now."""
        recipe = self.recipe
        return measure(
            self.method, self._ids, recipe.look, recipe.optim.precision, self.accelerator
        )

    def draw(self, folder: Path, rule: Rule) -> None:
        """Write the confusion pictures of the last test, which `rule` has chosen."""
        if self.accelerator.is_main_process:
            self._evaluator.draw(folder, rule)

    def close(self) -> None:
        """End what reads in the background."""
        self._evaluator.close()

    def _info(self, epoch: int, rule: str) -> AdapterInfo:
        store = self.data.store
        return AdapterInfo(
            method=self.recipe.method,
            recipe=self.recipe.as_json(),
            benchmark=store.info.benchmark,
            classes=store.info.classes_hash,
            dataset=store.identity,
            subset=self.data.train.hash,
            backbone=self.backbone,
            epoch=epoch,
            selection=rule,
            versions=versions(),
        )

    def _start_from(self, tensors: dict[str, torch.Tensor], info: AdapterInfo, where: Path) -> None:
        check_adapter(where, info, self._info(0, "last"))
        mine = trainable(self.method)
        odd = sorted(mine.keys() ^ tensors.keys())
        if odd:
            raise UserError(f"{where} holds other tensors than this method trains, first {odd[0]}")
        with torch.no_grad():
            for name, tensor in mine.items():
                tensor.copy_(tensors[name])
        self.started_from = digest(tensors)
