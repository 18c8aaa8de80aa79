"""Anyone's own videos: a folder, and a csv with one line a clip.

``--annotations list.csv``, or a list.csv inside the raw folder::

    path,class,split,start,end
    kitchen/0001.mp4,open door,train,,
    kitchen/0002.mkv,close door,test,2.5,7.0

``path`` is relative to the raw folder (or lies inside it); ``split``, ``start`` and ``end``
(seconds; empty: the whole file) may be left out. Of a folder of frames it is the folder, or the
video they were taken from. Classes are numbered in the order of their sorted names, rows in the
order of the list. A clip listed under several splits is one row that belongs to all of them; listed
twice under one split, it stays two rows, and the second is refused when shards are made.
"""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from manifests.classes import ClassList, class_list
from manifests.errors import UserError
from prep.benchmarks.annotation import find_annotations, read_text
from prep.benchmarks.folder import FolderFiles, bare_names
from prep.benchmarks.layout import (
    Bools,
    ClipColumns,
    Found,
    Ints,
    OfficialList,
    RawSource,
    raw_source,
    repeat,
    walk_root,
)

NAME = "custom"
_COLUMNS = ("path", "class", "split", "start", "end")
_FORM = "a csv with columns path, class and, if wanted, split, start, end (seconds)"


def read_custom(
    root: Path, annotations: Path | None = None, from_frames: bool = False
) -> RawSource:
    """Read a folder of one's own; UserError when folder or list are absent or wrong."""
    raw = walk_root(NAME, root, from_frames)
    official = list_custom(raw, annotations)
    return raw_source(raw, official, _found(raw, official.columns.names))


def list_custom(raw: FolderFiles, annotations: Path | None = None) -> OfficialList:
    """Read the list alone; UserError when it is absent or wrong."""
    lists = find_annotations(NAME, annotations, raw, r"list\.csv", "list.csv")
    path = next(iter(lists.files.values()))
    table = _read_csv(path)
    paths = _inside_root(path, table["path"], raw.root)
    classes = _classes(path, table["class"])
    first, splits = _merge_splits(table, paths)
    kept = {name: table[name].take(pa.array(first)) for name in ("class", "start", "end")}
    names = paths.take(pa.array(first))
    starts, ends = _seconds(path, kept["start"], kept["end"], first)
    columns = ClipColumns(
        rows=np.arange(len(first)),
        names=names,
        videos=names,
        class_ids=_class_ids(kept["class"], classes),
        partitions=repeat("all", len(first)),
        splits=splits,
        starts=starts,
        ends=ends,
    )
    return OfficialList(NAME, classes, columns, lists.notes())


def _read_csv(path: Path) -> dict[str, pa.Array]:
    """The five columns as texts without blanks around them, empty where the list has none."""
    convert = pacsv.ConvertOptions(
        column_types=dict.fromkeys(_COLUMNS, pa.string()), strings_can_be_null=False
    )
    text = io.BytesIO(read_text(path).encode())
    try:
        table = pacsv.read_csv(text, convert_options=convert)
    except pa.ArrowInvalid as error:
        raise UserError(
            f"cannot read {path} ({str(error).splitlines()[0]}): write {_FORM}"
        ) from error
    names = [name.strip().lower() for name in table.column_names]
    if not {"path", "class"} <= set(names) or not set(names) <= set(_COLUMNS):
        raise UserError(f"{path} has columns {', '.join(table.column_names)}: write {_FORM}")
    if not len(table):
        raise UserError(f"{path} lists no clip: write {_FORM}")
    texts = {
        name: pc.utf8_trim_whitespace(pc.cast(column, pa.string())).combine_chunks()
        for name, column in zip(names, table.columns, strict=True)
    }
    return {name: texts.get(name, repeat("", len(table))) for name in _COLUMNS}


def _inside_root(list_path: Path, paths: pa.Array, root: Path) -> pa.Array:
    """Paths relative to the raw folder in their plain form."""
    # Most lists are plain already: only what may not be is looked at one by one.
    rough = pc.match_substring_regex(paths, r"^$|^/|^\.|/\.|//|/$").to_numpy(zero_copy_only=False)
    if not rough.any():
        return paths
    plain = paths.to_pylist()
    for i in np.flatnonzero(rough).tolist():
        path = os.path.normpath(plain[i])
        if path.startswith("/"):
            path = os.path.relpath(path, os.path.abspath(root))  # noqa: PTH100
        if path == "." or path.startswith(".."):
            raise UserError(
                f"{list_path}, line {i + 2}: path {plain[i]!r} names no file inside {root}: "
                "write paths relative to --root"
            )
        plain[i] = path
    return pa.array(plain, pa.string())


