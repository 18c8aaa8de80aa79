"""One walk over a raw folder: its videos, its annotation files, what interrupted downloads left.

A Kinetics folder holds hundreds of thousands of files, so each folder is listed once, nothing is
opened or asked for its size, and paths are kept in one Arrow array.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from manifests.errors import UserError

VIDEO_SUFFIXES = frozenset(
    {".avi", ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".flv", ".wmv", ".mpg", ".mpeg", ".ts"}
    | {".3gp", ".ogv", ".mjpg", ".mjpeg"}
)
LIST_SUFFIXES = frozenset({".txt", ".csv", ".json"})
LEFTOVER_SUFFIXES = frozenset({".part", ".ytdl", ".tmp", ".temp", ".crdownload", ".download"})
ARCHIVE_SUFFIXES = frozenset({".rar", ".zip", ".tar", ".gz", ".tgz", ".7z"})


@dataclass(frozen=True)
class FolderFiles:
    """What lies under a folder; paths are relative to it, with slashes, in sorted walk order."""

    root: Path
    videos: pa.Array  # string: files with the suffix of a video
    others: tuple[str, ...]  # the rest of the files that are neither lists nor archives
    lists: tuple[str, ...]  # .txt, .csv, .json: annotation files are among them
    archives: tuple[str, ...]  # not unpacked
    odd: tuple[str, ...]  # leftovers of downloads, and names that are no UTF-8 (escaped)


def walk_files(root: Path) -> Iterator[str]:
    """Yield the paths of all files under a folder, relative to it, in an order that never varies.

    Links are followed, a folder is visited once however many links lead to it, hidden entries and
    links that lead nowhere are passed over. Raises UserError when a folder cannot be listed.
    """
    seen: set[tuple[int, int]] = set()
    todo = [""]
    while todo:
        prefix = todo.pop()
        try:
            status = (root / prefix).stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            folders, files = _list_folder(root / prefix)
        except OSError as error:
            raise UserError(
                f"cannot list folder {root / prefix}: {error.strerror}; make it readable"
            ) from error
        yield from (prefix + name for name in files)
        todo.extend(f"{prefix}{name}/" for name in reversed(folders))


def _list_folder(path: Path) -> tuple[list[str], list[str]]:
    """Sorted names of the folders and of the files in a folder."""
    folders, files = [], []
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                folders.append(entry.name)
            elif entry.is_file():
                files.append(entry.name)
    return sorted(folders), sorted(files)


def scan_folder(root: Path, what: str, mend: str) -> FolderFiles:
    """List a folder by kinds of files.

    ``what`` and ``mend`` word the UserError raised when there is no such folder.
    """
    if not root.is_dir():
        state = "is not a folder" if root.exists() else "does not exist"
        raise UserError(f"{what} {root} {state}: {mend}")
    kinds: dict[str, list[str]] = {key: [] for key in ("video", "list", "archive", "odd", "other")}
    kind_of = {
        **dict.fromkeys(VIDEO_SUFFIXES, "video"),
        **dict.fromkeys(LIST_SUFFIXES, "list"),
        **dict.fromkeys(ARCHIVE_SUFFIXES, "archive"),
        **dict.fromkeys(LEFTOVER_SUFFIXES, "odd"),
    }
    for path in walk_files(root):
        suffix = path[path.rfind(".") :].lower()
        kinds[kind_of.get(suffix, "other")].append(path)
    videos, unreadable = _as_text(kinds["video"])
    return FolderFiles(
        root,
        videos,
        tuple(kinds["other"]),
        tuple(kinds["list"]),
        tuple(kinds["archive"]),
        tuple(kinds["odd"] + unreadable),
    )


def _as_text(paths: list[str]) -> tuple[pa.Array, list[str]]:
    """Paths as an Arrow array, and apart from it those whose bytes are no UTF-8, escaped."""
    try:
        return pa.array(paths, pa.string()), []
    except UnicodeEncodeError:
        bad = [path for path in paths if not _is_utf8(path)]
        good = [path for path in paths if _is_utf8(path)]
        escaped = [os.fsencode(path).decode("utf-8", "backslashreplace") for path in bad]
        return pa.array(good, pa.string()), escaped


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def base_names(paths: pa.Array) -> pa.Array:
    """File names without folders."""
    return pc.replace_substring_regex(paths, r"(?s)^.*/", "")


def stems(paths: pa.Array) -> pa.Array:
    """File names without folders and without their last suffix."""
    return pc.replace_substring_regex(base_names(paths), r"\.[^.]*$", "")


def parents(paths: pa.Array) -> pa.Array:
    """Folders of files, without a slash at the end; empty for files at the top."""
    return pc.replace_substring_regex(paths, r"/?[^/]*$", "")
