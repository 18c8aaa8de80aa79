"""Where every frame of a set lies: pure numbers, mapped from frames.arrow.

::

    tar of a shard   ... | header | JPEG 0 | JPEG 1 | ... | JPEG n-1 | ...
                                  ^ offsets[i]                       ^ offsets[i] + bytes of clip i
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from shards.info import StoredShard

Numbers = npt.NDArray[np.int64]

# Two wanted frames less than this far apart are fetched by one read: a few frames of a clip cost
# less to read over than another round to a file server.
GAP_BYTES = 128 * 1024


@dataclass(frozen=True, eq=False)
class Layout:
    """Of N clips with F stored frames in all.

    ``shards`` the tars; ``keys`` Arrow strings (N,); ``shard_of`` int32 (N,), places among them;
    ``offsets`` int64 (N,), bytes from the start of the tar; ``ends`` int32 (N + 1,): the frames of
    clip i are ``ends[i]:ends[i + 1]`` of ``sizes`` and ``crcs``, uint32 (F,).
    """

    shards: tuple[StoredShard, ...]
    keys: pa.StringArray
    shard_of: npt.NDArray[np.int32]
    offsets: Numbers
    ends: npt.NDArray[np.int32]
    sizes: npt.NDArray[np.uint32]
    crcs: npt.NDArray[np.uint32]

    @classmethod
    def of(cls, frames: pa.Table, shards: tuple[StoredShard, ...]) -> Layout:
        """From the table of frames.arrow."""
        lists = mapped(frames, "frame_sizes")
        return cls(
            shards=shards,
            keys=mapped(frames, "key"),
            shard_of=column(frames, "shard"),
            offsets=column(frames, "offset"),
            ends=np.asarray(lists.offsets),
            sizes=np.asarray(lists.values),
            crcs=list_values(frames, "frame_crc32"),
        )

    def shard(self, clip: int) -> StoredShard:
        """The tar that holds a clip."""
        return self.shards[int(self.shard_of[clip])]

    def key(self, clip: int) -> str:
        """Name of a clip's sample."""
        name: str = self.keys[clip].as_py()
        return name

    def span(self, clip: int) -> tuple[int, int]:
        """First byte of a clip's JPEGs in its tar, and how many bytes they are."""
        sizes = self.sizes[self.ends[clip] : self.ends[clip + 1]]
        return int(self.offsets[clip]), int(sizes.sum(dtype=np.int64))

    def frames(self, clip: int) -> tuple[Numbers, Numbers, npt.NDArray[np.uint32]]:
        """First byte, end and CRC32 of each stored frame of a clip, (n,) each."""
        start, stop = int(self.ends[clip]), int(self.ends[clip + 1])
        sizes = self.sizes[start:stop].astype(np.int64)
        ends = np.cumsum(sizes) + int(self.offsets[clip])
        return ends - sizes, ends, self.crcs[start:stop]

    def wanted_bytes(self, clips: Numbers) -> Numbers:
        """Bytes of these clips' JPEGs in each tar, int64 (shards,)."""
        totals = np.add.reduceat(self.sizes, self.ends[:-1], dtype=np.int64)[clips]
        shards = self.shard_of[clips]
        sums = np.bincount(shards, weights=totals, minlength=len(self.shards))
        return sums.astype(np.int64)


def near(begins: Numbers, ends: Numbers) -> list[slice]:
    """Slices of ascending byte ranges that one read each should fetch."""
    if not len(begins):
        return []
    cuts = np.flatnonzero(begins[1:] - ends[:-1] > GAP_BYTES) + 1
    borders = [0, *cuts.tolist(), len(begins)]
    return [slice(a, b) for a, b in itertools.pairwise(borders)]


def mapped(table: pa.Table, name: str) -> pa.Array:
    """A column as one array that still lies in the file: to combine chunks, even one, copies."""
    found = table[name]
    return found.chunk(0) if found.num_chunks == 1 else found.combine_chunks()


def column(table: pa.Table, name: str) -> npt.NDArray[Any]:
    """A column of plain numbers."""
    return np.asarray(mapped(table, name))


def list_values(table: pa.Table, name: str) -> npt.NDArray[np.uint32]:
    """The numbers of a column of lists, end to end."""
    return np.asarray(mapped(table, name).values)
