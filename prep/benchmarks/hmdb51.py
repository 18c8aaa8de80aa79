"""HMDB-51: ``<class>/<clip>.avi`` and 153 official files, one a class and split.

``<class>_test_split<1|2|3>.txt``, each line ending in a blank::

    Aussie_Brunette_Brushing_Hair_II_brush_hair_u_nm_np1_ba_goo_4.avi 0
                                              0 unused, 1 train, 2 test ^

The class is that of the list's name: several classes begin like another (kick, kick_ball), so
clip names tell nothing. File names hold ! # & ( ) + ; @ [ ] ~ and are compared to the letter.
Every list names all clips of its class, 6766 in all. Rows are ordered by class id, then name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from manifests.classes import ClassList, load_classes
from manifests.errors import UserError
from prep.benchmarks.annotation import (
    AnnotationFolder,
    find_annotations,
    read_fields,
    wrong_line,
)
from prep.benchmarks.folder import FolderFiles
from prep.benchmarks.layout import (
    ClipColumns,
    OfficialList,
    RawSource,
    matched_source,
    member_columns,
    open_root,
)
from prep.benchmarks.places import get_annotations
from prep.text import count

NAME = "hmdb51"
_FILE = re.compile(r"(?P<name>.+)_test_split(?P<split>[123])\.txt", re.IGNORECASE)
_FLAGS = {"0": "", "1": "train", "2": "test"}


def read_hmdb51(
    root: Path, annotations: Path | None = None, from_frames: bool = False
) -> RawSource:
    """Read an HMDB-51 folder; UserError when folder or lists are absent or wrong."""
    raw = open_root(NAME, root, from_frames)
    official = list_hmdb51(raw, annotations)
    return matched_source(raw, official, [(raw.stems, official.columns.names)])


def list_hmdb51(raw: FolderFiles, annotations: Path | None = None) -> OfficialList:
    """Read the official lists alone; UserError when they are absent or wrong."""
    classes = load_classes(NAME)
    lists = find_annotations(NAME, annotations, raw, _FILE.pattern, "brush_hair_test_split1.txt")
    files = _complete_splits(lists, classes)
    absent = [split for split in "123" if split not in files]
    notes = [f"no files of split {' and '.join(absent)} in {lists.path}"] if absent else []
    listed = {path: _read_list(path) for of_class in files.values() for path in of_class.values()}
    columns = _columns(files, listed)
    notes += _uneven_notes(files, listed)
    return OfficialList(NAME, classes, columns, (*lists.notes(), *notes))


def _complete_splits(lists: AnnotationFolder, classes: ClassList) -> dict[str, dict[int, Path]]:
    """Files by split and class id; UserError when some classes of a split have none."""
    found: dict[str, dict[int, Path]] = {}
    for name, path in sorted(lists.files.items()):
        match = _FILE.fullmatch(name)
        class_id = classes.find(match["name"]) if match else None
        if match is None or class_id is None:
            raise UserError(f"{path} is named after no class of {NAME}: {get_annotations(NAME)}")
        found.setdefault(match["split"], {})[class_id] = path
    for split, files in found.items():
        absent = [item.name for item in classes.classes if item.id not in files]
        if absent:
            raise UserError(
                f"{lists.path} lacks {len(absent)} of the {len(classes)} files of split {split}, "
                f"first {absent[0]}_test_split{split}.txt: {get_annotations(NAME)}"
            )
    return found


def _columns(
    files: dict[str, dict[int, Path]], listed: Mapping[Path, Mapping[str, str]]
) -> ClipColumns:
    class_of: dict[str, int] = {}
    members: dict[str, set[str]] = {
        f"{part}{split}": set() for split in files for part in ("train", "test")
    }
    for split, by_class in files.items():
        for class_id, path in by_class.items():
            for name, part in listed[path].items():
                if class_of.setdefault(name, class_id) != class_id:
                    other = next(iter(files.values()))[class_of[name]]
                    raise UserError(
                        f"{path} lists {name}, and so does a list of another class, such as "
                        f"{other.name}: {get_annotations(NAME)}"
                    )
                if part:
                    members[f"{part}{split}"].add(name)
    return member_columns(class_of, members)


def _uneven_notes(
    files: dict[str, dict[int, Path]], listed: Mapping[Path, Mapping[str, str]]
) -> Iterator[str]:
    """The official lists of a class name the same clips in every split, unused ones included."""
    short: dict[Path, int] = {}
    for class_id in next(iter(files.values())):
        paths = [by_class[class_id] for by_class in files.values()]
        together = set().union(*(listed[path] for path in paths))
        short |= {path: lack for path in paths if (lack := len(together) - len(listed[path]))}
    if short:
        path, lack = next(iter(short.items()))
        more = f", as do {len(short) - 1:,} more" if len(short) > 1 else ""
        clips = count(lack, "clip")
        yield f"{path} lacks {clips} that other lists of its class have{more}: was it cut short?"


def _read_list(path: Path) -> dict[str, str]:
    """Part ("train", "test" or "" for unused) of each clip of a list, by stem."""
    found: dict[str, str] = {}
    for number, fields in read_fields(path):
        if len(fields) != 2 or fields[1] not in _FLAGS:
            raise wrong_line(NAME, path, number, "not of the form 'clip.avi flag', flag 0, 1 or 2")
        name = re.sub(r"\.avi$", "", fields[0], flags=re.IGNORECASE)
        if found.setdefault(name, _FLAGS[fields[1]]) != _FLAGS[fields[1]]:
            raise wrong_line(NAME, path, number, f"{fields[0]} has another flag above")
    if not found:
        raise UserError(f"{path} lists no clip: {get_annotations(NAME)}")
    return found
