"""One run from words to result: out folder, resuming, the loop, selections, the result file.

::

    <out>/recipe.json                what the run is; another recipe is refused there
          log.jsonl                  one line an update
          state/                     what --resume goes on from
          adapter-<rule>.safetensors
          confusion-<rule>-<test>.svg
          result.json                written last
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import is_tensorboard_available

from loaders import PLAN_VERSION, ClipLoader, TrainViews
from loaders.clips import choose
from manifests.errors import UserError
from shards.atomic import atomic_write
from train.checkpoint import Progress, latest_progress, load_state, register
from train.folder import check_out, check_same, clear, default_out
from train.looks import clips_dtype
from train.pretraining import Pretraining
from train.recipes.records import Pretrain, Recipe
from train.recipes.words import Where, Words
from train.results import Result, Selection, Training, save_result, versions
from train.selection import newly_best, selections
from train.tracking import JSONLines, Pace, trim_log
from train.trainer import Loop, train
from train.tuning import Tuning

Work = Tuning | Pretraining


def run(words: Words[Any, Any]) -> Result:
    """Train and test what the words ask for; returns what was also written to result.json.

    Raises UserError for anything a user can mend, StoppedError after a signal.
    """
    recipe, where = words.recipe, words.where
    out = where.out or default_out(recipe, words.variant)
    finished = check_out(out, recipe, where)
    if finished is not None:
        return finished
    accelerator = _accelerator(recipe, where, out)
    if recipe.method == "zero-shot" and recipe.optim.epochs:
        raise UserError("zero-shot trains nothing: leave out --epochs, or choose another --method")
    kind = Pretraining if isinstance(recipe.protocol, Pretrain) else Tuning
    work: Work = kind(words, accelerator)
    try:
        return _run(work, recipe, where, out, accelerator)
    finally:
        work.close()
        accelerator.end_training()


def _accelerator(recipe: Recipe[Any, Any], where: Where, out: Path) -> Accelerator:
    precision = "no" if recipe.optim.precision == "fp32" else recipe.optim.precision
    trackers: list[Any] = [JSONLines(out / "log.jsonl")]
    if where.tensorboard:
        if not is_tensorboard_available():  # Accelerate would go on without a word
            raise UserError(
                "--tensorboard needs a package that is not installed: run "
                "`pip install -e '.[tensorboard]'`, or leave it out: log.jsonl has the same figures"
            )
        trackers.append("tensorboard")
    return Accelerator(mixed_precision=precision, log_with=trackers, project_dir=str(out))


def _run(
    work: Work, recipe: Recipe[Any, Any], where: Where, out: Path, accelerator: Accelerator
) -> Result:
    loader = training_loader(work, recipe, where, accelerator) if recipe.optim.epochs else None
    identity = loader.identity if loader else ""
    progress, folder = _start(work, recipe, where, out, identity, accelerator)
    evaluate = _evaluation(work, recipe, out)
    pace = Pace()
    if loader is None:
        progress = evaluate(progress)
    else:
        with loader:
            loop = _loop(work, recipe, where, out, loader, accelerator)
            if folder is not None:
                load_state(accelerator, folder)
            progress, pace = train(loop, progress, evaluate)
    return _finish(work, recipe, where, out, progress, pace, accelerator)


def training_loader(
    work: Work, recipe: Recipe[Any, Any], where: Where, accelerator: Accelerator
) -> ClipLoader:
    look, augment = recipe.look, recipe.augment
    views = TrainViews(
        frames=look.frames, size=look.size, statistics=look.statistics, **vars(augment)
    )
    return ClipLoader(
        work.data.store,
        work.data.train,
        views,
        recipe.optim.batch,
        seed=recipe.seed,
        rank=accelerator.process_index,
        world=accelerator.num_processes,
        device=accelerator.device,
        dtype=clips_dtype(recipe.optim.precision),
        backend=where.backend,
        threads=where.threads,
        shuffle_tars=recipe.optim.shuffle_tars,
        on_error=where.on_error,
    )


def _start(
    work: Work,
    recipe: Recipe[Any, Any],
    where: Where,
    out: Path,
    loader: str,
    accelerator: Accelerator,
) -> tuple[Progress, Path | None]:
    """Where the run begins, and the state to load; writes recipe.json."""
    data = work.data
    fresh = Progress(
        epoch=0,
        step=0,
        update=0,
        recipe=recipe.as_json(),
        subset=data.train.hash,
        dataset=data.store.identity,
        plan=PLAN_VERSION,
        loader=loader,
        backbone=work.backbone,
        descriptions=dict(work.descriptions),
        seconds=0.0,
        history=[],
    )
    found = latest_progress(out) if where.resume else None
    if found is not None:
        check_same(found[1], fresh, out)
    if accelerator.is_main_process:
        if found is None and out.exists():
            clear(out)
        atomic_write(out / "recipe.json", (json.dumps(recipe.as_json(), indent=1) + "\n").encode())
        trim_log(out / "log.jsonl", found[1].update if found else 0)
    accelerator.wait_for_everyone()
    accelerator.init_trackers("run")
    return (found[1], found[0]) if found else (fresh, None)


def _loop(
    work: Work,
    recipe: Recipe[Any, Any],
    where: Where,
    out: Path,
    loader: ClipLoader,
    accelerator: Accelerator,
) -> Loop:
    optim = recipe.optim
    optimizer = torch.optim.AdamW(
        [parameter for parameter in work.module.parameters() if parameter.requires_grad],
        lr=0.0,  # every update sets its own
        betas=optim.betas,
        weight_decay=optim.weight_decay,
    )
    register(accelerator)
    module, optimizer = accelerator.prepare(work.module, optimizer)
    return Loop(
        accelerator, module, optimizer, loader, optim, out, where.save_steps, where.diverging
    )


def _evaluation(work: Work, recipe: Recipe[Any, Any], out: Path) -> Callable[[Progress], Progress]:
    """The function that the loop calls after each epoch: tests when it is time to."""
    every, epochs = recipe.testing.eval_every, recipe.optim.epochs

    def evaluate(progress: Progress) -> Progress:
        epoch = progress.epoch
        # After the first epoch and every so many from there, as the followed code does.
        due = epoch == epochs or (every and epoch and (epoch - 1) % every == 0)
        if not due or any(test["epoch"] == epoch for test in progress.history):
            return progress
        tests = work.test(epoch)
        history = [*progress.history, *(asdict(test) for test in tests)]
        for rule in newly_best(history, epoch) if epochs else ():
            work.save(out, rule, epoch)
            work.draw(out, rule)
        if epoch == epochs:
            work.draw(out, "last")
        return replace(progress, history=history)

    return evaluate


def _finish(
    work: Work,
    recipe: Recipe[Any, Any],
    where: Where,
    out: Path,
    progress: Progress,
    pace: Pace,
    accelerator: Accelerator,
) -> Result:
    last = work.save(out, "last", progress.epoch) if recipe.optim.epochs else None
    chosen = selections(recipe.task, progress, last)
    result = _result(work, recipe, where, progress, pace, chosen, accelerator)
    if where.throughput:
        result = replace(result, throughput=work.throughput())
    if accelerator.is_main_process:
        save_result(out / "result.json", result)
    accelerator.wait_for_everyone()
    return result


def _result(
    work: Work,
    recipe: Recipe[Any, Any],
    where: Where,
    progress: Progress,
    pace: Pace,
    chosen: tuple[Selection, ...],
    accelerator: Accelerator,
) -> Result:
    data, info = work.data, work.data.store.info
    training = Training(
        subset=data.train.name,
        subset_hash=data.train.hash,
        videos=len(data.train),
        classes=len(data.train.classes),
        updates=progress.update,
        seconds=round(pace.total, 3),
        clips_per_second=round(pace.clips / pace.seconds, 2) if pace.seconds else None,
        substituted=pace.substituted,
        data_wait_share=round(pace.wait_share, 4) if pace.seconds else None,
        trainable_parameters=work.trainable_parameters,
        parameters=work.parameters,
        descriptions=dict(work.descriptions),
        started_from=work.started_from,
    )
    return Result(
        task=recipe.task,
        benchmark=info.benchmark,
        method=recipe.method,
        seed=recipe.seed,
        recipe=recipe.as_json(),
        dataset={
            "identity": data.store.identity,
            "fingerprint": info.fingerprint,
            "classes": info.classes_hash,
        },
        backbone=work.backbone,
        training=training,
        selections=chosen,
        versions=versions(),
        machine={
            "device": str(accelerator.device),
            "processes": accelerator.num_processes,
            "precision": recipe.optim.precision,
            "decoder": ": ".join(choose(where.backend, accelerator.device)),
            "threads": torch.get_num_threads(),
            "cores": os.cpu_count(),
        },
    )
