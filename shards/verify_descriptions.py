"""Are the descriptions beside a set whole, and of its classes?

::

    file      bytes as they were written, hash, form (a file without a hash: form alone)
    name      <kind>-<n>.json, of what it holds
    classes   of the set's own benchmark and list

Which sentences are good ones is for `prep describe lint` to say. A damaged file is never mended
here: nothing else in the set holds its sentences.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from manifests.descriptions import (
    Descriptions,
    format_descriptions,
    parse_descriptions,
    stray_keys,
    unhashed,
)
from manifests.errors import UserError
from shards.faults import Fault, unreadable
from shards.records import DatasetHeader

DESCRIPTIONS = "descriptions"


def description_files(folder: Path) -> list[Path]:
    """Files of descriptions beside a set, in order of name."""
    return sorted((folder / DESCRIPTIONS).glob("[!.]*.json"))


def description_faults(folder: Path, header: DatasetHeader) -> Iterator[Fault]:
    """Hold every file of descriptions of a set against its hash, its name and the set's classes."""
    for path in description_files(folder):
        place = path.relative_to(folder).as_posix()
        try:
            data = path.read_bytes()
            found = parse_descriptions(data, place)
        except UserError as error:
            yield Fault(place, str(error).removeprefix(f"{place} "), "by hand")
        except OSError as error:
            yield Fault(place, unreadable(error), "by hand")
        else:
            if what := _changed(data, found) or _misfit(path.name, found, header):
                mend = f"make it again with `prep describe --dataset {header.benchmark}`, or import"
                yield Fault(place, f"{what}: {mend} it, with --anew", "by hand")


def unhashed_descriptions(folder: Path) -> tuple[str, ...]:
    """Names of files without a hash of their own: whether they were changed nobody can tell."""
    names = []
    for path in description_files(folder):
        try:
            data = path.read_bytes()
            parse_descriptions(data, path.name)
        except (UserError, OSError):
            continue  # told as a fault
        if unhashed(data):
            names.append(path.name)
    return tuple(names)


def _changed(data: bytes, found: Descriptions) -> str | None:
    if not unhashed(data):
        same = data == format_descriptions(found)
        return None if same else "has other bytes than were written"
    keys = stray_keys(data)  # one damaged byte turns the name of the hash into another one
    return f"has the key {keys[0]!r}, which no such file has" if keys else None


def _misfit(name: str, found: Descriptions, header: DatasetHeader) -> str | None:
    if found.file_name != name:
        return f"holds {found.kind} sentences, {found.n} a class: {found.file_name} by that"
    if found.benchmark != header.benchmark:
        return f"is of {found.benchmark}, the set is of {header.benchmark}"
    known = set(header.classes)
    unknown = [each for each in found.sentences if each not in known]
    if unknown:
        return f"names classes that the set has not ({len(unknown)}, first {unknown[0]!r})"
    return None
