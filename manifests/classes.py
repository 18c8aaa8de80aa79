"""Class lists: which number is which action, what it is called, which half it belongs to.

One file a benchmark, ``manifests/<benchmark>/classes.csv``::

    id,name,prompt,half
    0,brush_hair,brush hair,novel
    1,cartwheel,cartwheel,novel

``id`` counts from 0 in the order of the official annotation, ``name`` is the official name,
``prompt`` the text of the published prompt lists, ``half`` is "base", "novel" or empty where
nobody published halves. Which order each list has is told in ``manifests/README.md``.

Everything is joined by name, never by number: published lists number the same classes differently.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib import resources
from typing import Literal

from manifests.errors import UserError
from manifests.near import did_you_mean
from manifests.spelling import split_words, squeeze

Half = Literal["base", "novel", ""]
PromptMode = Literal["raw", "split"]

BENCHMARKS = ("ucf101", "hmdb51", "kinetics400", "kinetics600", "ssv2", "activitynet", "toy")

_ALIASES = {
    "ucf": "ucf101",
    "hmdb": "hmdb51",
    "k400": "kinetics400",
    "k600": "kinetics600",
    "sthv2": "ssv2",
    "somethingsomethingv2": "ssv2",
    "20bnsomethingsomethingv2": "ssv2",
    "anet": "activitynet",
    "anet13": "activitynet",
    "activitynet13": "activitynet",
}


def canonical(name: str) -> str:
    """Return the one name of a benchmark: ``K400`` and ``kinetics-400`` are ``kinetics400``.

    ``custom`` is allowed too. Raises UserError, with the allowed names, for anything else.
    """
    key = squeeze(name)
    key = _ALIASES.get(key, key)
    if key in BENCHMARKS or key == "custom":
        return key
    names = (*BENCHMARKS, "custom")
    raise UserError(
        f"there is no benchmark {name!r}: use one of {', '.join(names)} (k400, k600, anet too)"
        f"{did_you_mean(key, (*names, *_ALIASES))}"
    )


@dataclass(frozen=True)
class ActionClass:
    """One class: its official number and name, its published prompt text and its half."""

    id: int
    name: str
    prompt: str
    half: Half = ""


@dataclass(frozen=True)
class ClassList:
    """The classes of a benchmark, or some of them, in the order of their official ids."""

    benchmark: str
    classes: tuple[ActionClass, ...]

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """Official names, in order."""
        return tuple(item.name for item in self.classes)

    def prompts(self, mode: PromptMode = "raw") -> tuple[str, ...]:
        """Texts that stand for the classes, in order.

        ``raw`` is what the published lists hold, glued UCF names included, so that figures can be
        compared; ``split`` turns CamelCase and underscores into words.
        """
        if mode == "raw":
            return tuple(item.prompt for item in self.classes)
        return tuple(split_words(item.name) for item in self.classes)

    def find(self, name: str) -> int | None:
        """Official id of a class under its official name or any spelling of the same letters."""
        number = self._exact.get(name)
        return self._squeezed.get(squeeze(name)) if number is None else number

    def id_of(self, name: str) -> int:
        """As ``find``; raises UserError, naming the nearest classes, where there is none."""
        number = self.find(name)
        if number is None:
            near = difflib.get_close_matches(name, self.names, n=3)
            hint = f"; nearest: {', '.join(near)}" if near else ""
            raise UserError(f"{self.benchmark} has no class {name!r} among its {len(self)}{hint}")
        return number

    def half(self, which: Literal["base", "novel"]) -> ClassList:
        """Return the classes of one half, with their ids kept.

        Raises UserError when no halves were published for this benchmark.
        """
        chosen = tuple(item for item in self.classes if item.half == which)
        if not chosen:
            raise UserError(f"{self.benchmark} has no {which} half: no list of halves is published")
        return replace(self, classes=chosen)

    @cached_property
    def hash(self) -> str:
        """Sha256 hex digest of benchmark, ids and names: what a label number means.

        Prompt text and halves are left out: they decide nothing about stored labels.
        """
        lines = [self.benchmark, *(f"{item.id}\t{item.name}" for item in self.classes)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @cached_property
    def _exact(self) -> dict[str, int]:
        return {item.name: item.id for item in self.classes}

    @cached_property
    def _squeezed(self) -> dict[str, int]:
        # Names of a custom list may differ in punctuation only; those must be spelled exactly.
        keys = [squeeze(item.name) for item in self.classes]
        counts = Counter(keys)
        return {
            key: item.id for key, item in zip(keys, self.classes, strict=True) if counts[key] == 1
        }


@cache
def load_classes(benchmark: str) -> ClassList:
    """Read the class list of a benchmark, under any of its names, from the package's own data."""
    name = canonical(benchmark)
    if name == "custom":
        raise UserError("custom has no class list of its own: its classes come from its list file")
    rows = read_rows(name, "classes.csv")
    classes = tuple(
        ActionClass(int(row["id"]), row["name"], row["prompt"], _half(row["half"])) for row in rows
    )
    return ClassList(name, classes)


def class_list(benchmark: str, names: Sequence[str]) -> ClassList:
    """Build a list from names alone, numbered in the order given: for videos of one's own.

    Underscores become blanks in the prompt, as in the published lists. Raises UserError when a
    name is empty or stands twice.
    """
    for name, count in Counter(names).items():
        if not name or count > 1:
            raise UserError(f"the class list of {benchmark} holds {name!r} {count} times")
    return ClassList(
        benchmark,
        tuple(ActionClass(i, name, name.replace("_", " ")) for i, name in enumerate(names)),
    )


def read_rows(benchmark: str, file: str) -> list[dict[str, str]]:
    """Rows of one of the package's own csv files; FileNotFoundError when there is none."""
    path = resources.files("manifests").joinpath(f"{benchmark}/{file}")
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def _half(text: str) -> Half:
    halves: dict[str, Half] = {"base": "base", "novel": "novel"}
    return halves.get(text, "")
