"""What a raw benchmark is once its folder and its annotation have been read: ``RawSource``.

::

    raw folder  --walk-->  files  --\\
                                     match by name -->  one row a clip, file or null  -> RawSource
    annotation  --read-->  clips  --/

Everything stays in columns: Kinetics-600 has half a million clips, and a million take seconds.

Row numbers are official ones and depend on the annotation alone, never on which files are there.
Benchmarks whose partitions come in files of their own count the lines of each file from a round
number (train 0, val 10,000,000, test 20,000,000), so that a train list that is fetched later
renumbers nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from manifests.classes import ClassList
from manifests.errors import UserError
from prep.benchmarks.archives import how_to_unpack
from prep.benchmarks.folder import VIDEO_SUFFIXES, FolderFiles, scan_folder
from prep.benchmarks.matching import Matches, Wanted, match_files
from prep.benchmarks.places import get_annotations, get_videos
from prep.text import count
from prep.video.series import is_image
from shards.schema import CLIP_FIELDS, SPLIT_PREFIX, key_width, make_key

FIRST_ROW: Mapping[str, int] = {"train": 0, "val": 10_000_000, "test": 20_000_000}

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class RawSource:
    """A benchmark as it lies on this disk, held against its official annotation."""

    benchmark: str
    root: Path
    classes: ClassList
    splits: tuple[str, ...]
    clips: pa.Table  # form of shards.schema: one row an official clip, file null when missing
    unexpected: tuple[str, ...]  # files no official clip accounts for, second copies first
    notes: tuple[str, ...]  # what a user should know, one line each
    from_frames: bool = False  # files are folders of frames
    # Places in clips of the first clip that each second copy holds.
    copied: Ints = field(default_factory=lambda: np.zeros(0, np.int64))


@dataclass(frozen=True)
class ClipColumns:
    """The clips of an annotation in official order, in columns of one length N."""

    rows: Ints
    names: pa.Array  # string: official names without folder and suffix
    videos: pa.Array  # string: source videos
    class_ids: Ints  # -1 where unlabelled
    partitions: pa.Array  # string
    splits: Mapping[str, Bools]
    starts: pa.Array | None = None  # float64, seconds; None: whole files
    ends: pa.Array | None = None


@dataclass(frozen=True)
class OfficialList:
    """An official annotation as it was read, whatever videos are there."""

    benchmark: str
    classes: ClassList
    columns: ClipColumns
    notes: tuple[str, ...]
    editions: tuple[Path, ...] = ()  # folders of other editions, whose rows are not among these


@dataclass(frozen=True)
class Found:
    """The outcome of matching: a file for each row, and what to tell about the rest."""

    files: pa.Array  # string (N,), null when missing
    unexpected: tuple[str, ...]
    notes: tuple[str, ...] = ()
    copied: Ints = field(default_factory=lambda: np.zeros(0, np.int64))  # as in RawSource


def walk_root(benchmark: str, root: Path, from_frames: bool = False) -> FolderFiles:
    """Walk a raw folder; UserError when it is absent."""
    mend = f"{get_videos(benchmark)}, or name it with --root"
    return scan_folder(root, f"raw folder of {benchmark}", mend, from_frames)


def annotations_alone(root: Path) -> FolderFiles:
    """A raw folder of which nothing is known but its place: annotations are named elsewhere."""
    return FolderFiles(root, pa.array([], pa.string()), (), (), (), ())


def open_root(benchmark: str, root: Path, from_frames: bool = False) -> FolderFiles:
    """Walk a raw folder; UserError when it is absent or holds none of what is asked for."""
    raw = walk_root(benchmark, root, from_frames)
    if len(raw.videos) == 0:
        wanted = "folder of images" if from_frames else "video"
        raise UserError(
            f"raw folder of {benchmark} {root} holds no {wanted}"
            f"{_instead(raw) or f': {get_videos(benchmark)}'}, or name another folder with --root"
        )
    return raw


def _instead(raw: FolderFiles) -> str:
    """What a folder without what was looked for holds in its place."""
    if raw.archives:
        many = f" (one of {len(raw.archives):,} archives)" if len(raw.archives) > 1 else ""
        how = how_to_unpack(raw.archives)
        return f"; {raw.archives[0]} is not unpacked{many}: run `{how}` in its folder"
    if raw.from_frames and any("/" not in path and is_image(path) for path in raw.others):
        return "; images lie in it directly, so it may be one clip: name the folder above it"
    other = _other_kind(raw)
    return f"; {other}" if other else ""


def _other_kind(raw: FolderFiles) -> str:
    """Videos where frames are asked for, or the other way round, and the word that takes them."""
    if raw.from_frames:
        films = [p for p in raw.others if PurePosixPath(p).suffix.lower() in VIDEO_SUFFIXES]
        return f"videos, such as {films[0]}, go in without --from-frames" if films else ""
    images = [path for path in raw.others if "/" in path and is_image(path)]
    return f"folders of images, such as {images[0]}, go in with --from-frames" if images else ""


def matched_source(
    raw: FolderFiles,
    official: OfficialList,
    keys: Sequence[tuple[pa.Array, pa.Array]],
    wanted: Wanted | None = None,
) -> RawSource:
    """Give each clip of the annotation its file, by name.

    keys: readings of the file names and what is wanted under each, as ``match_files`` takes them.
    wanted: the names looked for, where several clips may be of one file; None: a name a clip.
    Raises UserError when not one clip is there.
    """
    class_ids = official.columns.class_ids if wanted is None else wanted.class_ids
    matches = match_files(raw.videos, keys, class_ids, official.classes, raw.root)
    return raw_source(raw, official, _found(raw, matches, wanted))


def _found(raw: FolderFiles, matches: Matches, wanted: Wanted | None) -> Found:
    """Files by row, and what to tell of the rest; every other video counts as unexpected."""
    notes = []
    if matches.copies:
        notes.append(
            f"second copies of clips already found: {count(len(matches.copies), 'file')}, not "
            f"used, first {matches.copies[0]} beside {matches.copied}"
        )
    if matches.misplaced:
        notes.append(
            f"{count(matches.misplaced, 'file')} in the folder of another class: used by name"
        )
    if raw.archives:
        notes.append(
            f"{count(len(raw.archives), 'archive')} not unpacked, first {raw.archives[0]}: "
            f"`{how_to_unpack(raw.archives)}` in its folder"
        )
    other = _other_kind(raw)
    if other:
        notes.append(f"not used: {other}")
    unexpected = matches.copies + matches.strangers + raw.odd
    if wanted is None:
        return Found(matches.files, unexpected, tuple(notes), matches.copy_of)
    files = matches.files.take(pa.array(wanted.of_row))
    return Found(files, unexpected, tuple(notes), wanted.first_row[matches.copy_of])


def raw_source(raw: FolderFiles, official: OfficialList, found: Found) -> RawSource:
    """Put annotation and files together; UserError when not one clip is there."""
    benchmark, columns = official.benchmark, official.columns
    if not len(columns.rows):
        raise UserError(
            f"the annotation of {benchmark} lists no clip: {get_annotations(benchmark)}"
        )
    if found.files.null_count == len(found.files):
        wanted = f", such as {columns.names[0]},"
        first = f", such as {raw.videos[0]}" if len(raw.videos) else ""
        kind = "folders of images" if raw.from_frames else "videos"
        notes = "".join(f" ({note})" for note in official.notes)
        raise UserError(
            f"none of the {len(columns.rows)} clips of {benchmark}{wanted} is among the "
            f"{len(raw.videos)} {kind} of {raw.root}{first}{_instead(raw)}: "
            f"{get_videos(benchmark)}, or name another folder with --root{notes}"
        )
    return RawSource(
        benchmark,
        raw.root,
        official.classes,
        tuple(columns.splits),
        clips_table(columns, found.files, official.classes),
        found.unexpected,
        (*official.notes, *found.notes),
        raw.from_frames,
        found.copied,
    )


def clips_table(columns: ClipColumns, files: pa.Array, classes: ClassList) -> pa.Table:
    """The table of clips in the form of ``shards.schema``."""
    length = len(columns.rows)
    width = key_width(int(columns.rows.max(initial=0)) + 1)
    keys = pa.array(
        (
            make_key(row, name, width)
            for row, name in zip(columns.rows.tolist(), columns.names.to_pylist(), strict=True)
        ),
        pa.string(),
    )
    class_names = pa.array(["", *_names_by_id(classes)], pa.string())
    arrays = {
        "row": pa.array(columns.rows, pa.int64()),
        "key": keys,
        "name": columns.names,
        "video": columns.videos,
        "file": files,
        "class_id": pa.array(columns.class_ids, pa.int32()),
        "class_name": class_names.take(pa.array(columns.class_ids + 1)),
        "start": pa.nulls(length, pa.float64()) if columns.starts is None else columns.starts,
        "end": pa.nulls(length, pa.float64()) if columns.ends is None else columns.ends,
        "partition": columns.partitions,
    }
    splits = {SPLIT_PREFIX + name: pa.array(flags) for name, flags in columns.splits.items()}
    ordered = {name: arrays[name] for name in CLIP_FIELDS}
    return pa.table({**ordered, **splits})


def _names_by_id(classes: ClassList) -> list[str]:
    names = {item.id: item.name for item in classes.classes}
    return [names[number] for number in range(len(classes))]


def member_columns(
    class_of: Mapping[str, int], members: Mapping[str, Collection[str]]
) -> ClipColumns:
    """Columns of a benchmark whose splits share their videos: ordered by class id, then name."""
    names = sorted(class_of, key=lambda name: (class_of[name], name))
    texts = pa.array(names, pa.string())
    return ClipColumns(
        rows=np.arange(len(names)),
        names=texts,
        videos=texts,
        class_ids=np.array([class_of[name] for name in names], np.int64),
        partitions=repeat("all", len(names)),
        splits={
            split: np.array([name in listed for name in names], bool)
            for split, listed in members.items()
        },
    )


def repeat(text: str, length: int) -> pa.Array:
    """A column of one text."""
    return pa.repeat(pa.scalar(text, pa.string()), length)
