"""Which clip of a catalogue each line of a published list means: by name, in columns.

A catalogue is an official annotation, the clips of it whose files are there, or a set of shards.
Lists spell the names of clips in their own ways; each benchmark has a few readings, tried in turn:

===============  =================================================================================
ucf101           in any case: files are called v_HandStandPushups_*, the folder HandstandPushups
kinetics*        ``id_SSSSSS_EEEEEE``, times padded or not; ``id`` alone where one clip only is of
                 that video
activitynet      ``<id>_<k>``, one segment; ``<id>``, all segments of the video; both with v_ or not
custom           the path as it stands in the list; its name where no other clip bears it
others           the name to the letter
===============  =================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from manifests.classes import ClassList
from prep.benchmarks.folder import stems
from prep.benchmarks.kinetics import ids_of_one_clip, padded_names
from prep.benchmarks.layout import Bools, Ints
from prep.published import PublishedList


@dataclass(frozen=True)
class Catalogue:
    """Clips to look names up in, in columns of one length M."""

    benchmark: str
    classes: ClassList
    names: pa.Array  # string (M,): official names
    videos: pa.Array  # string (M,)
    class_ids: Ints  # (M,), -1 where no label is published

    def part(self, chosen: Bools) -> Catalogue:
        """Some of the clips."""
        keep = pa.array(chosen)
        names, videos = self.names.filter(keep), self.videos.filter(keep)
        return Catalogue(self.benchmark, self.classes, names, videos, self.class_ids[chosen])

    def followed_by(self, other: Catalogue) -> Catalogue:
        """These clips, then those of another catalogue of the benchmark."""
        return Catalogue(
            self.benchmark,
            self.classes,
            pa.concat_arrays([self.names, other.names]),
            pa.concat_arrays([self.videos, other.videos]),
            np.concatenate([self.class_ids, other.class_ids]),
        )


@dataclass(frozen=True)
class Hits:
    """Pairs of a line and a clip it means; a line may mean several clips, or none."""

    lines: Ints  # (H,), ascending
    clips: Ints  # (H,): positions in the catalogue

    def found(self, count: int) -> Bools:
        """Which of ``count`` lines mean a clip at all."""
        found: Bools = np.bincount(self.lines, minlength=count) > 0
        return found


def join(listed: PublishedList, catalogue: Catalogue) -> Hits:
    """Look up every line; the first reading that finds a clip decides."""
    open_lines = np.arange(len(listed))
    lines, clips = [], []
    for keys, wanted in _readings(listed, catalogue):
        hit, clip = _look_up(keys.take(pa.array(open_lines)), wanted)
        lines.append(open_lines[hit])
        clips.append(clip)
        open_lines = np.delete(open_lines, np.unique(hit))
        if not len(open_lines):
            break
    all_lines, all_clips = np.concatenate(lines), np.concatenate(clips)
    order = np.lexsort((all_clips, all_lines))
    return Hits(all_lines[order], all_clips[order])


def _readings(listed: PublishedList, catalogue: Catalogue) -> Iterator[tuple[pa.Array, pa.Array]]:
    """Names of the lines, and of the clips under the same reading; null bears no name.

    A name that several clips bear means all of them under the readings of ActivityNet, whose
    lists name whole videos, and the first of them elsewhere.
    """
    names, benchmark = pa.array(listed.stems, pa.string()), catalogue.benchmark
    if benchmark == "ucf101":
        yield pc.ascii_lower(names), _first_only(pc.ascii_lower(catalogue.names))
    elif benchmark.startswith("kinetics"):
        unique = _first_only(catalogue.names)
        yield padded_names(names), unique
        yield names, _of_one_clip(unique)
    elif benchmark == "activitynet":
        plain = pc.replace_substring_regex(names, "^v_", "")
        for keys in (names, plain):
            yield keys, _first_only(catalogue.names)
            yield keys, catalogue.videos
    elif benchmark == "custom":
        yield pa.array(listed.paths, pa.string()), _first_only(catalogue.names)
        yield names, _borne_once(stems(catalogue.names))
    else:
        yield names, _first_only(catalogue.names)


def _look_up(keys: pa.Array, wanted: pa.Array) -> tuple[Ints, Ints]:
    """Positions among the keys and among the wanted names, one pair for each equality."""
    encoded = wanted.dictionary_encode()
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    order = np.argsort(codes, kind="stable")
    found = pc.fill_null(pc.index_in(keys, value_set=encoded.dictionary, skip_nulls=True), -1)
    code = found.to_numpy(zero_copy_only=False)
    hit = np.flatnonzero(code >= 0)
    starts = np.searchsorted(codes[order], code[hit], "left")
    counts = np.searchsorted(codes[order], code[hit], "right") - starts
    before = np.repeat(np.cumsum(counts) - counts, counts)
    places = np.repeat(starts, counts) + np.arange(int(counts.sum())) - before
    return np.repeat(hit, counts).astype(np.int64), order[places].astype(np.int64)


def _first_only(names: pa.Array) -> pa.Array:
    """Names with those that stood before made null."""
    codes = names.dictionary_encode().indices.to_numpy(zero_copy_only=False)
    first = np.zeros(len(names), bool)
    first[np.unique(codes, return_index=True)[1]] = True
    return _where(first, names)


def _of_one_clip(names: pa.Array) -> pa.Array:
    """YouTube id of each named clip whose video has no other clip, else null."""
    there = np.asarray(names.is_valid())
    ids = ids_of_one_clip(names.filter(pa.array(there)))
    places = np.cumsum(there) - 1
    return _where(there, ids.take(pa.array(np.maximum(places, 0)))) if len(ids) else names


def _borne_once(names: pa.Array) -> pa.Array:
    codes = names.dictionary_encode().indices.to_numpy(zero_copy_only=False)
    return _where(np.bincount(codes, minlength=1)[codes] == 1, names)


def _where(keep: Bools, names: pa.Array) -> pa.Array:
    return pc.if_else(pa.array(keep), names, pa.scalar(None, pa.string()))
