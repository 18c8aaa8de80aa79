"""The toy benchmark: videos that `prep demo` renders, and the list beside them.

::

    toy_clips.csv                                       name,class,split
    videos/circle_moving_left/circle_moving_left_train_000.mp4

Splits are train, val and test, each with videos of its own. Rows are the lines of the list.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from manifests.classes import ClassList, load_classes
from manifests.errors import UserError
from prep.benchmarks.annotation import find_annotations
from prep.benchmarks.folder import FolderFiles
from prep.benchmarks.layout import (
    ClipColumns,
    Ints,
    OfficialList,
    RawSource,
    matched_source,
    open_root,
)

NAME = "toy"
SPLITS = ("train", "val", "test")
_COLUMNS = ("name", "class", "split")


def read_toy(root: Path, annotations: Path | None = None, from_frames: bool = False) -> RawSource:
    """Read a rendered folder; UserError when folder or list are absent or wrong."""
    raw = open_root(NAME, root, from_frames)
    official = list_toy(raw, annotations)
    return matched_source(raw, official, [(raw.stems, official.columns.names)])


def list_toy(raw: FolderFiles, annotations: Path | None = None) -> OfficialList:
    """Read the list alone; UserError when it is absent or wrong."""
    classes = load_classes(NAME)
    lists = find_annotations(NAME, annotations, raw, r"toy_clips\.csv", "toy_clips.csv")
    path = next(iter(lists.files.values()))
    table = _read_list(path)
    names, splits = table["name"], table["split"]
    class_ids = _class_ids(path, table["class"], classes)
    columns = ClipColumns(
        rows=np.arange(len(names)),
        names=names,
        videos=names,
        class_ids=class_ids,
        partitions=splits,
        splits={split: np.array(splits.to_numpy(False) == split, bool) for split in SPLITS},
    )
    return OfficialList(NAME, classes, columns, lists.notes())


def _read_list(path: Path) -> dict[str, pa.Array]:
    convert = pacsv.ConvertOptions(
        column_types=dict.fromkeys(_COLUMNS, pa.string()),
        include_columns=_COLUMNS,
        strings_can_be_null=False,
    )
    try:
        table = pacsv.read_csv(path, convert_options=convert)
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        raise _wrong(path, str(error).splitlines()[0]) from error
    columns = {name: table[name].combine_chunks() for name in _COLUMNS}
    unknown = set(columns["split"].to_pylist()) - set(SPLITS)
    if unknown:
        raise _wrong(path, f"split {min(unknown)!r} is none of {', '.join(SPLITS)}")
    names = columns["name"].to_pylist()
    if not names or len(set(names)) != len(names):
        raise _wrong(path, "it lists no clip, or one of them twice")
    return columns


def _class_ids(path: Path, names: pa.Array, classes: ClassList) -> Ints:
    ids = [classes.find(name) for name in names.to_pylist()]
    if None in ids:
        raise _wrong(path, f"there is no class {names[ids.index(None)].as_py()!r}")
    return np.array(ids, np.int64)


def _wrong(path: Path, why: str) -> UserError:
    return UserError(f"{path} is no list of the toy benchmark: {why}; render it with `prep demo`")
