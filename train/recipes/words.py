"""From the words of a command line to a recipe, in two readings.

The first reading takes the words that other defaults depend on: the task, `--dataset`, `--method`,
`--as`, `--batch` and `--variant`. They choose a published recipe. The second reads everything
else over that recipe, so `--help` shows the defaults of exactly this run, and unknown words and
values end with exit code 2 and one line with the nearest right ones.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, cast

import tyro

from manifests.boxes import one_line
from manifests.classes import canonical
from manifests.errors import UserError
from manifests.near import did_you_mean
from train.methods import METHODS, default_options
from train.recipes.ablations import VARIANTS_OF
from train.recipes.published import RECIPES, Choice
from train.recipes.records import TASKS, Options, Precision, Protocol, Reading, Recipe, Task
from train.recipes.spelling import options_of, unknown_choice, unknown_option, wrong

PROGRAM = "train/run.py"
USAGE = f"""usage: accelerate launch {PROGRAM} [TASK] [OPTIONS]

TASK is one of {", ".join(TASKS)}; without a word, few-shot on the toy shards.
`{PROGRAM} TASK --help` lists the options with the defaults of that recipe; add --dataset,
--method and --as first to see the defaults of that row of the paper.
"""


@dataclass(frozen=True)
class Where:
    """Where files lie and how they are read; decides no figure."""

    shards: str = "data/shards"
    """Folder that holds <benchmark>/, or its address: s3://…, https://…, hf://…"""
    models: Path = Path("data/models")
    """Folder that holds <size>/ of the backbones."""
    out: Path | None = None
    """Folder of the run; by default runs/<task>-<dataset>-…."""
    resume: bool = False
    """Go on from the last saved state of --out, if there is one."""
    overwrite: bool = False
    """Start anew in a folder that holds a run."""
    adapter: Path | None = None
    """Start from this adapter; with --epochs 0 it is only tested."""
    backend: Literal["auto", "cpu", "dali"] = "auto"
    """What decodes frames."""
    threads: int = 2
    """Threads per rank that read and decode."""
    save_steps: int = 0
    """Save the state every so many updates too, not only after each epoch."""
    cache: Path = Path("data/cache")
    """Folder that keeps what was fetched from an address."""
    cache_gb: float = 100.0
    """Most that --cache keeps, GB; what was used longest ago goes first."""
    on_error: Literal["raise", "substitute"] = "raise"
    """A clip whose frames cannot be used: an error, or in training another clip of the subset and
    in tests a video that is not evaluated; both are counted in the result."""
    diverging: float = 2.0
    """Stop when the mean loss of 50 updates is more than so many times that of the first 50 (or
    1, if that was less); 0 goes on whatever the loss."""
    tensorboard: bool = False
    """Log to TensorBoard as well as to log.jsonl."""
    check_economies: bool = False
    """Train nothing: run one step with and without each economy, and compare."""
    throughput: bool = False
    """Measure videos a second at the largest batch that fits, after the tests (Table 8)."""
    json: bool = False
    """Print the result as JSON."""


@dataclass(frozen=True)
class _First:
    """Words that decide the other defaults."""

    dataset: str = "toy"
    method: str = ""
    reading: Annotated[Reading, tyro.conf.arg(name="as")] = "paper"
    batch: int | None = None
    variant: str = ""


@dataclass(frozen=True)
class Words(Generic[Protocol, Options]):
    """All words of a command line, read."""

    recipe: Recipe[Protocol, Options]
    where: Where = field(default_factory=Where)
    reading: Annotated[Reading, tyro.conf.arg(name="as")] = "paper"
    """paper: Table 1 and the text; logs: the authors' own run logs."""
    variant: str = ""
    """A line of the ablations, Tables 6 and 7, or a preset of LoRA: see train/README.md."""


