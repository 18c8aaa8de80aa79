"""What a run is called: the published row it belongs to, and how it departs from it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from manifests.errors import UserError
from train.recipes.ablations import TABLES
from train.recipes.records import Task, differences
from train.recipes.rows import ROWS
from train.results import Result, Rule

_SHORT = 8  # hexadecimal digits of a digest that people see
Plain = Mapping[str, Any]
# Fields that make no other row: the seed is averaged over, what a test shows is a column, and the
# rest changes no figure.
_COLUMNS: Final = ("seed", "protocol.shots", "protocol.targets", "look.views")
_TESTS: Final = ("testing.test_lists", "testing.published_drop")
_IDLE: Final = ("optim.accumulate", "testing.eval_batch")
# What a selection rests on besides the training: how often it could choose, and by how many.
SELECTING: Final = ("eval_every", "validation")
_CHOSEN_BY: Final[Mapping[Rule, tuple[str, ...]]] = {
    "last": (),
    "best-on-test": ("eval_every",),
    "best-on-validation": ("eval_every", "validation"),
}


def row_name(recipe: Plain) -> str:
    """The row of Tables 2 to 5 that a recipe is, or comes nearest to."""
    method, clip = recipe["method"], str(recipe["backbone"]).startswith("clip")
    if method == "zero-shot":
        return "Vanilla CLIP (zero-shot)" if clip else "Zero-ViCLIP"
    if method == "full":
        return "Vanilla CLIP (tuned)" if clip else "ViCLIP"
    if method == "msta":
        return "+ MSTA" if recipe["loss"]["consistency"] == "none" else "+ MSTA + L_cc"
    return {"adaptformer": "+ AdaptFormer", "lora": "+ LoRA"}[method]


@dataclass(frozen=True)
class Departures:
    """How a recipe departs from its published row: in the training, and in what selects weights."""

    training: tuple[str, ...]
    selecting: tuple[str, ...]


def departures(recipe: Plain, rule: Rule) -> Departures:
    """How a recipe departs from its published row, in the reading that it is nearer to.

    `rank 256 -> 8`, published first, in the order of names; "as the logs" comes before them where
    it is that reading. Only what decides figures under `rule`.
    """
    task: Task = recipe["task"]
    row = ROWS[row_name(recipe)]
    odd = _odd(recipe, row(task, recipe["dataset"], "paper").as_json(), rule)
    name: tuple[str, ...] = ()
    try:
        logged = _odd(recipe, row(task, recipe["dataset"], "logs").as_json(), rule)
    except UserError:  # no logs of such runs
        logged = odd
    if len(logged) < len(odd):
        odd, name = logged, ("as the logs",)
    selecting = tuple(text for text in odd if text.startswith(SELECTING))
    return Departures((*name, *(text for text in odd if text not in selecting)), selecting)


def foundations(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """What each training rested on besides its recipe, where that tells runs apart.

    The adapter that it began with, and the descriptions, where runs that are held to as many of the
    same benchmark have several.
    """
    told: dict[tuple[object, ...], set[str]] = defaultdict(set)
    for result in results:
        for kind, digest in result.training.descriptions.items():
            told[_sentences(result, kind)].add(digest)
    found = []
    for result in results:
        began = result.training.started_from
        odd = [f"from adapter {began[:_SHORT]}"] if began and result.training.updates else []
        for kind, digest in result.training.descriptions.items():
            if len(told[_sentences(result, kind)]) > 1:
                odd.append(f"{kind} descriptions {digest[:_SHORT]}")
        found.append(tuple(odd))
    return found


def _sentences(result: Result, kind: str) -> tuple[object, ...]:
    return result.task, result.benchmark, kind, result.recipe["loss"]["n_descriptions"]


def ablation_lines(recipe: Plain) -> dict[str, str]:
    """Lines of Tables 6 and 7 that a base-to-novel run of MSTA is, by table."""
    found: dict[str, str] = {}
    if recipe["task"] != "base-novel" or recipe["method"] != "msta":
        return found
    row = ROWS["+ MSTA + L_cc"]("base-novel", recipe["dataset"], "paper")
    for table, lines in TABLES.items():
        for line, variant in lines.items():
            if not _odd(recipe, variant(row).as_json(), "last"):
                found[table] = line
    return found


def _odd(recipe: Plain, row: Plain, rule: Rule) -> tuple[str, ...]:
    idle = tuple(f"testing.{name}" for name in SELECTING if name not in _CHOSEN_BY[rule])
    odd = differences(recipe, row)
    told = [text for text in odd if not text.startswith((*_COLUMNS, *_TESTS, *_IDLE, *idle))]
    return tuple(_as_words(text) for text in told)


def _as_words(text: str) -> str:
    """`options.rank 8 -> 256` as `rank 8 -> 256`: the words of the command line have no groups."""
    field, _, values = text.partition(" ")
    return f"{field.rpartition('.')[2]} {values}".replace("'", "")
