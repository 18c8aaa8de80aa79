"""A nano backbone made from captioned clips: what a pre-training run works on.

The captioned set is a shard set of one's own videos whose classes are captions. There is no test:
what the backbone is good for shows when it is tested zero-shot on other clips.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from accelerate import Accelerator

from manifests.errors import UserError
from train.captions import CaptionObjective
from train.data import Data, cache_of, read_data
from train.looks import check_look
from train.models.build import build_backbone
from train.models.config import SIZES, BackboneConfig
from train.models.tokenizer import Tokenizer
from train.models.weights import save_backbone
from train.recipes.words import Words
from train.results import Evaluation, Rule, Throughput
from train.texts import prompt_ids


class Pretraining:
    """Everything of a pre-training run that is not the loop."""

    backbone = "none: trained from scratch"
    started_from = ""
    descriptions: Final[Mapping[str, str]] = MappingProxyType({})

    def __init__(self, words: Words[Any, Any], accelerator: Accelerator) -> None:
        recipe, where = words.recipe, words.where
        self.accelerator = accelerator
        self.data: Data = read_data(
            recipe, where.shards, cache_of(where), save=accelerator.is_main_process
        )
        config = pretrained_size(recipe.backbone)
        self._folder = where.models / recipe.backbone
        check_look(recipe.look, config)
        self._model = build_backbone(config, recipe.seed)
        self._model.set_tau(recipe.protocol.start_temperature)
        tokenizer = Tokenizer(config.text.vocabulary, config.text.context)
        store, train = self.data.store, self.data.train
        bare, templated = (
            prompt_ids(train.classes, store.classes, text, tokenizer)
            for text in (replace(recipe.text, template="{}"), recipe.text)
        )
        self.module = CaptionObjective(
            self._model, bare, templated, recipe.protocol.word_weight, recipe.seed
        ).to(accelerator.device)

    @property
    def parameters(self) -> int:
        """Numbers of the backbone."""
        return sum(parameter.numel() for parameter in self._model.parameters())

    @property
    def trainable_parameters(self) -> int:
        """Numbers that training changes: all of the backbone; the dropped head is not counted."""
        return self.parameters

    def test(self, epoch: int) -> tuple[Evaluation, ...]:
        """There is no test of a backbone by itself."""
        del epoch
        return ()

    def save(self, folder: Path, rule: Rule, epoch: int) -> str | None:
        """Write the backbone where recipes look for it, and name that place."""
        del folder, rule, epoch
        if self.accelerator.is_main_process:
            save_backbone(self._model, self._folder)
        return str(self._folder)

    def throughput(self) -> Throughput:
        """Nothing is tested."""
        raise UserError("--throughput is of tests, and pretrain has none: leave it out")

    def draw(self, folder: Path, rule: Rule) -> None:
        """Nothing was tested."""

    def close(self) -> None:
        """Nothing reads in the background."""


def pretrained_size(name: str) -> BackboneConfig:
    """The sizes a backbone of this name is made with; UserError when it names none."""
    if name not in SIZES:
        raise UserError(f"there is no backbone size {name!r}: use one of {', '.join(SIZES)}")
    return SIZES[name]
