"""Kinetics-400 and -600: trimmed clips of YouTube videos, and one csv a partition.

::

    label,youtube_id,time_start,time_end,split[,is_cc]      DeepMind, CVDF and crawler editions
    youtube_id,time_start,time_end,split                    the crawler's test list, unlabelled

Clips are called ``<id>_<SSSSSS>_<EEEEEE>.mp4`` (seconds of the source, six digits) or ``<id>.mp4``,
in class folders (blanks or underscores) or not, below train, val, test or nothing. Ids may begin
with - or _ and differ by case only. Clips under ``replacement`` take the place of the corrupt ones
they repeat. Whatever the name, the whole file is the clip. Editions differ in their rows (clips
vanish from YouTube); all lists are taken from one folder. Rows count the lines of each list, see
``layout.FIRST_ROW``.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from manifests.classes import ClassList, load_classes
from manifests.errors import UserError
from prep.benchmarks.annotation import find_annotations, read_text
from prep.benchmarks.folder import FolderFiles
from prep.benchmarks.layout import (
    Ints,
    OfficialList,
    RawSource,
    matched_source,
    open_root,
)
from prep.benchmarks.matching import wanted_names
from prep.benchmarks.partitions import Partition, partition_columns
from prep.benchmarks.places import get_annotations

FILES = {"train": "train.csv", "val": "val.csv", "test": "test.csv"}
_WORDS = {"train": ("train",), "val": ("val", "validate", "validation"), "test": ("test",)}
_COLUMNS = ("youtube_id", "time_start", "time_end")
_CLIP_STEM = r"^(?P<id>.+)_(?P<start>\d{1,6})_(?P<end>\d{1,6})$"


def read_kinetics400(
    root: Path, annotations: Path | None = None, from_frames: bool = False
) -> RawSource:
    """Read a Kinetics-400 folder; UserError when folder or lists are absent or wrong."""
    return _read("kinetics400", root, annotations, from_frames)


def read_kinetics600(
    root: Path, annotations: Path | None = None, from_frames: bool = False
) -> RawSource:
    """Read a Kinetics-600 folder; UserError when folder or lists are absent or wrong."""
    return _read("kinetics600", root, annotations, from_frames)


def _read(benchmark: str, root: Path, annotations: Path | None, from_frames: bool) -> RawSource:
    raw = open_root(benchmark, root, from_frames)
    official = _list(benchmark, raw, annotations)
    wanted = wanted_names(official.columns.names, official.columns.class_ids)
    files = raw.stems
    keys = [(padded_names(files), wanted.names), (files, ids_of_one_clip(wanted.names))]
    return matched_source(raw, official, keys, wanted)


def list_kinetics400(raw: FolderFiles, annotations: Path | None = None) -> OfficialList:
    """Read the lists of Kinetics-400 alone; UserError when they are absent or wrong."""
    return _list("kinetics400", raw, annotations)


def list_kinetics600(raw: FolderFiles, annotations: Path | None = None) -> OfficialList:
    """Read the lists of Kinetics-600 alone; UserError when they are absent or wrong."""
    return _list("kinetics600", raw, annotations)


def _list(benchmark: str, raw: FolderFiles, annotations: Path | None) -> OfficialList:
    classes = load_classes(benchmark)
    names = _file_names(benchmark)
    pattern = "|".join(name.replace(".", r"\.") for words in names.values() for name in words)
    lists = find_annotations(benchmark, annotations, raw, pattern, "train.csv, val.csv or test.csv")
    paths = {
        partition: path
        for partition, words in names.items()
        if (path := lists.first(*words)) is not None
    }
    partitions = {
        partition: _read_partition(path, benchmark, classes, labelled=partition != "test")
        for partition, path in paths.items()
    }
    columns, notes = partition_columns(benchmark, partitions, FILES, lists.path)
    told = (*lists.notes(paths.values()), *notes)
    return OfficialList(benchmark, classes, columns, told, lists.editions)


def _file_names(benchmark: str) -> dict[str, list[str]]:
    """Names that the lists of each partition go by, the plain ones first."""
    number = benchmark.removeprefix("kinetics")
    stem = ("", f"kinetics-{number}_", f"kinetics_{number}_", f"kinetics{number}_", "kinetics_")
    return {
        partition: [
            f"{prefix}{word}{suffix}"
            for suffix in (".csv", ".txt")  # the 600 train and val lists of the CVDF are .txt
            for prefix in stem
            for word in words
        ]
        for partition, words in _WORDS.items()
    }


def _read_partition(path: Path, benchmark: str, classes: ClassList, labelled: bool) -> Partition:
    table = _read_csv(path, benchmark)
    absent = [name for name in _COLUMNS if name not in table.column_names]
    if labelled and "label" not in table.column_names:
        absent.append("label")
    if absent:
        raise UserError(
            f"{path} has columns {', '.join(table.column_names)} and lacks {', '.join(absent)}: "
            f"{get_annotations(benchmark)}"
        )
    if not len(table):
        raise UserError(f"{path} lists no clip: {get_annotations(benchmark)}")
    texts = {name: _column(table, name) for name in table.column_names}
    start, end = (_seconds(path, texts[name]) for name in _COLUMNS[1:])
    if (line := pc.index(texts["youtube_id"], "").as_py() + 2) > 1:
        raise UserError(f"{path}, line {line}: no youtube_id: is it the official list?")
    names = pc.binary_join_element_wise(texts["youtube_id"], start, end, "_")
    if "label" not in texts:
        return Partition(names, np.full(len(names), -1, np.int64))
    return Partition(names, _class_ids(path, benchmark, texts["label"], classes, labelled))


def _read_csv(path: Path, benchmark: str) -> pa.Table:
    text = io.BytesIO(read_text(path).encode())
    try:
        return pacsv.read_csv(
            text,
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(("label", *_COLUMNS), pa.string()),
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        raise UserError(
            f"cannot read {path} as a list of {benchmark} ({str(error).splitlines()[0]}): "
            f"{get_annotations(benchmark)}"
        ) from error


def _column(table: pa.Table, name: str) -> pa.Array:
    return table[name].combine_chunks()


def _seconds(path: Path, texts: pa.Array) -> pa.Array:
    """Times as they stand in clip names: whole seconds, six digits."""
    try:
        seconds = pc.cast(texts, pa.float64())
    except pa.ArrowInvalid as error:
        raise UserError(
            f"{path}: {error}, where a time in seconds should be: is it the official list?"
        ) from error
    fits = pc.and_(pc.greater_equal(seconds, 0.0), pc.less(seconds, 1e6))
    if (place := pc.index(fits, False).as_py()) >= 0:
        raise UserError(
            f"{path}, line {place + 2}: {texts[place]} where a time in seconds should be: is it "
            "the official list?"
        )
    whole = pc.cast(seconds, pa.int64(), safe=False)
    return pc.utf8_lpad(pc.cast(whole, pa.string()), 6, "0")


def _class_ids(
    path: Path, benchmark: str, labels: pa.Array, classes: ClassList, labelled: bool
) -> Ints:
    """Class id of each row; an empty label is allowed in a test list only."""
    encoded = labels.dictionary_encode()
    ids = []
    for label in encoded.dictionary.to_pylist():
        number = classes.find(label)
        if number is None and (labelled or label):
            raise UserError(
                f"{path} names class {label!r}, which is none of the {len(classes)} of "
                f"{benchmark}: is it the list of another edition? ({get_annotations(benchmark)})"
            )
        ids.append(-1 if number is None else number)
    of_row: Ints = np.array(ids, np.int64)[encoded.indices.to_numpy(zero_copy_only=False)]
    return of_row


def padded_names(files: pa.Array) -> pa.Array:
    """Stems with both times padded to six digits; stems without times as they are."""
    parts = pc.extract_regex(files, _CLIP_STEM)
    start, end = (pc.utf8_lpad(pc.struct_field(parts, key), 6, "0") for key in ("start", "end"))
    padded = pc.binary_join_element_wise(pc.struct_field(parts, "id"), start, end, "_")
    return pc.coalesce(padded, files)


def ids_of_one_clip(names: pa.Array) -> pa.Array:
    """YouTube id of each clip, names given once, null where several clips come from one video.

    ``<id>.mp4`` is then nobody's: it could be any of them.
    """
    ids = pc.replace_substring_regex(names, r"_\d+_\d+$", "")
    encoded = ids.dictionary_encode().indices.to_numpy(zero_copy_only=False)
    shared = np.bincount(encoded)[encoded] > 1
    return pc.if_else(pa.array(shared), pa.scalar(None, pa.string()), ids)
