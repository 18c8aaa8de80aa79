"""Reading lists of clips that somebody published, whatever their form.

===============  ==================================================  ===============================
form             a line                                              seen in
===============  ==================================================  ===============================
name id          ``v_Typing_g12_c03.avi 0``                          ViFi-CLIP, MoTE, Text4Vis
path,id          ``brush_hair/April_09_....avi,0``                   Open-VCLIP
name frames id   ``78687 134 19``                                    UniFormer, Text4Vis
names            ``jetskiing/TzTaHa6m1hw_000038_000048``             A5 (Efficient-Prompt)
listing          ``val/situp:`` and file names below it              Open-VCLIP, as `ls -R` prints
columns          a csv whose first line names a column ``video``,    BSN, official Kinetics lists
                 or ``youtube_id`` and its fellows
segments         JSON, ``{"v_<id>": {"annotations": [...]}}``        BSN, official ActivityNet
entries          JSON, ``[{"id": "74225", "template": ...}, ...]``   official Something-Something V2
===============  ==================================================  ===============================

Names may hold blanks and commas, so numbers are taken from the end of a line, and only where every
line has them; a first line of words alone is a heading. Line ends, a byte order mark, blanks at the
end of a line, empty lines and lines that begin with ``# `` mean nothing, nor does a tab, ``;`` or
``|`` in place of a blank, or quotes as csv writers set them. What numbers mean is not asked here.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from manifests.errors import UserError
from prep.benchmarks.annotation import read_text
from prep.benchmarks.folder import VIDEO_SUFFIXES
from prep.benchmarks.layout import Ints
from prep.labels import is_heading

Form = Literal[
    "name id", "path,id", "name frames id", "names", "listing", "columns", "segments", "entries"
]

_NUMBER_AT_END = re.compile(r'^(.*[^\s,;|])\s*([\s,;|])\s*"?(\d{1,9}|-1)"?$')
_HEADING = re.compile(r'#?[A-Za-z_ ,;|\t"]+')
_NUMBER = re.compile(r"[0-9]{1,9}|-1")
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')
_NAMES_HEADING = frozenset({"video", "path", "video_path", "name", "file", "filename", "clip"})
_TIMES = ("youtube_id", "time_start", "time_end")


@dataclass(frozen=True)
class PublishedList:
    """The clips of a list, in its order: N of them, repeated ones as often as they stand there.

    ``paths`` are as written; ``ids`` int64 (N,) the numbers of their classes, -1 for one that is
    not told, or ``classes`` their names, where the list gives any.
    """

    file: str
    sha256: str
    form: Form
    paths: tuple[str, ...]
    ids: Ints | None = None
    classes: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.paths)

    @cached_property
    def stems(self) -> list[str]:
        """Names of the clips without folders and without the suffix of a video."""
        return [_stem(_parts(path)[-1]) for path in self.paths]

    @cached_property
    def folders(self) -> list[str]:
        """The folder just above each clip, "" where there is none."""
        return [parts[-2] if len(parts := _parts(path)) > 1 else "" for path in self.paths]


def read_published(path: Path) -> PublishedList:
    """Read a list; UserError when it is absent, empty, a list of classes or of no known form."""
    if not path.is_file():
        raise UserError(f"there is no list {path}: name the file of a published list")
    text = read_text(path)
    lines = [line.strip() for line in text.split("\n")]
    lines = [line for line in lines if line and not line.startswith("# ")]
    if not lines:
        raise UserError(f"{path} lists no clip: it is empty")
    form, paths, ids, classes = _read(path, text, lines)
    if not paths:
        raise UserError(f"{path} lists no clip")
    return PublishedList(
        path.name, hashlib.sha256(path.read_bytes()).hexdigest(), form, tuple(paths), ids, classes
    )


_Read = tuple[Form, Sequence[str], Ints | None, tuple[str, ...] | None]


def _read(path: Path, text: str, lines: list[str]) -> _Read:
    head = lines[0].lower().replace(" ", "")
    if is_heading(lines[0]):
        raise _classes_only(path)
    if lines[0][0] in "{[" and (content := _json(path, text)) is not None:
        return _read_json(path, content)
    if lines[0].endswith(":"):
        return "listing", _read_listing(lines), None, None
    if "," in head and {"video", "youtube_id"} & set(head.split(",")):
        return _read_columns(path, lines)
    return _read_lines(path, lines)


def _read_lines(path: Path, lines: list[str]) -> _Read:
    """Lines with one number, two or none at their ends; the last is the class."""
    last = [_NUMBER_AT_END.match(line) for line in lines]
    if last[0] is None and _HEADING.fullmatch(lines[0]) and any(last):
        lines, last = lines[1:], last[1:]
    bare = [number for number, match in enumerate(last, start=1) if match is None]
    if len(bare) * 2 >= len(lines):
        names = lines[1:] if lines[0].lower().strip('#" ') in _NAMES_HEADING else lines
        return "names", [_unquoted(name) for name in names], None, None
    if bare:
        raise UserError(
            f"{path}, line {bare[0]}: {lines[bare[0] - 1]!r} ends in no class number as the "
            "others do: mend or delete the line"
        )
    found = [match for match in last if match]
    numbers = np.array([int(match[3]) for match in found], np.int64)
    ids = numbers if (numbers >= 0).any() else None
    names = [_unquoted(match[1]) for match in found]
    before = [_NUMBER_AT_END.match(name) for name in names]
    if all(before):
        return "name frames id", [_unquoted(match[1]) for match in before if match], ids, None
    return "path,id" if found[0][2] == "," else "name id", names, ids, None


def _read_listing(lines: list[str]) -> list[str]:
    """Files below their headings; a heading's own entry in the list of its parent is no clip."""
    heads = {line[:-1] for line in lines if line.endswith(":")}
    folder, paths = "", []
    for line in lines:
        if line.endswith(":"):
            folder = line[:-1]
        elif (entry := f"{folder}/{line}") not in heads:
            paths.append(entry)
    return paths


