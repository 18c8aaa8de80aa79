"""A subset as others read it: ViFi-CLIP's form, and a label file that says what its numbers mean.

::

    list.txt          v_Typing_g12_c03.avi 0          name of the file, place among the classes
    list_labels.csv   id,name / 0,Typing / ...

The lines are in the order of official rows. Read back by `prep subset import`, they give the same
clips under the same labels.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from manifests.errors import UserError
from shards.atomic import atomic_write
from shards.store import ShardStore
from shards.subsets import Subset

# Official names of these have no suffix, files have; a custom name is a path already.
_SUFFIX = {
    "ucf101": ".avi",
    "hmdb51": ".avi",
    "kinetics400": ".mp4",
    "kinetics600": ".mp4",
    "ssv2": ".webm",
    "toy": ".mp4",
}


@dataclass(frozen=True)
class Export:
    """Two files to be written, the list and the labels, and how many clips they list."""

    list: Path
    labels: Path
    clips: int
    contents: Mapping[Path, bytes]

    def write(self) -> None:
        """Write both, each whole or not at all; UserError when the disk refuses."""
        for file, content in self.contents.items():
            atomic_write(file, content)

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"list": str(self.list), "labels": str(self.labels), "clips": self.clips}


def prepare_export(store: ShardStore, subset: Subset, path: Path) -> Export:
    """What is to be written; UserError when something else lies in either place."""
    if not path.name:  # "." and "/"
        raise _no_file(path)
    names = store.samples(["name"])["name"].combine_chunks()
    mine = names.take(pa.array(store.index_of(subset.rows))).to_pylist()
    text = list_text(subset.benchmark, mine, subset.labels(store))
    labels = path.with_name(f"{path.stem}_labels.csv")
    contents = {labels: labels_text(subset.classes).encode(), path: text.encode()}
    for file, content in contents.items():
        _check_place(file, content)
    return Export(path, labels, len(subset), contents)


def _check_place(file: Path, content: bytes) -> None:
    if file.is_dir():
        raise _no_file(file)
    if file.exists() and file.read_bytes() != content:
        raise UserError(f"{file} is there and holds something else: name another file")


def _no_file(folder: Path) -> UserError:
    return UserError(f"{folder} is a folder: name the file that the list goes to")


def list_text(benchmark: str, names: list[str], labels: np.ndarray) -> str:
    """Lines of a list: names of files, int labels (n,)."""
    suffix = _SUFFIX.get(benchmark, "")
    pairs = zip(names, labels.tolist(), strict=True)
    return "".join(f"{name}{suffix} {label}\n" for name, label in pairs)


def labels_text(classes: tuple[str, ...]) -> str:
    """A label file of these classes, numbered from 0."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(("id", "name"))
    rows.writerows(enumerate(classes))
    return out.getvalue()
