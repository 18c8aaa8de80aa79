"""Published files of descriptions: ``{"0": ["...", "..."], "1": [...]}``, by number.

::

    ETL4Video   <N>_<s|t>_description_<hmdb|ucf_101|ssv2|k400|k600>[_base|_novel].json
    OST         <ucf|hmdb|k400|sth|k600>/<spatio|temporal>_descriptors/<N>_descriptors.json
                k600/split<i>/<spatio|temporal>_<N>_descriptors.json

A number is a row of the public label list of the same classes, which is not everywhere the
official order (``manifests.protocols.published_order``), or a row of that one
(``prep.descriptions.orders``); halves and zero-shot lists count from 0 again.
"""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from manifests.classes import ClassList, canonical, load_classes
from manifests.descriptions import Kind
from manifests.errors import UserError
from manifests.protocols import ZERO_SHOT_SPLITS, published_order, zero_shot_classes

Part = Literal["all", "base", "novel", "zero-shot", "zero-shot-1", "zero-shot-2", "zero-shot-3"]

_KINDS: dict[str, Kind] = {
    "s": "spatial",
    "spatio": "spatial",
    "spatial": "spatial",
    "t": "temporal",
    "temporal": "temporal",
}
_PARTS: dict[str, Part] = {
    "base": "base",
    "novel": "novel",
    "split1": "zero-shot-1",
    "split2": "zero-shot-2",
    "split3": "zero-shot-3",
}
_FOLDERS = 3  # how many folders above a file may say what it is


@dataclass(frozen=True)
class Guess:
    """What the name of a file says; None where it says nothing."""

    dataset: str | None
    kind: Kind | None
    n: int | None
    part: Part | None


def guess(path: Path) -> Guess:
    """Read dataset, kind, N and part off a file's name, then off its folders, nearest first."""
    folders = [part.lower() for part in reversed(path.absolute().parts[:-1][-_FOLDERS:])]
    groups = [_words(name) for name in (path.stem.lower(), *folders)]
    words = [word for group in groups for word in group]
    pairs = [a + b for group in groups for a, b in itertools.pairwise(group)]
    numbers = [int(word) for word in groups[0] if re.fullmatch(r"[1-9]\d?", word)]
    dataset = next((name for word in words if (name := _dataset(word))), None)
    return Guess(
        dataset,
        next((_KINDS[word] for word in words if word in _KINDS), None),
        numbers[0] if numbers else None,
        next((_PARTS[word] for word in [*words, *pairs] if word in _PARTS), None),
    )


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", name)


def _dataset(word: str) -> str | None:
    if word in ("sth", "custom"):
        return "ssv2" if word == "sth" else None
    try:
        return canonical(word)
    except UserError:
        return None


def read_published(path: Path) -> dict[int, tuple[str, ...]]:
    """Strings by number; UserError, in one line, for a file of another form."""
    try:
        record = json.loads(path.read_bytes(), object_pairs_hook=_once)
    except FileNotFoundError:
        raise UserError(f"there is no file {path}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no published file of descriptions: {error}") from error
    if not isinstance(record, dict) or not record:
        raise UserError(f'{path} is no published file of descriptions: want {{"0": ["...", ...]}}')
    return {_number(key, path): _texts(value, key, path) for key, value in record.items()}


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"key {key!r} stands twice")
        found[key] = value
    return found


def _number(key: str, path: Path) -> int:
    if not re.fullmatch(r"0|[1-9][0-9]{0,8}", key):
        raise UserError(f"{path}: key {key[:40]!r} is no class number: keys count from 0")
    return int(key)


def _texts(value: object, key: str, path: Path) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value  # a bare text is a list of one
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise UserError(f"{path}: the sentences of key {key!r} are no list of texts")
    if any("\ud800" <= sign <= "\udfff" for text in texts for sign in text):
        raise UserError(f"{path}: a sentence of key {key!r} holds half a sign (\\ud800 to \\udfff)")
    return tuple(texts)


def part_names(dataset: str, part: Part) -> tuple[str, ...]:
    """Official names of the classes of a part, in the order of the public lists."""
    if part in ("all", "base", "novel"):
        return published_order(dataset, part)
    splits = ZERO_SHOT_SPLITS if part == "zero-shot" else (int(part[-1]),)
    chosen = {name for split in splits for name in zero_shot_classes(dataset, split)}
    return tuple(name for name in load_classes(dataset).names if name in chosen)


def part_of(dataset: str, said: Part | None, classes: int) -> Part:
    """The part that a file is about, as its name says or as its number of classes does.

    Kinetics-600 is the one benchmark with a file of the classes of all three zero-shot lists.
    """
    if said:
        return said
    if dataset == "kinetics600" and classes == len(part_names(dataset, "zero-shot")):
        return "zero-shot"
    return "all"


def read_labels(path: Path, classes: ClassList) -> tuple[str, ...]:
    """Official names in the order of a label file ``id,name``; a name may hold bare commas."""
    try:
        rows = [row for row in csv.reader(path.read_text("utf-8-sig").splitlines()) if row]
    except FileNotFoundError:
        raise UserError(f"there is no label file {path}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is no label file of rows id,name: {error}") from error
    if rows and not rows[0][0].strip().isdigit():
        rows = rows[1:]  # the head
    names: dict[int, str] = {}
    for row in rows:
        number, name = row[0].strip(), ",".join(row[1:]).strip()
        if not number.isdecimal() or not name or int(number) in names:
            raise UserError(f"{path}: row {','.join(row)!r} is no id,name, or its id stands twice")
        names[int(number)] = classes.names[classes.id_of(name)]
    if sorted(names) != list(range(len(names))) or len(set(names.values())) != len(names):
        raise UserError(f"{path}: want ids from 0 without a gap, and each class once")
    return tuple(names[number] for number in range(len(names)))


def check_numbers(
    published: Mapping[int, object], names: Sequence[str], path: Path, about: str
) -> None:
    """Raise UserError when the numbers are not 0 to n - 1 for the n classes.

    about: what the classes are, for the message: "hmdb51, base classes,".
    """
    if len(published) != len(names):
        gap = next(number for number in itertools.count() if number not in published)
        lacks = f" and lacks key '{gap}'" if gap < len(published) else ""
        raise UserError(
            f"{path} has {len(published)} classes{lacks}, {about} has {len(names)}: say --dataset "
            "and --part, or give the file's own order with --labels id,name.csv"
        )
    unknown = sorted(set(published) - set(range(len(names))))
    if unknown:
        raise UserError(
            f"{path}: key '{unknown[0]}' is no class of {about.rstrip(',')}, whose keys are "
            f"0 to {len(names) - 1}"
        )
