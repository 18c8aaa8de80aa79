"""Something-Something V2: ``<id>.webm`` in one folder, and four JSON files.

::

    labels.json       {"Approaching something with your camera": "0", ...}
    train.json        [{"id": "78687", "label": "...", "template": "Holding [something]", ...}, ...]
    validation.json   the same          test.json   [{"id": "1420"}, ...]

Older copies call them something-something-v2-labels.json and so on. The class of a clip is its
template with the brackets away. Rows count the entries of each file, see ``layout.FIRST_ROW``.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from manifests.classes import ClassList, load_classes
from manifests.errors import UserError
from prep.benchmarks.annotation import find_annotations, read_json
from prep.benchmarks.folder import FolderFiles
from prep.benchmarks.layout import OfficialList, RawSource, matched_source, open_root
from prep.benchmarks.matching import wanted_names
from prep.benchmarks.partitions import Partition, partition_columns
from prep.benchmarks.places import get_annotations

NAME = "ssv2"
FILES = {"train": "train.json", "val": "validation.json", "test": "test.json"}
_OLD = "something-something-v2-"


def read_ssv2(root: Path, annotations: Path | None = None, from_frames: bool = False) -> RawSource:
    """Read a Something-Something V2 folder; UserError when folder or lists are absent or wrong."""
    raw = open_root(NAME, root, from_frames)
    official = list_ssv2(raw, annotations)
    wanted = wanted_names(official.columns.names, official.columns.class_ids)
    return matched_source(raw, official, [(raw.stems, wanted.names)], wanted)


def list_ssv2(raw: FolderFiles, annotations: Path | None = None) -> OfficialList:
    """Read the official lists alone; UserError when they are absent or wrong."""
    classes = load_classes(NAME)
    pattern = rf"({_OLD})?(labels|train|validation|test)\.json"
    lists = find_annotations(NAME, annotations, raw, pattern, "validation.json")
    labels = lists.first("labels.json", _OLD + "labels.json")
    if labels is not None:
        _check_labels(labels, classes)
    paths = {
        partition: path
        for partition, file in FILES.items()
        if (path := lists.first(file, _OLD + file)) is not None
    }
    partitions = {
        partition: _read_partition(path, classes, labelled=partition != "test")
        for partition, path in paths.items()
    }
    columns, notes = partition_columns(NAME, partitions, FILES, lists.path)
    read = (*paths.values(), *([] if labels is None else [labels]))
    return OfficialList(NAME, classes, columns, (*lists.notes(read), *notes))


def _check_labels(path: Path, classes: ClassList) -> None:
    labels = _load(path, dict)
    for name, number in labels.items():
        if str(classes.find(name)) != str(number):
            raise UserError(
                f"{path}: class {name!r} is not number {number} of {NAME}: {get_annotations(NAME)}"
            )


def _read_partition(path: Path, classes: ClassList, labelled: bool) -> Partition:
    """Ids and class ids of a list; a template is looked up once, an entry kept as two values."""
    id_of: dict[str, int] = {}
    wanted = ("id", "template") if labelled else ("id",)

    def entry(pairs: list[tuple[str, Any]]) -> tuple[str, int]:
        fields = dict(pairs)
        absent = [name for name in wanted if not isinstance(fields.get(name), (str, int))]
        if absent:
            raise _wrong(path, f"no field {absent[0]!r} of text in {_shown(fields)}")
        if not labelled:
            return str(fields["id"]), -1
        template = str(fields["template"])
        if template not in id_of:
            id_of[template] = _class_id(path, template, classes)
        return str(fields["id"]), id_of[template]

    entries = _load(path, list, entry)
    if not entries:
        raise UserError(f"{path} lists no clip: {get_annotations(NAME)}")
    if not all(isinstance(item, tuple) for item in entries):
        raise _wrong(path, "not a list of entries with an id each")
    return Partition(
        pa.array((item[0] for item in entries), pa.string()),
        np.fromiter((item[1] for item in entries), np.int64, len(entries)),
    )


def _class_id(path: Path, template: str, classes: ClassList) -> int:
    try:
        return classes.id_of(template)
    except UserError as error:
        raise _wrong(path, str(error)) from error


def _shown(fields: dict[str, Any]) -> str:
    return textwrap.shorten(str(fields), 80, placeholder=" ...")


def _load(
    path: Path, kind: type, entry: Callable[[list[tuple[str, Any]]], Any] | None = None
) -> Any:
    """Content of a JSON file of a list or a dict, each object of it made into an entry."""
    content = read_json(NAME, path, entry)
    if not isinstance(content, kind):
        raise UserError(f"{path} holds no {kind.__name__}: {get_annotations(NAME)}")
    return content


def _wrong(path: Path, why: str) -> UserError:
    return UserError(f"{path}: {why}; is it the official {NAME} list? ({get_annotations(NAME)})")
