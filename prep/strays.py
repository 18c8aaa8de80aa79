"""Which class and split a file belongs to that no clip of the official list accounts for.

::

    two/laughing/YABnJL_bDzw_000086_000096.mp4   a second copy: class and splits of its clip
    val/laughing/other.mp4                       a stranger: of the folders it lies in
    other.mp4                                    neither can be told

A folder is a class folder when it bears the name of a class in any spelling, and stands for a split
when it is called like one (``train``, ``val_256``, ``kinetics-400_test``, ``trainlist01``); of
several, the one nearest to the file counts. Folders are looked at once each, files in columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from manifests.spelling import squeeze
from prep.benchmarks.folder import parents
from prep.benchmarks.layout import Bools, Ints, RawSource
from shards.schema import SPLIT_PREFIX

_PARTS = re.compile(r"[a-z]+|\d+")
_PARTITION = re.compile(
    r"(?:(?P<train>train(?:ing)?)|(?P<val>val(?:id(?:ate|ation)?)?)|(?P<test>test(?:ing)?))"
    r"(?:list|set|split)?"
)
# Words that may stand beside a partition without changing what the folder is.
_BESIDE = frozenset(
    {"activitynet", "anet", "clip", "clips", "data", "frames", "hmdb", "k", "kinetics", "list"}
    | {"p", "px", "set", "split", "ssv", "ucf", "v", "video", "videos"}
)


@dataclass(frozen=True)
class Strays:
    """The unexpected files of a source, in its order."""

    class_ids: Ints  # (U,): -1 for copies of clips without a label
    classless: Bools  # (U,): strangers in no class folder
    splits: Mapping[str, Bools]  # (U,) each


def place_strays(source: RawSource) -> Strays:
    """Tell class and splits of each unexpected file."""
    copied = source.copied
    strangers = pa.array(source.unexpected[len(copied) :], pa.string())
    folders = parents(strangers).dictionary_encode()
    of_file = folders.indices.to_numpy(zero_copy_only=False)
    read = [_read_folder(path, source) for path in folders.dictionary.to_pylist()]
    ids = np.array([number for number, _ in read], np.int64)[of_file]
    split_of = np.array([split for _, split in read], object)[of_file]
    class_ids = source.clips["class_id"].to_numpy().astype(np.int64)[copied]
    return Strays(
        class_ids=np.concatenate([class_ids, ids]),
        classless=np.concatenate([np.zeros(len(copied), bool), ids < 0]),
        splits={
            split: np.concatenate([_of_video(source, split)[copied], split_of == split])
            for split in source.splits
        },
    )


def _of_video(source: RawSource, split: str) -> Bools:
    """Which clips are of a video that has a clip in the split: one file may hold several."""
    codes = pc.dictionary_encode(source.clips["video"].combine_chunks()).indices.to_numpy()
    members = np.asarray(source.clips[SPLIT_PREFIX + split], dtype=np.bool_)
    listed = np.zeros(int(codes.max(initial=-1)) + 1, bool)
    listed[codes[members]] = True
    return np.asarray(listed[codes], dtype=np.bool_)


def _read_folder(path: str, source: RawSource) -> tuple[int, str | None]:
    """Class id, or -1, and split of the files in a folder."""
    parts = path.split("/")[::-1]
    ids = [source.classes.find(part) for part in parts]
    place = next((i for i, number in enumerate(ids) if number is not None), None)
    others = [part for i, part in enumerate(parts) if i != place]
    split = next((s for part in others if (s := split_of_folder(part, source.splits))), None)
    return (-1 if place is None else ids[place] or 0), split


def split_of_folder(folder: str, splits: Iterable[str]) -> str | None:
    """The split that a folder is called like, or None: ``val_256`` is val, ``train_val`` neither.

    A split that bears a number (train1) is meant only where the folder bears it too.
    """
    wanted = _partition(folder)
    for split in splits:
        if squeeze(split) == squeeze(folder):
            return split
        word, numbers = _partition(split)
        if word and word == wanted[0] and numbers <= wanted[1]:
            return split
    return None


def _partition(name: str) -> tuple[str | None, frozenset[int]]:
    """The one partition that a name tells, and the numbers in it."""
    parts = _PARTS.findall(name.lower())
    words = [part for part in parts if not part.isdigit() and part not in _BESIDE]
    match = _PARTITION.fullmatch(words[0]) if len(words) == 1 else None
    numbers = frozenset(int(part) for part in parts if part.isdigit())
    return (match.lastgroup if match else None), numbers
