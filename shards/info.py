"""dataset.json: the face of a set, read before anything else of it.

It repeats what the records say in common (header, fingerprint), counts what they hold, and adds
the one thing they cannot know: how many clips the official list names, and how many of their files
were absent. A set is *complete* when every clip whose file was there is stored or refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manifests.classes import ClassList, class_list, load_classes
from manifests.errors import UserError
from shards.atomic import atomic_write
from shards.records import DatasetHeader, FileHash, OtherFormat, check_format
from shards.schema import FORMAT_VERSION

DATASET_JSON = "dataset.json"
MISSING = "missing.csv"


@dataclass(frozen=True)
class Official:
    """Clips that the official list names, and those of them whose files were absent."""

    clips: int
    missing: int


@dataclass(frozen=True)
class Counts:
    """What is in a set; ``splits`` counts the stored clips of each official split."""

    stored: int
    rejected: int
    frames: int
    bytes: int
    splits: Mapping[str, int]


@dataclass(frozen=True)
class StoredShard:
    """A tar of the set: its name, its length in bytes, its clips."""

    name: str
    bytes: int
    clips: int


@dataclass(frozen=True)
class DatasetInfo:
    """Everything dataset.json says. ``tables`` gives length and hash of each table file, and those
    of missing.csv where that was written (earlier programs left its hash out).

    ``identity`` is the hash of the records; ``fingerprints`` has more than one entry only when
    somebody asked for a mixture; ``official`` is None when nobody could tell.
    """

    header: DatasetHeader
    identity: str
    fingerprints: tuple[str, ...]
    official: Official | None
    counts: Counts
    shards: tuple[StoredShard, ...]
    tables: Mapping[str, FileHash]
    classes_hash: str

    @property
    def benchmark(self) -> str:
        """Canonical name of the benchmark, or "custom"."""
        return self.header.benchmark

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the official splits."""
        return self.header.splits

    @property
    def settings(self) -> Mapping[str, Any]:
        """The encode settings."""
        return self.header.settings

    @property
    def fingerprint(self) -> str:
        """The encode fingerprint; several are joined by a plus."""
        return "+".join(self.fingerprints)

    @property
    def complete(self) -> bool:
        """Whether every clip whose file was there is stored or refused."""
        if self.official is None:
            return False
        found = self.counts.stored + self.counts.rejected
        return found + self.official.missing >= self.official.clips

    def classes(self) -> ClassList:
        """The class list; UserError when this program knows the benchmark by another list."""
        return header_classes(self.header)

    def save(self, folder: Path) -> None:
        """Write dataset.json into the folder of a set."""
        atomic_write(folder / DATASET_JSON, self.to_bytes())

    def to_bytes(self) -> bytes:
        """dataset.json as it is written; its ``sha256`` covers the compact form of the rest."""
        content = _to_json(self)
        return (json.dumps({**content, "sha256": _hash(content)}, indent=1) + "\n").encode()


def header_classes(header: DatasetHeader) -> ClassList:
    """The class list a header speaks of; UserError when the benchmark's own list is another one."""
    if header.benchmark == "custom":
        return class_list("custom", header.classes)
    classes = load_classes(header.benchmark)
    if classes.names != tuple(header.classes):
        raise UserError(
            f"the shards of {header.benchmark} were made with another class list "
            f"({len(header.classes)} classes, now {len(classes)}): shard them again"
        )
    return classes


def load_info(folder: Path) -> DatasetInfo:
    """Read dataset.json of a set.

    Raises UserError when there is none or it is damaged, OtherFormat when another version of the
    format wrote it. The hash is the same in every version: what does not bear its own is damaged,
    whatever version it speaks of.
    """
    path = folder / DATASET_JSON
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError(
            f"no shards in {folder}: make them with `prep shard --dataset {folder.name}`, or name "
            "the folder above it with --shards"
        ) from None
    return parse_info(data, path, f"run `prep shard --dataset {folder.name}`")


def refuse_other_format(folder: Path) -> None:
    """Raise OtherFormat when another version of the format wrote dataset.json of a set.

    One that is absent or damaged is no reason to stop: it is written anew.
    """
    try:
        load_info(folder)
    except OtherFormat:
        raise
    except UserError:
        return


def parse_info(data: bytes, place: Path | str, mend: str) -> DatasetInfo:
    """dataset.json from its bytes; place and mend are named in errors, which are as above."""
    try:
        content = dict(json.loads(data))
    except (ValueError, TypeError):
        raise UserError(f"{place} is damaged: {mend}") from None
    expected = content.pop("sha256", None)
    version = content.get("format")
    # Without its hash nobody can tell which: a set that was edited deserves to hear of both.
    other = f" or has format version {version!r}, where this program reads {FORMAT_VERSION}"
    damaged = UserError(f"{place} is damaged{other if version != FORMAT_VERSION else ''}: {mend}")
    try:
        if expected == _hash(content):
            check_format(content, place)
            return _from_json(content)
    except (KeyError, TypeError):
        pass  # another shape than any this format has: damaged, like a wrong hash
    raise damaged


def _hash(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _to_json(info: DatasetInfo) -> dict[str, Any]:
    counts = info.counts
    return {
        "format": FORMAT_VERSION,
        "benchmark": info.benchmark,
        "identity": info.identity,
        "complete": info.complete,
        "official": vars(info.official) if info.official else None,
        "counts": {**vars(counts), "splits": dict(counts.splits)},
        "splits": list(info.splits),
        "settings": dict(info.settings),
        "fingerprints": list(info.fingerprints),
        "classes_hash": info.classes_hash,
        "classes": list(info.header.classes),
        "tables": {name: vars(hashed) for name, hashed in info.tables.items()},
        "shards": [vars(shard) for shard in info.shards],
    }


def _from_json(content: Mapping[str, Any]) -> DatasetInfo:
    official = content["official"]
    return DatasetInfo(
        header=DatasetHeader.from_json(content),
        identity=content["identity"],
        fingerprints=tuple(content["fingerprints"]),
        official=Official(**official) if official else None,
        counts=Counts(**content["counts"]),
        shards=tuple(StoredShard(**shard) for shard in content["shards"]),
        tables={name: FileHash(**hashed) for name, hashed in content["tables"].items()},
        classes_hash=content["classes_hash"],
    )
