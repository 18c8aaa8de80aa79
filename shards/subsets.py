"""Subsets: which clips, under which candidate classes; kilobytes beside the shards, no video.

``<set>/subsets/<name>.json``::

    {"format": 1, "benchmark": "ucf101", "kind": "few-shot", "seed": 1,
     "parameters": {"split": "train1", "shots": 2}, "classes": ["ApplyEyeMakeup", ...],
     "rows": [...], "keys": ["000017_v_...", ...], "hash": "..."}

``classes`` are the candidate classes by official name, and a clip's *local label* is the place of
its class among them: half of the classes, or those of a zero-shot split, are a subset like any
other. ``rows`` are official rows, ascending; ``keys`` stand beside them so that a list that was
renumbered since is noticed. The hash covers everything but the file's name.

A kind of subset is one function from a store to a ``Subset``; the file says which one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from manifests.classes import ClassList
from manifests.errors import UserError
from shards.atomic import atomic_write
from shards.draws import raw_draws
from shards.records import check_format
from shards.schema import FORMAT_VERSION
from shards.store import ShardStore

SUBSETS = "subsets"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, eq=False)
class Subset:
    """Clips of a set by official row, int64 (n,) ascending, and the classes to tell apart."""

    name: str
    benchmark: str
    kind: str
    seed: int | None
    parameters: Mapping[str, Any]
    classes: tuple[str, ...]
    rows: npt.NDArray[np.int64]
    keys: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def hash(self) -> str:
        """Sha256 of all it says, its name apart."""
        return hashlib.sha256(json.dumps(self._content(), sort_keys=True).encode()).hexdigest()

    def labels(self, store: ShardStore) -> npt.NDArray[np.int64]:
        """Local label of each clip, int64 (n,): the place of its class in ``classes``."""
        return _local_labels(store, self.classes)[store.index_of(self.rows)]

    def check(self, store: ShardStore) -> None:
        """Hold the subset against a store.

        Raises UserError when it belongs to another dataset, when a clip is not stored, when the
        official list was renumbered since, or when a clip's class is not a candidate.
        """
        _check_benchmark(self, store)
        positions = store.index_of(self.rows)
        keys = store.keys.take(pa.array(positions)).to_pylist()
        for row, mine, stored in zip(self.rows.tolist(), self.keys, keys, strict=True):
            if mine != stored:
                raise UserError(
                    f"subset {self.name} calls row {row} {mine}, the shards call it {stored}: the "
                    "official list was another one; draw the subset again"
                )
        if (_local_labels(store, self.classes)[positions] < 0).any():
            raise UserError(f"subset {self.name} holds clips of classes that it does not name")

    def save(self, store_folder: Path) -> Path:
        """Write the subset beside the shards; returns the file."""
        path = subset_file(store_folder, self.name)
        atomic_write(path, self.to_bytes())
        return path

    def to_bytes(self) -> bytes:
        """The file as it is written; equal subsets give equal bytes, and the hash comes last."""
        text = json.dumps({**self._content(), "hash": self.hash}, separators=(",", ":"))
        return text.encode("ascii") + b"\n"

    def _content(self) -> dict[str, Any]:
        return {
            "format": FORMAT_VERSION,
            "benchmark": self.benchmark,
            "kind": self.kind,
            "seed": self.seed,
            "parameters": dict(self.parameters),
            "classes": list(self.classes),
            "rows": self.rows.tolist(),
            "keys": list(self.keys),
        }


def few_shot(
    store: ShardStore,
    shots: int,
    split: str,
    seed: int,
    *,
    classes: ClassList | None = None,
    allow_fewer: bool = False,
) -> Subset:
    """Draw ``shots`` clips of each class from an official split.

    The clips of a class are ranked by a draw that depends on seed and official row alone, and the
    first ``shots`` are taken: the 2-shot set of a seed lies in its 4-shot set, on every machine.
    ``classes`` restricts the candidates (all by default). Raises UserError when a class has fewer
    clips than ``shots``, unless ``allow_fewer``.
    """
    if shots < 1:
        raise UserError(f"{shots} shots are none: ask for at least 1")
    classes = classes or store.classes
    local = np.where(store.split(split), _local_labels(store, classes.names), -1)
    pool = np.flatnonzero(local >= 0)
    labels, rows = local[pool], store.rows[pool]
    draws = raw_draws(seed, "few-shot", int(rows.max(initial=-1)) + 1)[rows]
    order = np.lexsort((rows, draws, labels))
    counts = np.bincount(labels, minlength=len(classes))
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    rank = np.arange(len(order)) - starts
    if not allow_fewer:
        _check_shots(store, classes, counts, shots, split)
    chosen = np.sort(pool[order[rank < shots]])
    parameters = {"split": split, "shots": shots}
    name = few_shot_name(split, shots, seed)
    return _subset(store, name, "few-shot", seed, parameters, classes.names, chosen)


def few_shot_name(split: str, shots: int, seed: int) -> str:
    """Name of the file of a few-shot subset over all classes."""
    return f"few-shot-{split}-{shots}-seed{seed}"


def split_subset(store: ShardStore, split: str) -> Subset:
    """The stored clips of a whole official split, all classes candidates; needs no file.

    Raises UserError when no labels are published for clips of the split.
    """
    member = store.split(split)
    unlabelled = int((store.labels[member] < 0).sum())
    if unlabelled:
        raise UserError(
            f"{unlabelled} clips of split {split} of {store.info.benchmark} have no published "
            "label: use a split that has"
        )
    chosen = np.flatnonzero(member)
    return _subset(store, split, "split", None, {"split": split}, store.classes.names, chosen)


def load_subset(store: ShardStore, name: str) -> Subset:
    """Read a subset by name and hold it against the store; UserError tells what does not fit."""
    subset = read_subset(store.folder, name)
    subset.check(store)
    return subset


def read_subset(store_folder: Path, name: str) -> Subset:
    """Read a subset's file as it is; UserError when it is absent, damaged or of another version."""
    path = subset_file(store_folder, name)
    try:
        content = json.loads(path.read_bytes())
        check_format(content, path)
        subset = Subset(
            name=name,
            benchmark=content["benchmark"],
            kind=content["kind"],
            seed=content["seed"],
            parameters=content["parameters"],
            classes=tuple(content["classes"]),
            rows=np.array(content["rows"], dtype=np.int64),
            keys=tuple(content["keys"]),
        )
    except FileNotFoundError:
        known = ", ".join(list_subsets(store_folder)) or "none"
        raise UserError(
            f"no subset {name!r} in {store_folder}: make it with `prep subset`; there: {known}"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is damaged: draw the subset again with `prep subset`") from error
    if content.get("hash") != subset.hash:
        raise UserError(f"{path} was changed by hand: its hash is not that of its content")
    return subset


def list_subsets(store_folder: Path) -> tuple[str, ...]:
    """Names of the subsets that lie beside the shards, sorted."""
    names = (path.stem for path in (store_folder / SUBSETS).glob("*.json"))
    return tuple(sorted(name for name in names if _NAME.fullmatch(name)))


def _subset(
    store: ShardStore,
    name: str,
    kind: str,
    seed: int | None,
    parameters: Mapping[str, Any],
    classes: tuple[str, ...],
    positions: npt.NDArray[np.int64],
) -> Subset:
    keys = store.keys.take(pa.array(positions)).to_pylist()
    rows = store.rows[positions]
    return Subset(name, store.info.benchmark, kind, seed, parameters, classes, rows, tuple(keys))


def _local_labels(store: ShardStore, classes: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """Place among ``classes`` of the class of every stored clip, -1 where it is none of them."""
    table = np.full(len(store.classes) + 1, -1, dtype=np.int64)
    official = [store.classes.id_of(name) for name in classes]
    table[official] = np.arange(len(classes))
    return table[store.labels]  # label -1 (none published) falls on the last entry, -1


def _check_shots(
    store: ShardStore,
    classes: ClassList,
    counts: npt.NDArray[np.int64],
    shots: int,
    split: str,
) -> None:
    short = np.flatnonzero(counts < shots)
    if len(short):
        first = int(short[0])
        raise UserError(
            f"{len(short)} classes of {store.info.benchmark} have fewer than {shots} clips in "
            f"{split} (first: {classes.names[first]!r}, {int(counts[first])}): complete the raw "
            "folder (`prep scan` tells what is missing), or ask for fewer (`prep subset` has "
            "--allow-fewer)"
        )


def _check_benchmark(subset: Subset, store: ShardStore) -> None:
    if subset.benchmark != store.info.benchmark:
        raise UserError(
            f"subset {subset.name} is of {subset.benchmark}, the shards are of "
            f"{store.info.benchmark}: name a subset of {store.info.benchmark}"
        )


def subset_file(store_folder: Path, name: str) -> Path:
    """Place of a subset's file; UserError when that is no name for one."""
    if not _NAME.fullmatch(name):
        raise UserError(f"{name!r} is no name for a subset: letters, digits, dot, dash, underscore")
    return store_folder / SUBSETS / f"{name}.json"
