"""Finding and reading the official annotation files of a benchmark.

They lie in the folder named by ``--annotations`` or somewhere inside the raw folder. Where several
folders hold files of the right names (two editions, a copy), the one nearest to the top is read,
at one depth the one with most of them: files of different editions are never mixed. A folder that
is called like another benchmark comes last.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from manifests.classes import BENCHMARKS, canonical
from manifests.errors import UserError
from prep.benchmarks.folder import LIST_SUFFIXES, FolderFiles, walk_files
from prep.benchmarks.places import get_annotations


@dataclass(frozen=True)
class AnnotationFolder:
    """The annotation files of one folder, by name, and the folders passed over.

    ``path`` is the folder, or the one file that was named in its place.
    """

    path: Path
    files: dict[str, Path]
    ignored: tuple[str, ...]
    editions: tuple[Path, ...] = ()  # those passed over that are not called like another benchmark

    def first(self, *names: str) -> Path | None:
        """The first file there is of some alternative names, in any case."""
        by_lower = {name.lower(): path for name, path in sorted(self.files.items())}
        return next((by_lower[name.lower()] for name in names if name.lower() in by_lower), None)

    def notes(self, read: Collection[Path] | None = None) -> tuple[str, ...]:
        """What a user should know about where the annotation came from.

        ``read`` are the files taken, where some may stand for the same; None: all of them.
        """
        files = () if read is None else sorted(set(self.files.values()).difference(read))
        others = ", ".join(str(path) for path in (*files, *self.ignored))
        if not others:
            return ()
        return (f"annotation read from {self.path}; also there and not counted: {others}",)


def find_annotations(
    benchmark: str, annotations: Path | None, raw: FolderFiles, pattern: str, example: str
) -> AnnotationFolder:
    """Find the folder whose files match a pattern of names (in any case).

    ``annotations`` may also name one file, of any name. Raises UserError when nothing matches;
    ``example`` names a file that would.
    """
    if annotations is not None and annotations.is_file():
        return AnnotationFolder(annotations, {annotations.name: annotations}, ())
    base, files = _candidates(benchmark, annotations, raw)
    name_of = re.compile(pattern, re.IGNORECASE)
    folders: dict[PurePosixPath, dict[str, Path]] = defaultdict(dict)
    for file in files:
        path = PurePosixPath(file)
        if name_of.fullmatch(path.name):
            folders[path.parent][path.name] = base / file
    if not folders:
        raise UserError(
            f"no annotation file of {benchmark}, such as {example}, under {base}: "
            f"{get_annotations(benchmark)} and name their folder with --annotations"
        )
    chosen, *others = sorted(
        folders,
        key=lambda folder: (
            _of_another(folder, benchmark),
            len(folder.parts),
            -len(folders[folder]),
            str(folder),
        ),
    )
    return AnnotationFolder(
        base / chosen,
        folders[chosen],
        tuple(str(base / other) for other in others),
        tuple(base / other for other in others if not _of_another(other, benchmark)),
    )


def _of_another(folder: PurePosixPath, benchmark: str) -> bool:
    """Whether a folder, or one around it, is called like another benchmark and none like this."""
    named = set()
    for part in folder.parts:
        with contextlib.suppress(UserError):
            named.add(canonical(part))
    return benchmark not in named and not named.isdisjoint(BENCHMARKS)


def _candidates(
    benchmark: str, annotations: Path | None, raw: FolderFiles
) -> tuple[Path, tuple[str, ...]]:
    if annotations is None:
        return raw.root, raw.lists
    if not annotations.is_dir():
        state = "is no folder" if annotations.exists() else "does not exist"
        raise UserError(
            f"annotation folder {annotations} {state}: name the folder of the official "
            f"files of {benchmark} with --annotations ({get_annotations(benchmark)})"
        )
    return annotations, tuple(
        name
        for name in walk_files(annotations)
        if PurePosixPath(name).suffix.lower() in LIST_SUFFIXES
    )


def read_text(path: Path) -> str:
    """Text of an annotation file, byte order mark dropped; UserError when it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(
            f"cannot read annotation file {path}: {error.strerror}; make it readable"
        ) from error
    except UnicodeDecodeError as error:
        raise _no_text(path, f"{error.reason} at byte {error.start}") from error
    # Of UTF-16 without a byte order mark every byte is UTF-8.
    if "\0" in text:
        raise _no_text(path, f"a zero byte after {len(text.partition(chr(0))[0].encode())} others")
    return text


def _no_text(path: Path, why: str) -> UserError:
    return UserError(
        f"annotation file {path} is no UTF-8 text ({why}): save it as UTF-8 or fetch it again"
    )


def read_json(
    benchmark: str, path: Path, entry: Callable[[list[tuple[str, Any]]], Any] | None = None
) -> Any:
    """Content of a JSON file, each object of it made into an entry; UserError when it is none."""
    try:
        return json.loads(read_text(path), object_pairs_hook=entry)
    except (json.JSONDecodeError, RecursionError) as error:
        raise UserError(
            f"{path}: this is no JSON, or was cut short ({error}); is it the official {benchmark} "
            f"list? ({get_annotations(benchmark)})"
        ) from error


def read_fields(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number and blank-separated fields of each line that is not empty, whatever its line end."""
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        fields = line.split()
        if fields:
            yield number, fields


def wrong_line(benchmark: str, path: Path, number: int, why: str) -> UserError:
    """Error about one line of an annotation file that is not of the official form."""
    return UserError(
        f"{path}, line {number}: {why}; is it the official {benchmark} list? "
        f"({get_annotations(benchmark)})"
    )
