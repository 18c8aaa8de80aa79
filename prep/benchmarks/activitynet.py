"""ActivityNet 1.3: ``v_<id>.<any>`` untrimmed, and one JSON file; each segment is a clip.

``activity_net.v1-3.min.json``::

    {"version": ..., "taxonomy": [...], "database": {"<id>": {
        "subset": "training" | "validation" | "testing", "duration": 92.18, ...,
        "annotations": [{"segment": [5.46, 86.71], "label": "Dodgeball"}, ...]}, ...}}

Rows follow the file: videos as they stand there, segments as they stand in a video. A clip is
called ``<id>_<k>``, k counting the segments of the video from 0 (Text4Vis' lists do the same); a
testing video, which has none, is one unlabelled clip ``<id>`` of the whole video. Segments keep
their official times, those that are empty or end past the video included. One video may hold
several classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from manifests.classes import ClassList, load_classes
from manifests.errors import UserError
from prep.benchmarks.annotation import AnnotationFolder, find_annotations, read_json
from prep.benchmarks.folder import FolderFiles
from prep.benchmarks.layout import (
    ClipColumns,
    OfficialList,
    RawSource,
    matched_source,
    open_root,
)
from prep.benchmarks.matching import wanted_names
from prep.benchmarks.places import get_annotations

NAME = "activitynet"
_Row = tuple[str, str, int, float | None, float | None, str]
_NOT_READ = frozenset({"duration", "resolution", "url"})
_PARTITIONS = {"training": "train", "validation": "val", "testing": "test"}


def read_activitynet(
    root: Path, annotations: Path | None = None, from_frames: bool = False
) -> RawSource:
    """Read an ActivityNet folder; UserError when folder or annotation are absent or wrong."""
    raw = open_root(NAME, root, from_frames)
    official = list_activitynet(raw, annotations)
    wanted = wanted_names(official.columns.videos, official.columns.class_ids)
    prefixed = pa.array((f"v_{name}" for name in wanted.names.to_pylist()), pa.string())
    files = raw.stems
    return matched_source(raw, official, [(files, prefixed), (files, wanted.names)], wanted)


def list_activitynet(raw: FolderFiles, annotations: Path | None = None) -> OfficialList:
    """Read the official file alone; UserError when it is absent or wrong."""
    classes = load_classes(NAME)
    lists = find_annotations(
        NAME, annotations, raw, r"activity_?net.*\.json", "activity_net.v1-3.min.json"
    )
    path, columns = _columns(lists, classes)
    empty = pc.sum(pc.less_equal(columns.ends, columns.starts), min_count=0).as_py()
    notes = [f"empty segments in {path}, no frame to cut: {empty:,}"] if empty else []
    return OfficialList(NAME, classes, columns, (*lists.notes((path,)), *notes))


def _database(lists: AnnotationFolder) -> tuple[Path, Mapping[str, Any]]:
    """The first file that holds a database, version 1.3 before others, and its database."""
    for name in sorted(lists.files, key=lambda name: ("v1-3" not in name, name)):
        path = lists.files[name]
        content = read_json(NAME, path, _slim)
        database = content.get("database", content) if isinstance(content, dict) else None
        if database and all(isinstance(v, dict) and "subset" in v for v in database.values()):
            return path, database
    raise UserError(
        f"no database of {NAME} in {', '.join(str(path) for path in lists.files.values())}: "
        f"{get_annotations(NAME)}"
    )


def _slim(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: value for key, value in pairs if key not in _NOT_READ}


def _columns(lists: AnnotationFolder, classes: ClassList) -> tuple[Path, ClipColumns]:
    """The file, and one row a segment; the parsed JSON, many times as large, is gone on return."""
    path, database = _database(lists)
    texts: tuple[list[Any], ...] = ([], [], [], [], [], [])
    for clip in _clips(path, database, classes):
        for values, value in zip(texts, clip, strict=True):
            values.append(value)
    names, videos, ids, starts, ends, partitions = texts
    of_row = np.array(partitions)
    columns = ClipColumns(
        rows=np.arange(len(names)),
        names=pa.array(names, pa.string()),
        videos=pa.array(videos, pa.string()),
        class_ids=np.array(ids, np.int64),
        partitions=pa.array(partitions, pa.string()),
        splits={name: of_row == name for name in _PARTITIONS.values()},
        starts=pa.array(starts, pa.float64()),
        ends=pa.array(ends, pa.float64()),
    )
    return path, columns


def _clips(path: Path, database: Mapping[str, Any], classes: ClassList) -> Iterator[_Row]:
    """Name, video, class id, start, end and partition of each clip, in the order of the file."""
    for video, entry in database.items():
        try:
            partition = _partition(entry["subset"])
            segments = [_segment(item, classes) for item in _items(entry)]
        except (KeyError, ValueError, UserError) as error:
            why = f"no field {error}" if isinstance(error, KeyError) else str(error)
            raise UserError(
                f"{path}, video {video}: {why}; is it the official file of version 1.3? "
                f"({get_annotations(NAME)})"
            ) from error
        for number, segment in enumerate(segments):
            yield f"{video}_{number}", video, *segment, partition
        if not segments:
            yield video, video, -1, None, None, partition


def _items(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    items = entry.get("annotations", [])
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ValueError("its annotations are no list of segments")
    return items


def _segment(item: Mapping[str, Any], classes: ClassList) -> tuple[int, float, float]:
    """Class id, start and end; ValueError or UserError when they are none."""
    try:
        start, end = map(float, item["segment"])
    except (TypeError, ValueError):
        start = end = math.nan
    if not (math.isfinite(start) and math.isfinite(end)):
        raise ValueError(f"segment {item['segment']!r} is no start and end in seconds")
    return classes.id_of(str(item["label"])), start, end


def _partition(subset: object) -> str:
    if not isinstance(subset, str) or subset not in _PARTITIONS:
        raise ValueError(f"subset {subset!r} is none of {', '.join(_PARTITIONS)}")
    return _PARTITIONS[subset]
