"""Files of a set into another folder: hard links where the file system has them, else copies.

A link needs no space and no time, and the set's own files are replaced by renaming, never written
into, so a later run of `prep shard` does not reach through it. A copy is held against the recorded
hash while it is written.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from manifests.errors import UserError
from prep.hub.contents import RepoFile
from prep.text import size
from shards.atomic import commit_file, disk_errors, staged, temp_name

How = Literal["linked", "copied", "kept"]

#: What a file system answers that cannot link: another one, no links, no right to, too many.
_NO_LINK = (errno.EXDEV, errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)
_CHUNK = 4 << 20


@dataclass(frozen=True)
class Placed:
    """Files and bytes by what was done for them; "kept" ones were in place already."""

    files: dict[How, int]
    bytes: dict[How, int]


def place_files(files: Sequence[RepoFile], target: Path, known: dict[str, str]) -> Placed:
    """Put every file at its place below ``target``; ``known`` are hashes of what is there.

    Raises UserError when the disk refuses, when a file is not what was recorded, or was replaced
    since it was looked at.
    """
    placed = Placed({"linked": 0, "copied": 0, "kept": 0}, {"linked": 0, "copied": 0, "kept": 0})
    total = sum(file.bytes for file in files)
    with tqdm(total=total, desc="export", unit="B", unit_scale=True, disable=None) as bar:
        for file in files:
            how = _place(file, target / file.place, known.get(file.place), bar)
            placed.files[how] += 1
            placed.bytes[how] += file.bytes
    return placed


def check_space(files: Sequence[RepoFile], target: Path, known: dict[str, str]) -> None:
    """Raise UserError when the copies that ``place_files`` would make do not fit."""
    there = next(place for place in (target, *target.absolute().parents) if place.exists())
    apart = [file for file in files if file.source.stat().st_dev != there.stat().st_dev]
    need = sum(f.bytes for f in apart if not _is_there(f, target / f.place, known.get(f.place)))
    free = shutil.disk_usage(there).free
    if need > free:
        raise UserError(
            f"{target} is on another disk than the shards and has {size(free)} free; the copies "
            f"take {size(need)}: name a folder on a larger disk, or on that of the shards"
        )


def _is_there(file: RepoFile, path: Path, known: str | None) -> bool:
    """Whether the very file, or a copy made of it before, is in place."""
    if not path.is_file() or path.is_symlink():
        return False
    if path.samefile(file.source):
        return True
    found = path.stat()
    same = (found.st_size, found.st_mtime_ns) == (file.bytes, file.time_ns)
    return same and known == file.sha256


def _place(file: RepoFile, path: Path, known: str | None, bar: tqdm) -> How:
    if _is_there(file, path, known):
        bar.update(file.bytes)
        return "kept"
    if _link(file, path):
        bar.update(file.bytes)
        return "linked"
    _copy(file, path, bar)
    return "copied"


def _link(file: RepoFile, path: Path) -> bool:
    """Link a file in one step; False where that is impossible."""
    temp = temp_name(path)
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(file.source.resolve(), temp)
        except OSError as error:
            if error.errno in _NO_LINK:
                return False  # a folder without rights refuses the copy too, and says so
            raise
    try:
        found = temp.stat()
        if (found.st_size, found.st_mtime_ns) != (file.bytes, file.time_ns):
            raise _replaced(file)
        commit_file(temp, path)
    except BaseException:
        temp.unlink(missing_ok=True)
        raise
    return True


def _copy(file: RepoFile, path: Path, bar: tqdm) -> None:
    with file.source.open("rb") as source, staged(path) as copy:
        while chunk := source.read(_CHUNK):
            copy.write(chunk)
            bar.update(len(chunk))
        if copy.sha256() != file.sha256:
            raise _replaced(file)
    with disk_errors(path):
        os.utime(path, ns=(file.time_ns, file.time_ns))


def _replaced(file: RepoFile) -> UserError:
    return UserError(
        f"{file.source} is not what was recorded of it: if a run is at work on the set, wait for "
        "its end; else `prep verify` tells what is damaged"
    )
