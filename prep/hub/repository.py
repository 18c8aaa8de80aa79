"""A set into a dataset repository, in an order that leaves no half of one that looks whole.

::

    check everything                      a refusal changes nothing
    take card, metadata, dataset.json     only where the set is another than last time
    away, then files that are no more
    write SHA256SUMS                      from here on the folder is known as an export's
    link or copy the files                dataset.json last
    write croissant.json, README.md       now it is a repository

A run that is killed on its way is gone on with by the same words; a second run changes nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from prep.hub.about import about
from prep.hub.card import card_text
from prep.hub.contents import HubSet, read_set
from prep.hub.croissant import croissant_text
from prep.hub.placing import Placed, check_space, place_files
from prep.hub.target import ATTRIBUTES, CARD, CROISSANT, SUMS, check_target, sums_text
from shards.atomic import atomic_write, remove_file
from shards.info import DATASET_JSON

_FACES = (CARD, CROISSANT, DATASET_JSON)
_LARGE_FILES = ("*.tar", "*.arrow", "*.parquet", "subsets/*.json")


@dataclass(frozen=True, eq=False)
class Exported:
    """What was exported, where, and how its files came there."""

    found: HubSet
    target: Path
    placed: Placed


def export_set(benchmark: str, folder: Path, target: Path, *, partial: bool = False) -> Exported:
    """Make ``target`` the dataset repository of the set in ``folder``, or bring it up to date.

    Raises UserError, before anything is changed, when the set is not fit for it (see
    ``contents.read_set``) or the folder is not (``target.check_target``, ``check_space``).
    """
    found = read_set(benchmark, folder, partial=partial)
    known = check_target(target, folder, benchmark)
    check_space(found.files, target, known)
    told = about(benchmark)
    texts = {
        CROISSANT: croissant_text(found, told).encode(),
        CARD: card_text(found, told).encode(),
    }
    hashes = {file.place: file.sha256 for file in found.files}
    hashes |= {place: hashlib.sha256(data).hexdigest() for place, data in texts.items()}
    sums = sums_text(hashes).encode()
    if _read(target / SUMS) != sums:
        gone = [place for place in known if place not in hashes and place != SUMS]
        for place in (*_FACES, *gone):
            remove_file(target / place)
        atomic_write(target / SUMS, sums)
    placed = place_files(found.files, target, known)
    if not (target / ATTRIBUTES).exists():
        atomic_write(target / ATTRIBUTES, _attributes().encode())
    for place, data in texts.items():
        if _read(target / place) != data:
            atomic_write(target / place, data)
    return Exported(found, target, placed)


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _attributes() -> str:
    """Which files git is to keep outside its history: the Hub takes no others over 10 MB."""
    return "".join(f"{kind} filter=lfs diff=lfs merge=lfs -text\n" for kind in _LARGE_FILES)
