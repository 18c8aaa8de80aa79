"""Label files: what the numbers of a published list are said to mean.

``id,name`` with or without that first line (UCF-101's classInd.txt counts from 1), JSON in either
direction, a JSON list, or one name a line.
"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

from manifests.classes import ClassList
from manifests.errors import UserError
from manifests.numberings import Numbering
from prep.benchmarks.annotation import read_text

_NUMBERED = re.compile(r"(\d+)\s*[,\t ]\s*(.+)")


def read_labels(path: Path, classes: ClassList) -> Numbering:
    """Read a label file; UserError when it is absent, of no known form or names no class of ours.

    Names are found under any spelling of the same letters.
    """
    if not path.is_file():
        raise UserError(f"there is no label file {path}: name one with --labels")
    names = _by_number(path, read_text(path))
    if not names or sorted(names) != list(range(min(names), min(names) + len(names))):
        raise UserError(f"{path} does not number its classes one by one: name a label file")
    unknown = [name for name in names.values() if classes.find(name) is None]
    if unknown:
        raise UserError(
            f"{path} names {len(unknown)} classes that {classes.benchmark} does not have, first "
            f"{unknown[0]!r}: is it the label file of another dataset?"
        )
    ordered = tuple(classes.names[classes.id_of(names[number])] for number in sorted(names))
    return Numbering(path.name, ordered, min(names))


def _by_number(path: Path, text: str) -> dict[int, str]:
    if text.lstrip()[:1] in ("{", "["):
        return _from_json(path, text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines and lines[0].lower().replace(" ", "") == "id,name":
        # Some files leave names with commas unquoted: what follows the number is the name.
        rows = [row for row in csv.reader(lines[1:]) if row]
        if not all(row[0].isdigit() for row in rows):
            raise UserError(f"{path} has a line that does not begin with a number")
        return {int(row[0]): ",".join(row[1:]) for row in rows}
    numbered = [_NUMBERED.fullmatch(line) for line in lines]
    if all(numbered):
        return {int(match[1]): match[2].strip('"') for match in numbered if match}
    return dict(enumerate(lines))


def _from_json(path: Path, text: str) -> dict[int, str]:
    try:
        content = json.loads(text)
        if isinstance(content, list):
            return dict(enumerate(map(str, content)))
        if all(str(key).isdigit() for key in content):
            return {int(key): str(name) for key, name in content.items()}
        return {int(number): str(name) for name, number in content.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is no label file: {error}") from error
