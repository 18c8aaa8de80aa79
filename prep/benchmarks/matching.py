"""Which file of a raw folder is which clip of the annotation: by name, in columns.

::

    files     train/laughing/YABnJL_bDzw_000086_000096.mp4   replacement/x/YABnJL_..._000096.mp4
                        |  key: the stem                              |
    wanted    YABnJL_bDzw_000086_000096  <---------------------------+   several files, one clip

A clip takes one file. Where several bear its name (two copies of a class folder, a file that was
replaced), the order of preference is: a ``replacement`` folder, the folder of the clip's class, a
folder that is no class (flat layouts), the folder of another class; then the order of the walk. One
that is empty, as a copy that was broken off leaves them, goes last; only copies are looked at.
What is not taken is returned, so that nothing in a folder goes unmentioned.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from manifests.classes import ClassList
from prep.benchmarks.folder import parents

_REPLACEMENT, _OWN_CLASS, _NO_CLASS, _OTHER_CLASS = range(4)


@dataclass(frozen=True)
class Wanted:
    """Names to look for, each once, out of a column that may repeat some."""

    names: pa.Array  # string (W,)
    class_ids: np.ndarray  # int64 (W,): of the first row of that name
    of_row: np.ndarray  # int64 (N,): position of each row's name among them
    first_row: np.ndarray  # int64 (W,): of each name


def wanted_names(names: pa.Array, class_ids: np.ndarray) -> Wanted:
    """Take each name once, in order of appearance."""
    encoded = names.dictionary_encode()
    of_row = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    first = np.unique(of_row, return_index=True)[1]
    return Wanted(encoded.dictionary, class_ids[first], of_row, first)


@dataclass(frozen=True)
class Matches:
    """The file of each wanted name, and the files that nothing took."""

    files: pa.Array  # string (n_wanted,): path, null when there is none
    copies: tuple[str, ...]  # bear the name of a clip that took another file
    copy_of: np.ndarray  # int64 (n_copies,): position of that wanted name
    strangers: tuple[str, ...]  # bear no wanted name
    misplaced: int  # files taken out of the folder of another class
    copied: str = ""  # the file that was taken in place of the first copy


def match_files(
    paths: pa.Array,
    keys: Sequence[tuple[pa.Array, pa.Array]],
    class_ids: np.ndarray,
    classes: ClassList,
    root: Path,
) -> Matches:
    """Give each wanted name its file.

    Args:
        paths: string (n_files,), relative to the raw folder, in walk order.
        keys: one or more readings of a file name, tried in turn: a name for each file
            (n_files,), and what is wanted under that reading (n_wanted,), each once, null where
            this reading does not apply.
        class_ids: int (n_wanted,), -1 where unknown.
        classes: to tell the folders that are named after a class.
        root: the raw folder.
    """
    wanted, reading = _wanted_of_files(keys)
    rank = _rank(paths, wanted, class_ids, classes)
    hits = np.flatnonzero(wanted >= 0)
    empty = _empty_copies(paths, wanted, root)
    order = hits[np.lexsort((hits, reading[hits], rank[hits], empty[hits], wanted[hits]))]
    first = np.ones(len(order), bool)
    first[1:] = wanted[order][1:] != wanted[order][:-1]
    taken = order[first]
    copies = np.sort(order[~first])
    file_of = np.full(len(class_ids), -1, np.int64)
    file_of[wanted[taken]] = taken
    return Matches(
        files=paths.take(pa.array(file_of, mask=file_of < 0)),
        copies=tuple(paths.take(pa.array(copies)).to_pylist()),
        copy_of=wanted[copies].astype(np.int64),
        strangers=tuple(paths.take(pa.array(np.flatnonzero(wanted < 0))).to_pylist()),
        misplaced=int((rank[taken] == _OTHER_CLASS).sum()),
        copied=paths[int(file_of[wanted[copies[0]]])].as_py() if len(copies) else "",
    )


def _wanted_of_files(
    keys: Sequence[tuple[pa.Array, pa.Array]],
) -> tuple[np.ndarray, np.ndarray]:
    """Position of the wanted name that each file bears (-1: none), and by which reading."""
    n_files = len(keys[0][0])
    wanted = np.full(n_files, -1, np.int64)
    reading = np.zeros(n_files, np.int64)
    for number, (file_keys, names) in enumerate(keys):
        found = pc.fill_null(pc.index_in(file_keys, value_set=names, skip_nulls=True), -1)
        positions = found.to_numpy(zero_copy_only=False)
        new = (wanted < 0) & (positions >= 0)
        wanted[new] = positions[new]
        reading[new] = number
    return wanted, reading


def _empty_copies(paths: pa.Array, wanted: np.ndarray, root: Path) -> np.ndarray:
    """Which files are empty, looked at only where several bear the name of one clip."""
    empty = np.zeros(len(paths), bool)
    copied = np.bincount(wanted + 1)[wanted + 1] > 1
    places = np.flatnonzero(copied & (wanted >= 0))
    # A second copy of a whole benchmark is a million files: texts, and one question each.
    names = paths.take(pa.array(places)).to_pylist()
    empty[places] = [_is_empty(f"{root}/{name}") for name in names]
    return empty


def _is_empty(path: str) -> bool:
    """Whether a file holds no byte, a folder of frames nothing, or neither can be looked into."""
    try:
        status = os.stat(path)  # noqa: PTH116
        return not os.listdir(path) if stat.S_ISDIR(status.st_mode) else status.st_size == 0  # noqa: PTH208
    except OSError:
        return True


def _rank(
    paths: pa.Array, wanted: np.ndarray, class_ids: np.ndarray, classes: ClassList
) -> np.ndarray:
    """Preference of each file for the clip whose name it bears; lower is better."""
    folders = parents(paths).dictionary_encode()
    index = folders.indices.to_numpy(zero_copy_only=False)
    marks = [_folder_mark(folder, classes) for folder in folders.dictionary.to_pylist()]
    found = np.array(marks, np.int64)[index]
    expected = np.append(class_ids, -1)[wanted]  # -1, a file nobody wants, takes the last
    rank = np.where(found == expected, _OWN_CLASS, _OTHER_CLASS)
    rank[(found == _PLAIN_FOLDER) | (expected < 0)] = _NO_CLASS
    rank[found == _REPLACEMENT_FOLDER] = _REPLACEMENT
    return rank


_PLAIN_FOLDER = -1
_REPLACEMENT_FOLDER = -2


def _folder_mark(folder: str, classes: ClassList) -> int:
    """Class that the last part of a folder is named after, or one of the two marks above."""
    parts = folder.split("/")
    if any(part.lower().startswith("replacement") for part in parts):
        return _REPLACEMENT_FOLDER
    number = classes.find(parts[-1])
    return _PLAIN_FOLDER if number is None else number
