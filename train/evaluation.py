"""Testing a method on its targets: loaders and class texts, one `Evaluation` a target.

Class texts are encoded once per target and evaluation, all views of a video pass in one batch, and
the loaders stay open, so that testing every few epochs costs no start.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from loaders import ClipLoader, TestViews
from loaders.faults import OnError
from shards.atomic import atomic_write
from train.confusion import picture
from train.data import Target
from train.evaluate import TOP, LeftOut, check_complete, predict, videos_per_step
from train.looks import clips_dtype
from train.methods.method import Method
from train.metrics import confusion, per_class
from train.models.tokenizer import Tokenizer
from train.recipes.records import Recipe
from train.results import Evaluation, Rule
from train.texts import prompt_ids


@dataclass(frozen=True)
class Reading:
    """How clips are read; decides no figure."""

    backend: Any = "auto"
    threads: int = 2
    on_error: OnError = "raise"


@dataclass(frozen=True)
class _Test:
    target: Target
    loader: ClipLoader
    prompts: torch.Tensor


class Evaluator:
    """The tests of a run, ready to be made any number of times."""

    def __init__(
        self,
        recipe: Recipe[Any, Any],
        targets: Sequence[Target],
        tokenizer: Tokenizer,
        accelerator: Accelerator,
        reading: Reading,
    ) -> None:
        self.recipe = recipe
        self.accelerator = accelerator
        self._pictures: dict[str, str] = {}
        self._tests = tuple(self._prepare(target, tokenizer, reading) for target in targets)

    def evaluate(self, method: Method, epoch: int) -> tuple[Evaluation, ...]:
        """Test a method (not wrapped) on every target; `epoch` counts the epochs trained so far."""
        was_training = method.training
        method.eval()
        found = tuple(self._evaluate(test, method, epoch) for test in self._tests)
        method.train(was_training)
        return found

    def draw(self, folder: Path, rule: Rule) -> None:
        """Write the confusion pictures of the last evaluation for a rule that has chosen it."""
        for target, drawn in self._pictures.items():
            plain = re.sub(r"[^a-z0-9]+", "-", target.lower())
            atomic_write(folder / f"confusion-{rule}-{plain}.svg", drawn.encode())

    def close(self) -> None:
        """End the loaders' threads."""
        for test in self._tests:
            test.loader.close()

    def _prepare(self, target: Target, tokenizer: Tokenizer, reading: Reading) -> _Test:
        look, testing, accelerator = self.recipe.look, self.recipe.testing, self.accelerator
        views = TestViews(
            frames=look.frames,
            size=look.size,
            clips=look.views.clips,
            crops=look.views.crops,
            short_side=look.short_side,
            statistics=look.statistics,
            random_clips=look.random_clips,
        )
        loader = ClipLoader(
            target.store,
            target.subset,
            views,
            videos_per_step(testing.eval_batch, look.views.views),
            seed=self.recipe.seed,
            rank=accelerator.process_index,
            world=accelerator.num_processes,
            device=accelerator.device,
            dtype=clips_dtype(self.recipe.optim.precision),
            published_drop=testing.published_drop,
            backend=reading.backend,
            threads=reading.threads,
            on_error=reading.on_error,
        )
        names, classes = target.subset.classes, target.store.classes
        prompts = prompt_ids(names, classes, self.recipe.text, tokenizer)
        return _Test(target, loader, prompts.to(accelerator.device))

    @torch.inference_mode()
    def _evaluate(self, test: _Test, method: Method, epoch: int) -> Evaluation:
        began, left_out = time.perf_counter(), LeftOut(test.loader.epoch(0))
        target, views = test.target, self.recipe.look.views
        with self.accelerator.autocast():
            texts = method.encode_text(test.prompts)
            found = predict(
                method.encode_video,
                texts,
                float(method.tau),
                left_out,
                self.accelerator.gather,
            )
        missing = torch.tensor(left_out.videos, device=self.accelerator.device)
        missing = self.accelerator.reduce(missing, reduction="sum")
        check_complete(found, test.loader.rows, target.name, int(missing))
        names = target.subset.classes
        matrix = confusion(found.ranked, found.labels, len(names))
        evaluated = Evaluation(
            target=target.name,
            benchmark=target.store.info.benchmark,
            dataset=target.store.identity,
            subset=target.subset.hash,
            classes=len(names),
            epoch=epoch,
            clips=views.clips,
            crops=views.crops,
            top1=found.top(1),
            top5=found.top(TOP) if len(names) >= TOP else None,
            evaluated=len(found.rows),
            of=len(target.subset),
            published_drop=self.recipe.testing.published_drop,
            displacement=test.loader.displacement,
            seconds=round(time.perf_counter() - began, 3),
            per_class=per_class(matrix, names),
        )
        self._pictures[target.name] = picture(matrix, names, evaluated.line)
        return evaluated
