"""What a published list is held against: a set of shards, raw videos, or an official list alone.

Rows and counts are those of one edition of an official list (prep/benchmarks/annotation.py). A
published list may have been made from another, so clips that only another edition names are known
here too: Kinetics' lists shrink as videos vanish.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow.compute as pc

from manifests.errors import UserError
from prep.benchmarks import SOURCES, OfficialList, RawSource, official_list
from prep.benchmarks.folder import VIDEO_SUFFIXES, walk_files
from prep.benchmarks.places import get_annotations
from prep.folders import raw_folder
from prep.joining import Catalogue
from shards.store import ShardStore

_NO_LIST = (
    "clips that are not stored count as unknown: the official list would tell missing ones "
    "(--annotations)"
)


@dataclass(frozen=True)
class Against:
    """One's own copy, and the official list where that is more; ``told`` says what they are."""

    copy: Catalogue
    official: Catalogue | None
    told: tuple[str, ...]


def against_store(store: ShardStore, root: Path | None, annotations: Path | None) -> Against:
    """Stored clips, and the official list if it is at hand.

    Raises UserError when the list is named and wrong; one that merely is not in data/raw is gone
    on without.
    """
    name = store.info.benchmark
    copy, told = store_catalogue(store), f"the shards in {store.folder}"
    try:
        official = official_list(name, raw_folder(name, root), annotations)
    except UserError:
        if root or annotations:
            raise
        return Against(copy, None, (told, _NO_LIST))
    known, notes = _known(official, raw_folder(name, root))
    return Against(copy, known, (told, *notes))


def against_raw(name: str, root: Path | None, annotations: Path | None) -> Against:
    """Raw videos that the official list names; where there are none, the official list itself."""
    folder = raw_folder(name, root)
    if folder.is_dir() and _has_videos(folder):
        source = SOURCES[name](folder, annotations)
        there = np.asarray(source.clips["file"].is_valid())
        known, notes = _known(official_list(name, folder, annotations), folder)
        return Against(
            _source_catalogue(source).part(there), known, (f"the videos in {folder}", *notes)
        )
    if annotations is None and not folder.is_dir():
        raise UserError(
            f"nothing to hold the list against: no shards of {name} and no raw folder {folder}; "
            f"name one with --root, or the official files with --annotations "
            f"({get_annotations(name)})"
        )
    listed = official_list(name, folder, annotations)
    told = f"the official list in {annotations or folder}, without any videos"
    known, notes = _known(listed, folder)
    return Against(known, None, (told, *notes))


def store_catalogue(store: ShardStore) -> Catalogue:
    """The clips of a set of shards, in its order."""
    columns = store.samples(["name", "video"])
    return Catalogue(
        store.info.benchmark,
        store.classes,
        columns["name"].combine_chunks(),
        columns["video"].combine_chunks(),
        store.labels.astype(np.int64),
    )


def official_catalogue(official: OfficialList) -> Catalogue:
    """All clips that an official list names."""
    columns = official.columns
    return Catalogue(
        official.benchmark, official.classes, columns.names, columns.videos, columns.class_ids
    )


def _source_catalogue(source: RawSource) -> Catalogue:
    clips = source.clips
    return Catalogue(
        source.benchmark,
        source.classes,
        clips["name"].combine_chunks(),
        clips["video"].combine_chunks(),
        np.asarray(clips["class_id"], dtype=np.int64),
    )


def _known(official: OfficialList, folder: Path) -> tuple[Catalogue, tuple[str, ...]]:
    """All clips of a list, behind them those of other editions alone; and what is to be told.

    Clips of splits whose list is absent count as unknown, so the splits are told.
    """
    known = official_catalogue(official)
    notes = [f"official splits read: {', '.join(official.columns.splits)}", *official.notes]
    for place in official.editions:
        try:
            other = official_catalogue(official_list(official.benchmark, folder, place))
        except UserError as error:
            notes.append(f"not read: {error}")
            continue
        new = pc.invert(pc.is_in(other.names, value_set=known.names))
        more = other.part(np.asarray(new))
        known = known.followed_by(more)
        notes.append(f"clips that only {place} names, known too: {len(more.names):,}")
    return known, tuple(notes)


def _has_videos(folder: Path) -> bool:
    return any(PurePosixPath(name).suffix.lower() in VIDEO_SUFFIXES for name in walk_files(folder))