def _read_columns(path: Path, lines: list[str]) -> _Read:
    head, rows = _csv_rows(path, lines)
    column = {name: [row[i].strip() for row in rows] for i, name in enumerate(head)}
    try:
        if "video" in column:
            paths = column["video"]
        else:
            times = zip(*(column[name] for name in _TIMES), strict=True)
            paths = [f"{v}_{int(float(start)):06}_{int(float(end)):06}" for v, start, end in times]
    except (KeyError, ValueError, OverflowError) as error:
        raise UserError(f"{path} is no list of clips by columns: {error}") from error
    labels = column.get("label", [])
    if labels and all(map(_NUMBER.fullmatch, labels)):
        return "columns", paths, np.array(labels).astype(np.int64), None
    return "columns", paths, None, tuple(labels) or None


def _csv_rows(path: Path, lines: list[str]) -> tuple[list[str], list[list[str]]]:
    """Names of the columns in lower case, and rows of just as many fields."""
    try:
        head, *rows = csv.reader(lines)
    except csv.Error as error:
        raise UserError(f"{path} is no list of clips by columns: {error}") from error
    for number, row in enumerate(rows, start=2):
        if len(row) != len(head):
            raise UserError(
                f"{path}, row {number} has {len(row)} fields where the first line names "
                f"{len(head)}: mend or delete it"
            )
    return [name.strip().lower() for name in head], rows


def _json(path: Path, text: str) -> Any:
    """What JSON holds; None for lines that merely begin like it: names may begin with a bracket."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        if path.suffix.lower() == ".json":
            raise UserError(f"{path} is no JSON: {error}") from error
        return None


def _read_json(path: Path, content: Any) -> _Read:
    items = content if isinstance(content, list) else content.values()
    if items and all(isinstance(item, str | int) for item in items):
        raise _classes_only(path)
    try:
        return _entries(content) if isinstance(content, list) else _segments(content)
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} is no list of clips: its JSON is neither that of ActivityNet nor that of "
            "Something-Something V2; name a published list"
        ) from error


def _segments(content: dict[str, Any]) -> _Read:
    """Segments of untrimmed videos, called ``<video>_<k>`` as ActivityNet's clips are here."""
    paths, classes = [], []
    for video, entry in content.get("database", content).items():
        for number, item in enumerate(entry["annotations"]):
            paths.append(f"{video}_{number}")
            classes.append(str(item["label"]))
    return "segments", paths, None, tuple(classes)


def _entries(content: list[dict[str, Any]]) -> _Read:
    """Clips by id, with the template of their class where there is one."""
    paths = [str(item["id"]) for item in content]
    labelled = all("template" in item for item in content)
    classes = tuple(str(item["template"]) for item in content) if labelled else None
    return "entries", paths, None, classes


def _parts(path: str) -> list[str]:
    """Folders and name of a path with slashes of either kind."""
    return path.replace("\\", "/").rstrip("/").split("/")


def _unquoted(name: str) -> str:
    """A path as csv writers quote it, without the quotes."""
    quoted = _QUOTED.fullmatch(name)
    return quoted[1].replace('""', '"') if quoted else name


def _stem(name: str) -> str:
    base, dot, suffix = name.rpartition(".")
    return base if dot and f".{suffix.lower()}" in VIDEO_SUFFIXES else name


def _classes_only(path: Path) -> UserError:
    return UserError(
        f"{path} lists classes, not clips: name a list of clips, and give this one with --labels "
        "if it says what the numbers of that list mean"
    )
