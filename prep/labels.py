"""Label files: what the numbers of a published list are said to mean.

::

    id,name / 0,brush hair         with or without the heading; UCF-101's classInd.txt counts from 1
    riding a bike<tab>0            the name first
    brush_hair                     one name a line, in order
    {"0": "brush hair"}            JSON in either direction, or a list of names
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

from manifests.classes import ClassList
from manifests.errors import UserError
from manifests.numberings import Numbering
from prep.benchmarks.annotation import read_text

HEADINGS = frozenset({"id,name", "name,id", "index,name", "action", "id,class", "class,id"})

_NUMBER_FIRST = re.compile(r"(?P<number>[0-9]{1,9})\s*[,\t ]\s*(?P<name>.+)")
_NUMBER_LAST = re.compile(r"(?P<name>.+?)\s*[,\t ]\s*(?P<number>[0-9]{1,9})")


def is_heading(line: str) -> bool:
    """Whether a line is the heading of a label file."""
    return line.lower().replace(" ", "") in HEADINGS


def read_labels(path: Path, classes: ClassList) -> Numbering:
    """Read a label file; UserError when it is absent, of no known form or names no class of ours.

    Names are found under any spelling of the same letters.
    """
    if not path.is_file():
        raise UserError(f"there is no label file {path}: name one with --labels")
    pairs = sorted(_pairs(path, read_text(path)))
    numbers = [number for number, _ in pairs]
    if not pairs or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        raise UserError(f"{path} does not number its classes one by one: name a label file")
    unknown = [name for _, name in pairs if classes.find(name) is None]
    if unknown:
        raise UserError(
            f"{path} names {len(unknown)} classes that {classes.benchmark} does not have, first "
            f"{unknown[0]!r}: is it the label file of another dataset?"
        )
    ordered = tuple(classes.names[classes.id_of(name)] for _, name in pairs)
    twice = [name for name, count in Counter(ordered).items() if count > 1]
    if twice:
        raise UserError(f"{path} names {twice[0]!r} twice: name a label file")
    return Numbering(path.name, ordered, numbers[0])


def _pairs(path: Path, text: str) -> list[tuple[int, str]]:
    """Numbers and names, as they stand there."""
    if text.lstrip()[:1] in ("{", "["):
        return _from_json(path, text)
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    lines = lines[1:] if lines and is_heading(lines[0]) else lines
    for form in (_NUMBER_FIRST, _NUMBER_LAST):
        found = [form.fullmatch(line) for line in lines]
        if all(found):
            # Some files leave names with commas unquoted: all but the number is the name.
            return [(int(m["number"]), m["name"].strip('"')) for m in found if m]
    return list(enumerate(lines))


def _from_json(path: Path, text: str) -> list[tuple[int, str]]:
    try:
        content = json.loads(text)
        if isinstance(content, list):
            return list(enumerate(map(str, content)))
        if all(key.isdigit() for key in content):
            return [(int(key), str(name)) for key, name in content.items()]
        return [(int(number), name) for name, number in content.items()]
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise UserError(f"{path} is no label file: {error}") from error