def _classes(path: Path, names: pa.Array) -> ClassList:
    unique = sorted(names.unique().to_pylist())
    if "" in unique:
        line = pc.index(names, "").as_py() + 2
        raise UserError(f"{path}, line {line}: no class: every clip needs one")
    return class_list(NAME, unique)


def _class_ids(names: pa.Array, classes: ClassList) -> Ints:
    ids = pc.index_in(names, value_set=pa.array(classes.names, pa.string()))
    return np.asarray(ids.to_numpy(zero_copy_only=False), np.int64)


def _merge_splits(table: dict[str, pa.Array], paths: pa.Array) -> tuple[Ints, dict[str, Bools]]:
    """Lines that become rows, and the splits of each row.

    Lines that agree in all but the split are one clip; the k-th line of a clip in one split goes
    together with its k-th lines in the others.
    """
    clip = _codes(
        pc.binary_join_element_wise(paths, table["class"], table["start"], table["end"], "\0")
    )
    split_texts = pc.if_else(pc.equal(table["split"], ""), "all", table["split"])
    encoded = split_texts.dictionary_encode()
    names = [_plain_split(text) for text in encoded.dictionary.to_pylist()]
    order = list(dict.fromkeys(names))
    split = np.array([order.index(name) for name in names])[
        encoded.indices.to_numpy(zero_copy_only=False)
    ]
    turn = _turns(clip * len(order) + split)
    _, first, row = np.unique(
        clip * (int(turn.max()) + 1) + turn, return_index=True, return_inverse=True
    )
    by_line = np.argsort(first)  # rows in the order of the list, not of the codes
    place = np.empty_like(by_line)
    place[by_line] = np.arange(len(by_line))
    members = np.zeros((len(first), len(order)), bool)
    members[place[row], split] = True
    return first[by_line], {name: members[:, i] for i, name in enumerate(order)}


def _codes(texts: pa.Array) -> Ints:
    return np.asarray(texts.dictionary_encode().indices.to_numpy(zero_copy_only=False), np.int64)


def _turns(codes: Ints) -> Ints:
    """How many times each value has stood in the array before."""
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=codes[order[0]] - 1))
    turns = np.empty_like(codes)
    lengths = np.diff(np.append(starts, len(codes)))
    turns[order] = np.arange(len(codes)) - np.repeat(starts, lengths)
    return turns


def _plain_split(text: str) -> str:
    """Name of a split as a column can bear it: lower case, digits, underscores."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or "all"


def _seconds(
    path: Path, starts: pa.Array, ends: pa.Array, lines: Ints
) -> tuple[pa.Array, pa.Array]:
    """Times as numbers, null where empty; UserError when one is none or the end is not after."""
    try:
        start, end = (
            pc.cast(
                pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts), pa.float64()
            )
            for texts in (starts, ends)
        )
    except pa.ArrowInvalid as error:
        raise UserError(f"{path}: {error}, where a time in seconds should be") from error
    low = pc.fill_null(start, 0.0).to_numpy()
    high = pc.fill_null(end, np.inf).to_numpy()
    wrong = np.flatnonzero(~((low >= 0) & (high > low)))
    if len(wrong):
        first = int(wrong[0])
        why = "the clip ends before it starts" if low[first] >= high[first] else "no such time"
        raise UserError(
            f"{path}, line {int(lines[first]) + 2}: {why}, start {starts[first].as_py()!r}, end "
            f"{ends[first].as_py()!r}: give seconds from 0 on"
        )
    return start, end


def _found(raw: FolderFiles, names: pa.Array) -> Found:
    """Files by row: a custom list names its files itself, whatever their suffix."""
    if raw.from_frames:
        return _found_folders(raw, names)
    others = pa.array([*raw.others, *raw.lists, *raw.archives, *raw.odd], pa.string())
    there = pc.is_in(names, value_set=pa.concat_arrays([raw.videos, others]))
    files = pc.if_else(there, names, pa.scalar(None, pa.string()))
    unlisted = raw.videos.filter(pc.invert(pc.is_in(raw.videos, value_set=names)))
    return Found(files, tuple(unlisted.to_pylist()))


def _found_folders(raw: FolderFiles, names: pa.Array) -> Found:
    nothing = pa.scalar(None, pa.string())
    files = pc.coalesce(
        *(
            pc.if_else(pc.is_in(paths, value_set=raw.videos), paths, nothing)
            for paths in (names, bare_names(names))
        )
    )
    unlisted = raw.videos.filter(pc.invert(pc.is_in(raw.videos, value_set=files)))
    return Found(files, tuple(unlisted.to_pylist()))
