"""UCF-101: ``<Class>/v_<Class>_gXX_cYY.avi`` and the three official train and test lists.

trainlist01.txt, CRLF, ids from 1     ``ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1``
testlist01.txt, no label              ``ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi``

The folder HandstandPushups holds files v_HandStandPushups_*, so files are matched without regard
to case. Rows are the union of the lists, ordered by class id and then by file name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import pyarrow.compute as pc

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
    OfficialList,
    RawSource,
    matched_source,
    member_columns,
    open_root,
)
from prep.benchmarks.places import get_annotations
from prep.text import count

NAME = "ucf101"
SPLITS = {
    f"{part}{number}": f"{part}list0{number}.txt"
    for number in (1, 2, 3)
    for part in ("train", "test")
}


def read_ucf101(
    root: Path, annotations: Path | None = None, from_frames: bool = False
) -> RawSource:
    """Read a UCF-101 folder; UserError when folder or lists are absent or wrong."""
    raw = open_root(NAME, root, from_frames)
    official = list_ucf101(raw, annotations)
    names = pc.ascii_lower(official.columns.names)
    return matched_source(raw, official, [(pc.ascii_lower(raw.stems), names)])


def list_ucf101(raw: FolderFiles, annotations: Path | None = None) -> OfficialList:
    """Read the official lists alone; UserError when they are absent or wrong."""
    classes = load_classes(NAME)
    lists = find_annotations(
        NAME, annotations, raw, r"(train|test)list0[123]\.txt|classInd\.txt", "trainlist01.txt"
    )
    _check_class_index(lists, classes)
    members = {
        split: _read_list(path, classes)
        for split, file in SPLITS.items()
        if (path := lists.first(file)) is not None
    }
    if not members:
        raise UserError(
            f"{lists.path} holds no train or test list of {NAME}: {get_annotations(NAME)}"
        )
    absent = [file for split, file in SPLITS.items() if split not in members]
    notes = [f"not in {lists.path}, so without their splits: {', '.join(absent)}"] if absent else []
    notes += _overlap_notes(members)
    columns = member_columns(_class_of(members, classes), members)
    return OfficialList(NAME, classes, columns, (*lists.notes(), *notes))


def _class_of(members: Mapping[str, Mapping[str, int]], classes: ClassList) -> dict[str, int]:
    """Class id of each clip; UserError when two lists do not agree."""
    class_of: dict[str, int] = {}
    for split, listed in members.items():
        for name, number in listed.items():
            if class_of.setdefault(name, number) != number:
                here, there = (classes.names[i] for i in (number, class_of[name]))
                raise UserError(
                    f"{SPLITS[split]} lists {name} under {here}, a list before it under {there}: "
                    f"{get_annotations(NAME)}"
                )
    return class_of


def _overlap_notes(members: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """Official train and test lists of one number share no clip."""
    for number in (1, 2, 3):
        train, test = (members.get(f"{part}{number}", {}) for part in ("train", "test"))
        if both := sorted(train.keys() & test.keys()):
            clips = count(len(both), "clip")
            yield f"{clips} in both lists of split {number}, train and test, first {both[0]}"


def _check_class_index(lists: AnnotationFolder, classes: ClassList) -> None:
    path = lists.first("classInd.txt")
    if path is None:
        return
    for number, fields in read_fields(path):
        if len(fields) != 2 or not fields[0].isdigit():
            raise wrong_line(NAME, path, number, "not of the form 'number class'")
        if classes.find(fields[1]) != int(fields[0]) - 1:
            raise wrong_line(NAME, path, number, f"class {fields[1]!r} is not number {fields[0]}")


def _read_list(path: Path, classes: ClassList) -> dict[str, int]:
    """Class id of each file stem of a train or test list."""
    found: dict[str, int] = {}
    form = None
    for number, fields in read_fields(path):
        file = PurePosixPath(fields[0])
        class_id = classes.find(file.parent.name)
        if class_id is None or len(fields) > 2:
            raise wrong_line(NAME, path, number, f"{' '.join(fields)!r} names no clip of a class")
        if len(fields) == 2 and fields[1] != str(class_id + 1):
            raise wrong_line(
                NAME, path, number, f"label {fields[1]}, but {file.parent.name} is {class_id + 1}"
            )
        if form not in (None, (len(fields), file.suffix)):
            why = f"{' '.join(fields)!r} is not written like the lines above, as if it were cut"
            raise wrong_line(NAME, path, number, why)
        form = len(fields), file.suffix
        if found.setdefault(file.stem, class_id) != class_id:
            raise wrong_line(NAME, path, number, f"{file.stem} stands under another class above")
    if not found:
        raise UserError(f"{path} lists no clip: {get_annotations(NAME)}")
    return found
