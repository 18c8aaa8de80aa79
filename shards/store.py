"""Read a set of shards: any frame of any clip is a byte range, checked before it is handed out.

::

    store = ShardStore.open(Path("data/shards/ucf101"))
    store.rows        int64 (N,)   official rows, ascending; position i in the store is rows[i]
    store.labels      int32 (N,)   official class ids, -1 where none is published
    store.keys        Arrow strings (N,), the names of the samples
    store.widths      int32 (N,)   pixels of the stored frames; heights likewise
    store.frame_numbers[store.frame_ends[i] : store.frame_ends[i + 1]]   source_frames(i), for all
    store.read_frames(i, [0, 4])   two JPEGs of clip i, by position among its stored frames

Everything is columnar and mapped from frames.arrow, shared by all processes of a machine; opening
costs milliseconds whatever the number of clips. Tars are read by ``pread`` (see tars.py), those of
an object store through a cache (see fetched.py). A frame whose CRC32 is not the recorded one is
read once more, and then refused: it is never returned.
"""

from __future__ import annotations

import contextlib
import errno
import zlib
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from manifests.classes import ClassList
from manifests.errors import UserError
from shards.info import DatasetInfo, load_info
from shards.layout import Layout, column, list_values, near
from shards.schema import SPLIT_PREFIX
from shards.tables import FRAMES, IDENTITY, SAMPLES
from shards.tars import LocalTars, Span, Tars

# Not the fault of a tar: no other clip can be read either.
_OF_THE_MACHINE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT)


class FrameError(UserError):
    """A frame that is not what was written: names dataset, clip, shard and frame."""


class OutOfReachError(FrameError):
    """A frame that cannot be had now, good as it may be: network, full disk, open files."""


