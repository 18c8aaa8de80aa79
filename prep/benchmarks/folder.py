"""One walk over a raw folder: its videos, its annotation files, what interrupted downloads left.

A Kinetics folder holds hundreds of thousands of files, so each folder is listed once, nothing is
opened or asked for its size, and paths are kept in one Arrow array.

Where frames were extracted already, a folder of images stands in for the video of its name::

    ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi            a video
    ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01/img_00001.jpg  the same clip as a folder of frames

Images themselves are not kept, as they are hundreds of times as many.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from manifests.errors import UserError
from prep.benchmarks.archives import is_archive
from prep.video.series import is_image, is_utf8

VIDEO_SUFFIXES = frozenset(
    {".avi", ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".flv", ".wmv", ".mpg", ".mpeg", ".ts"}
    | {".3gp", ".ogv", ".mjpg", ".mjpeg"}
)
LIST_SUFFIXES = frozenset({".txt", ".csv", ".json"})
LEFTOVER_SUFFIXES = frozenset({".part", ".ytdl", ".tmp", ".temp", ".crdownload", ".download"})


@dataclass(frozen=True)
class FolderFiles:
    """What lies under a folder; paths are relative to it, with slashes, in sorted walk order."""

    root: Path
    videos: pa.Array  # string: files with the suffix of a video, or folders of frames
    others: tuple[str, ...]  # the rest of the files that are neither lists nor archives
    lists: tuple[str, ...]  # .txt, .csv, .json: annotation files are among them
    archives: tuple[str, ...]  # not unpacked
    odd: tuple[str, ...]  # leftovers of downloads, and names that are no UTF-8 (escaped)
    from_frames: bool = False  # videos are folders of frames

    @property
    def stems(self) -> pa.Array:
        """What each video or folder of frames is called, without folders and without suffix."""
        return bare_names(base_names(self.videos)) if self.from_frames else stems(self.videos)


def walk_files(root: Path) -> Iterator[str]:
    """Yield the paths of all files under a folder, relative to it, in an order that never varies.

    What is passed over and what is raised is that of ``walk_folders``.
    """
    for prefix, _, files in walk_folders(root):
        yield from (prefix + name for name in files)


def walk_folders(root: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield each folder under a folder: its path (empty, or with a slash), folders, files in it.

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
        yield prefix, folders, files
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


def scan_folder(root: Path, what: str, mend: str, from_frames: bool = False) -> FolderFiles:
    """List a folder by kinds of files; ``from_frames`` takes folders of images for videos.

    ``what`` and ``mend`` word the UserError raised when there is no such folder.
    """
    if not root.is_dir():
        state = "is not a folder" if root.exists() else "does not exist"
        raise UserError(f"{what} {root} {state}: {mend}")
    kinds: dict[str, list[str]] = {key: [] for key in ("video", "list", "archive", "odd", "other")}
    kind_of = {
        **dict.fromkeys(VIDEO_SUFFIXES, "other" if from_frames else "video"),
        **dict.fromkeys(LIST_SUFFIXES, "list"),
        **dict.fromkeys(LEFTOVER_SUFFIXES, "odd"),
    }
    for prefix, folders, names in walk_folders(root):
        files = names
        if from_frames and prefix and _may_be_clip(folders, names):
            kinds["video"].append(prefix.removesuffix("/"))
            files = [name for name in names if not is_image(name)]
        for name in files:
            kind = "archive" if is_archive(name) else kind_of.get(_suffix(name), "other")
            kinds[kind].append(prefix + name)
    # What is no UTF-8 can be neither listed nor matched, only told.
    texts = {kind: _as_text(paths) for kind, paths in kinds.items()}
    shown = {kind: tuple(good.to_pylist() + escaped) for kind, (good, escaped) in texts.items()}
    return FolderFiles(
        root,
        texts["video"][0],
        (*shown["other"], *texts["list"][1]),
        tuple(texts["list"][0].to_pylist()),
        shown["archive"],
        (*shown["odd"], *texts["video"][1]),
        from_frames,
    )


def _may_be_clip(folders: list[str], files: list[str]) -> bool:
    """Whether a folder holds images, or nothing at all: an extraction that gave no frame."""
    return any(map(is_image, files)) or not (folders or files)


def _suffix(name: str) -> str:
    return name[name.rfind(".") :].lower()


def _as_text(paths: list[str]) -> tuple[pa.Array, list[str]]:
    """Paths as an Arrow array, and apart from it those whose bytes are no UTF-8, escaped."""
    try:
        return pa.array(paths, pa.string()), []
    except UnicodeEncodeError:
        bad = [path for path in paths if not is_utf8(path)]
        good = [path for path in paths if is_utf8(path)]
        escaped = [os.fsencode(path).decode("utf-8", "backslashreplace") for path in bad]
        return pa.array(good, pa.string()), escaped


def base_names(paths: pa.Array) -> pa.Array:
    """File names without folders."""
    return pc.replace_substring_regex(paths, r"(?s)^.*/", "")


def stems(paths: pa.Array) -> pa.Array:
    """File names without folders and without their last suffix."""
    return pc.replace_substring_regex(base_names(paths), r"\.[^.]*$", "")


def bare_names(paths: pa.Array) -> pa.Array:
    """Paths without the suffix of a video; any other dot is part of a name."""
    suffixes = "|".join(sorted(suffix.removeprefix(".") for suffix in VIDEO_SUFFIXES))
    return pc.replace_substring_regex(paths, rf"(?i)\.({suffixes})$", "")


def parents(paths: pa.Array) -> pa.Array:
    """Folders of files, without a slash at the end; empty for files at the top."""
    return pc.replace_substring_regex(paths, r"/?[^/]*$", "")
