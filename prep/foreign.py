"""Files in the folder of a set that are none of the set's: told by name, never touched.

::

    <set>/                 tables, missing.csv; what an export adds, where SHA256SUMS tells of one
    <set>/shards/          <shard>.tar .idx .json
    <set>/subsets/         *.json
    <set>/descriptions/    *.json; .cache/

Locks belong to the program, and so do temporary files: a run may be at work on them, or was killed
and left them behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prep.hub.target import ATTRIBUTES, CARD, CROISSANT, SUMS
from prep.locks import ASIDE, LOCKS
from shards.atomic import is_temp
from shards.info import DATASET_JSON, MISSING, DatasetInfo
from shards.records import SHARDS
from shards.schema import shard_of_file
from shards.subsets import SUBSETS, list_subsets
from shards.tables import FRAMES, REJECTS, SAMPLES
from shards.verify_descriptions import DESCRIPTIONS, description_files

_FOLDERS = (SHARDS, SUBSETS, DESCRIPTIONS)
_OWN = (DATASET_JSON, SAMPLES, REJECTS, FRAMES, *LOCKS)
_OF_AN_EXPORT = (CARD, CROISSANT, SUMS, ATTRIBUTES, ".git", ".cache")


@dataclass(frozen=True)
class Others:
    """Places below a set's folder: of nobody, and of runs that write now or were killed."""

    foreign: tuple[str, ...]
    temporary: tuple[str, ...]


def find_others(folder: Path, info: DatasetInfo | None) -> Others:
    """Look through the folders of a set; a foreign folder is named, not looked into.

    ``info`` is what dataset.json says, None where that cannot be read.
    """
    foreign, temporary = [], []
    for path, belongs in _files(folder, info):
        place = path.relative_to(folder).as_posix()
        if is_temp(path.name) or place == ASIDE:
            temporary.append(place)
        elif not belongs:
            foreign.append(f"{place}/" if path.is_dir() else place)
    return Others(tuple(sorted(foreign)), tuple(sorted(temporary)))


def _files(folder: Path, info: DatasetInfo | None) -> Iterator[tuple[Path, bool]]:
    """Everything in the folders of a set, and whether it is the set's."""
    own = {*_OWN, *(name for name in _FOLDERS if (folder / name).is_dir())}
    if (folder / SUMS).is_file():
        own.update(_OF_AN_EXPORT)
    if info is None or info.official is None or info.official.missing:
        own.add(MISSING)
    for path in folder.iterdir():
        yield path, path.name in own
    for path in (folder / SHARDS).glob("*"):
        yield path, shard_of_file(path.name) is not None
    subsets = {f"{name}.json" for name in list_subsets(folder)}
    for path in (folder / SUBSETS).glob("*"):
        yield path, path.name in subsets
    sentences = {".cache", *(path.name for path in description_files(folder))}
    for path in (folder / DESCRIPTIONS).glob("*"):
        yield path, path.name in sentences