class ShardStore:
    """A set of shards, open for reading; safe to share between threads, cheap to pickle."""

    def __init__(
        self,
        folder: Path,
        info: DatasetInfo,
        tars: Callable[[Layout], Tars] | None = None,
        reopen: tuple[object, tuple[object, ...]] | None = None,
    ) -> None:
        """folder: where the tables and subsets lie. tars: where the tars are read from, by default
        the same folder. reopen: a function and its arguments that open this store elsewhere.

        Raises UserError as ``open`` does.
        """
        frames = _map_frames(folder, info)
        self.folder = folder
        self.info = info
        self.layout = Layout.of(frames, info.shards)
        self.tars: Tars = tars(self.layout) if tars else LocalTars(folder)
        self._reopen = reopen or (ShardStore.open, (folder,))
        self.frame_numbers = list_values(frames, "source_frames")
        self.frame_ends = self.layout.ends
        self.rows: npt.NDArray[np.int64] = column(frames, "row")
        self.labels: npt.NDArray[np.int32] = column(frames, "class_id")
        self.source_frame_counts: npt.NDArray[np.int32] = column(frames, "source_frame_count")
        self.keys: pa.StringArray = self.layout.keys
        self.widths: npt.NDArray[np.int32] = column(frames, "width")
        self.heights: npt.NDArray[np.int32] = column(frames, "height")

    @classmethod
    def open(cls, folder: Path) -> ShardStore:
        """Open the set in ``folder`` (``<shards>/<benchmark>``).

        Raises UserError when there is no set, its tables are damaged or do not belong together, or
        another version of the format wrote it.
        """
        folder = Path(folder)
        return cls(folder, load_info(folder))

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self._reopen

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def identity(self) -> str:
        """Hash of the records: two stores with it equal hold the same bytes."""
        return self.info.identity

    @cached_property
    def classes(self) -> ClassList:
        """The class list that labels speak of."""
        return self.info.classes()

    @cached_property
    def frame_counts(self) -> npt.NDArray[np.int32]:
        """Stored frames of every clip, int32 (N,)."""
        return np.diff(self.frame_ends).astype(np.int32)

    def split(self, name: str) -> npt.NDArray[np.bool_]:
        """Which clips are in an official split, bool (N,); UserError lists the splits there are."""
        if name not in self.info.splits:
            raise UserError(
                f"{self.info.benchmark} has no split {name!r}: use one of "
                f"{', '.join(self.info.splits) or '(none)'}"
            )
        column = self.samples([SPLIT_PREFIX + name])[SPLIT_PREFIX + name]
        return np.asarray(column, dtype=np.bool_)

    def samples(self, columns: Sequence[str]) -> pa.Table:
        """Columns of samples.parquet, in the order of the store."""
        path = self.folder / SAMPLES
        try:
            with pq.ParquetFile(path) as file:
                if (file.schema_arrow.metadata or {}).get(IDENTITY) != self.identity.encode():
                    raise _table_error(path, self.folder)
                return file.read(columns=list(columns))
        except (OSError, pa.ArrowInvalid) as error:
            raise _table_error(path, self.folder) from error

    def index_of(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Positions in the store of official rows, int64, in their order.

        Raises UserError when a row is not stored, naming the first.
        """
        rows = np.asarray(rows, dtype=np.int64)
        positions = np.searchsorted(self.rows, rows)
        found = positions < len(self)
        found[found] = self.rows[positions[found]] == rows[found]
        if not found.all():
            absent = rows[~found]
            raise UserError(
                f"{len(absent)} clips wanted are not in {self.folder} (first: row {absent[0]}); "
                f"`prep scan --dataset {self.info.benchmark}` tells what is missing"
            )
        return positions

    def source_frames(self, i: int) -> npt.NDArray[np.uint32]:
        """Source frame number of each stored frame of clip ``i``, uint32 (n,), ascending."""
        start, stop = self._range(i)
        return self.frame_numbers[start:stop]

    def size(self, i: int) -> tuple[int, int]:
        """Width and height of the stored frames of clip ``i``, in pixels."""
        self._range(i)
        return int(self.widths[i]), int(self.heights[i])

    def shard_of(self, i: int) -> str:
        """Name of the shard that holds clip ``i``."""
        self._range(i)
        return self.layout.shard(i).name

    def read_frames(self, i: int, positions: Sequence[int]) -> list[bytes]:
        """JPEGs of clip ``i`` at these positions among its stored frames, in their order.

        Near ranges are fetched by one read; repeated positions are read once. Raises FrameError
        when a frame cannot be read or is not what was written, OutOfReachError when the machine or
        the network is to blame, IndexError beyond the last frame.
        """
        start, stop = self._range(i)
        wanted = np.asarray(positions, dtype=np.int64)
        if len(wanted) and not 0 <= wanted.min() <= wanted.max() < stop - start:
            raise IndexError(f"clip {i} stores {stop - start} frames; wanted {list(positions)}")
        try:
            frames = self._frames(i, np.unique(wanted))
        except OutOfReachError:
            raise
        except FrameError:
            self.tars.again(Span(i, self.shard_of(i), *self.layout.span(i)))
            frames = self._frames(i, np.unique(wanted))
        return [frames[position] for position in wanted.tolist()]

    def read_ahead(self, i: int, positions: npt.NDArray[np.int64]) -> None:
        """Have frames of clip ``i`` fetched that will be read in a moment; returns before they are.

        positions: ascending. Says nothing of what goes wrong: the read that follows meets it too.
        """
        begins, ends, _ = self.layout.frames(i)
        begins, ends = begins[positions], ends[positions]
        with contextlib.suppress(OSError):
            for group in near(begins, ends):
                base = int(begins[group][0])
                self.tars.ahead(Span(i, self.shard_of(i), base, int(ends[group][-1]) - base))

    def fault(self, i: int, frame: int, problem: str) -> FrameError:
        """The error that tells what is wrong with a frame of clip ``i``, and what mends it."""
        return FrameError(
            f"{self._name(i, frame)} cannot be used: {problem}; {self.tars.mend(self.shard_of(i))}"
        )

    def close(self) -> None:
        """Close the open tars; the store stays usable."""
        self.tars.close()

    def _frames(self, i: int, unique: npt.NDArray[np.int64]) -> dict[int, bytes]:
        """Checked JPEGs by position, for ascending positions."""
        begins, ends, crcs = self.layout.frames(i)
        frames: dict[int, bytes] = {}
        for group in near(begins[unique], ends[unique]):
            members = unique[group]
            base = int(begins[members[0]])
            span = self._read(i, base, int(ends[members[-1]]) - base, int(members[0]))
            for member in members.tolist():
                frame = span[int(begins[member]) - base : int(ends[member]) - base]
                if zlib.crc32(frame) != crcs[member]:
                    raise self.fault(i, member, "its bytes are not those written")
                frames[member] = frame
        return frames

    def _read(self, i: int, offset: int, size: int, frame: int) -> bytes:
        try:
            data = self.tars.read(Span(i, self.shard_of(i), offset, size))
        except UserError as error:
            raise OutOfReachError(f"{self._name(i, frame)} cannot be read: {error}") from error
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            if error.errno in _OF_THE_MACHINE:
                raise OutOfReachError(
                    f"{self._name(i, frame)} cannot be read: {reason}; mend that (`prep doctor` "
                    "looks at it) and run the same command again"
                ) from error
            raise self.fault(i, frame, reason) from error
        if len(data) < size:
            raise self.fault(i, frame, "the tar ends too early")
        return data

    def _name(self, i: int, frame: int) -> str:
        return (
            f"{self.info.benchmark}: frame {frame} of clip {self.layout.key(i)} in shard "
            f"{self.shard_of(i)}"
        )

    def _range(self, i: int) -> tuple[int, int]:
        if not 0 <= i < len(self):
            raise IndexError(f"there is no clip {i} among {len(self)}")
        return int(self.frame_ends[i]), int(self.frame_ends[i + 1])


def _map_frames(folder: Path, info: DatasetInfo) -> pa.Table:
    """Map frames.arrow, after a look at its length: a cut map would end the process."""
    path = folder / FRAMES
    try:
        if path.stat().st_size != info.tables[FRAMES].bytes:
            raise _table_error(path, folder)
        with pa.memory_map(str(path)) as source:
            table = pa.ipc.open_file(source).read_all()
    except (OSError, pa.ArrowInvalid) as error:
        raise _table_error(path, folder) from error
    if (table.schema.metadata or {}).get(IDENTITY) != info.identity.encode():
        raise _table_error(path, folder)
    return table


def _table_error(path: Path, folder: Path) -> UserError:
    return UserError(
        f"{path} is absent, damaged or of another state of the set: run `prep shard --dataset "
        f"{folder.name}` again, which rebuilds the tables"
    )
