"""Something-Something V2: ``<id>.webm`` in one folder, and four JSON files.

::

    labels.json       {"Approaching something with your camera": "0", ...}
    train.json        [{"id": "78687", "label": "...", "template": "Holding [something]", ...}, ...]
    validation.json   the same          test.json   [{"id": "1420"}, ...]

Older copies call them something-something-v2-labels.json and so on. The class of a clip is its
template with the brackets away. Rows count the entries of each file, see ``layout.FIRST_ROW``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from manifests.classes import ClassList, load_classes
from manifests.errors import UserError
from prep.benchmarks.annotation import AnnotationFolder, find_annotations, read_text
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
    _check_labels(lists, classes)
    partitions = {
        partition: _read_partition(path, classes, labelled=partition != "test")
        for partition, file in FILES.items()
        if (path := lists.first(file, _OLD + file)) is not None
    }
    columns, notes = partition_columns(NAME, partitions, FILES, lists.path)
    return OfficialList(NAME, classes, columns, (*lists.notes(), *notes))


def _check_labels(lists: AnnotationFolder, classes: ClassList) -> None:
    path = lists.first("labels.json", _OLD + "labels.json")
    if path is None:
        return
    labels = _load(path, dict)
    for name, number in labels.items():
        if str(classes.find(name)) != str(number):
            raise UserError(
                f"{path}: class {name!r} is not number {number} of {NAME}: {get_annotations(NAME)}"
            )


def _read_partition(path: Path, classes: ClassList, labelled: bool) -> Partition:
    """Ids and class ids of a list; a template is looked up once, an entry kept as two values."""
    id_of: dict[str, int] = {}

    def entry(pairs: list[tuple[str, Any]]) -> tuple[str, int]:
        fields = dict(pairs)
        if not labelled:
            return str(fields["id"]), -1
        template = str(fields["template"])
        if template not in id_of:
            id_of[template] = classes.id_of(template)
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


def _load(
    path: Path, kind: type, entry: Callable[[list[tuple[str, Any]]], Any] | None = None
) -> Any:
    """Content of a JSON file of a list or a dict, each object of it made into an entry."""
    text = read_text(path)
    try:
        content = json.loads(text, object_pairs_hook=entry)
    except (ValueError, KeyError, UserError) as error:
        why = f"no field {error}" if isinstance(error, KeyError) else str(error)
        raise _wrong(path, why) from error
    if not isinstance(content, kind):
        raise UserError(f"{path} holds no {kind.__name__}: {get_annotations(NAME)}")
    return content


def _wrong(path: Path, why: str) -> UserError:
    return UserError(f"{path}: {why}; is it the official {NAME} list? ({get_annotations(NAME)})")