def read_words(words: Sequence[str]) -> Words[Any, Any]:
    """The run that the words ask for; exits with 2 and a hint when they are wrong."""
    task, rest = _task(words)
    first = _first_reading(task, rest)
    try:
        recipe = _chosen(task, first)
    except (UserError, ValueError) as error:  # ValueError: a number that a record refuses
        wrong(PROGRAM, str(error))
    kind = cast(Any, Words)[type(recipe.protocol), type(recipe.options)]
    default = Words(recipe, Where(), first.reading, first.variant)
    _check_spelling(default, rest)
    with one_line(PROGRAM, itemgetter(0)):
        found: Words[Any, Any] = tyro.cli(
            kind,
            args=list(rest),
            default=default,
            prog=f"{PROGRAM} {task}",
            description=RECIPES[task].__doc__,
            config=(tyro.conf.OmitArgPrefixes,),
        )
    return replace(found, recipe=replace(found.recipe, dataset=canonical(found.recipe.dataset)))


def _task(words: Sequence[str]) -> tuple[Task, Sequence[str]]:
    if not words or words[0].startswith("-"):
        if words and words[0] in ("-h", "--help"):
            sys.stdout.write(USAGE)
            sys.exit(0)
        return "few-shot", words
    if words[0] not in TASKS:
        hint = did_you_mean(words[0], TASKS)
        wrong(PROGRAM, f"there is no task {words[0]!r}: use one of {', '.join(TASKS)}{hint}")
    return words[0], words[1:]


def _first_reading(task: Task, words: Sequence[str]) -> _First:
    if message := unknown_choice(_First(), words):
        wrong(PROGRAM, message)
    with one_line(PROGRAM, itemgetter(0)):
        found, _ = tyro.cli(
            _First,
            args=[word for word in words if word not in ("-h", "--help")],
            prog=f"{PROGRAM} {task}",
            return_unknown_args=True,
            add_help=False,
        )
    return found


def _check_spelling(words_of_run: Words[Any, Any], words: Sequence[str]) -> None:
    """Leave with the nearest right word, or the recipe whose word it is, where one is wrong."""
    option = unknown_option(words_of_run, words)
    if option and (owners := _owners(option)):
        wrong(PROGRAM, f"{option} is an option of {owners}, not of this run: leave it out")
    if option:
        hint = did_you_mean(option, options_of(words_of_run))
        wrong(PROGRAM, f"there is no option {option}{hint or ': --help lists them all'}")
    if message := unknown_choice(words_of_run, words):
        wrong(PROGRAM, message)


def _owners(option: str) -> str:
    """Methods and tasks that have an option."""
    methods = [
        f"--method {name}" for name in METHODS if option in options_of(default_options(name))
    ]
    return ", ".join(
        [*methods, *(task for task, kind in TASKS.items() if option in options_of(kind()))]
    )


def _chosen(task: Task, first: _First) -> Recipe[Any, Any]:
    if task == "pretrain" and first.method:
        raise UserError("pretrain trains the whole backbone: leave out --method")
    choice = Choice(canonical(first.dataset), first.method or "msta", first.reading, first.batch)
    recipe = RECIPES[task](choice)
    recipe = replace(recipe, optim=replace(recipe.optim, precision=_launched_precision()))
    if first.variant:
        recipe = _varied(recipe, first.variant)
    return recipe


def _varied(recipe: Recipe[Any, Any], name: str) -> Recipe[Any, Any]:
    known = VARIANTS_OF.get(recipe.method, {})
    if name in known:
        return known[name](recipe)
    for method, others in VARIANTS_OF.items():
        if name in others:
            raise UserError(
                f"variant {name} is of {method}, not of {recipe.method}: say --method {method}, "
                f"or leave out --variant {name}"
            )
    names = known or [each for others in VARIANTS_OF.values() for each in others]
    hint = did_you_mean(name, names) or f": use one of {', '.join(names)}"
    raise UserError(f"there is no variant {name!r}{hint}")


def _launched_precision() -> Precision:
    """What `accelerate launch --mixed_precision` asked for."""
    asked = os.environ.get("ACCELERATE_MIXED_PRECISION", "no")
    return cast(Precision, asked) if asked in ("bf16", "fp16") else "fp32"
