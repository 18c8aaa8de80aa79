"""Is a set of shards whole? All shards checked side by side, then the set as a set.

::

    shards/verify.py   one shard: record, tar, index, JPEGs      threads (hashing and decoding
          |                                                      leave the interpreter's lock)
    the set            shards that dataset.json counts and that are gone; its classes; its tables
          |
    subsets            files, clips and classes, see shards/verify_subsets.py
    descriptions       files and classes, see shards/verify_descriptions.py
          |
    notes              equal clips in train and test; what of the official list is not there;
                       files without a hash, and files of nobody, see foreign.py

Faults make a set unfit, notes do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import simplejpeg
from tqdm import tqdm

from manifests.errors import UserError
from prep.foreign import Others, find_others
from prep.text import count
from shards.faults import Fault, unreadable
from shards.info import DATASET_JSON, MISSING, DatasetInfo, header_classes, load_info
from shards.recorded import RecordScan
from shards.records import SHARDS, OtherFormat, shard_file
from shards.schema import shard_of_file
from shards.tables import SAMPLES
from shards.verify import (
    Decode,
    ShardCheck,
    check_shard,
    same_content,
    shard_names,
    table_faults,
)
from shards.verify_descriptions import description_faults, unhashed_descriptions
from shards.verify_subsets import stored_clips, subset_faults


@dataclass(frozen=True, eq=False)
class Findings:
    """What a set was found to be: each shard by name, faults of the set as a whole, notes."""

    folder: Path
    shards: Mapping[str, ShardCheck]
    set_faults: tuple[Fault, ...]
    duplicates: tuple[tuple[str, str], ...]
    others: Others
    notes: tuple[str, ...]

    @property
    def faults(self) -> tuple[Fault, ...]:
        """All faults, those of shards first, in order of their names."""
        return (*(f for check in self.shards.values() for f in check.faults), *self.set_faults)

    @property
    def bytes_read(self) -> int:
        """Bytes of the tars and indexes."""
        return sum(check.bytes_read for check in self.shards.values())

    @property
    def frames_decoded(self) -> int:
        """JPEGs decoded."""
        return sum(check.frames_decoded for check in self.shards.values())

    @property
    def damaged_shards(self) -> tuple[str, ...]:
        """Shards that are to be made again from the raw videos."""
        places = {fault.place for fault in self.faults if fault.mend == "shard"}
        return tuple(sorted({Path(place).stem for place in places}))


def check_set(
    folder: Path, decode: Decode, workers: int, known: Mapping[str, ShardCheck] | None = None
) -> Findings:
    """Read a set again, every byte of it; ``known`` are shards that were read a moment ago.

    Raises UserError when there is no set, or another version of the format wrote it.
    """
    known = known or {}
    names = [name for name in shard_names(folder) if name not in known]
    fresh = _check_shards(folder, names, decode, workers)
    checks = dict(sorted({**known, **fresh}.items()))
    scan = RecordScan({name: c.record for name, c in checks.items() if c.record}, ())
    info = _known_info(folder) if checks else load_info(folder)
    # Without all records their identity is unknown; the tables must still agree among themselves.
    some_unread = len(scan.records) < len(checks)
    identity = info.identity if info and some_unread else scan.identity
    faults = [
        *_lost_shards(folder, info, checks),
        *_class_faults(scan),
        *table_faults(folder, identity),
        *_list_faults(folder, info, scan, some_unread),
    ]
    notes = (*_notes(info), *_unhashed(folder, info))
    pairs = tuple(same_content(scan.records))
    return Findings(folder, checks, tuple(faults), pairs, find_others(folder, info), notes)


def jpeg_fault(jpeg: bytes, width: int, height: int) -> str | None:
    """What is wrong with a JPEG that should be so many pixels wide and high; None when nothing.

    It is decoded to its end, and a warning of the decoder counts as a fault.
    """
    try:
        shape = simplejpeg.decode_jpeg(jpeg, colorspace="RGB", strict=True).shape
    except ValueError as error:
        return f"cannot be decoded ({error})"
    if shape[:2] != (height, width):
        return f"is {shape[1]}x{shape[0]} pixels, not {width}x{height}"
    return None


def _check_shards(
    folder: Path, names: Iterable[str], decode: Decode, workers: int
) -> dict[str, ShardCheck]:
    names = list(names)
    pool = ThreadPoolExecutor(workers)
    try:
        done = pool.map(partial(_check_one, folder, decode), names)
        done = tqdm(done, "verify", len(names), unit="shard", disable=None)
        return dict(zip(names, done, strict=True))
    finally:
        pool.shutdown(cancel_futures=True)


def _check_one(folder: Path, decode: Decode, shard: str) -> ShardCheck:
    try:
        return check_shard(folder, shard, decode, jpeg_fault)
    except OSError as error:
        place = Path(error.filename or shard_file(folder, shard, "tar")).name
        return ShardCheck(shard, None, (Fault(f"{SHARDS}/{place}", unreadable(error), "by hand"),))


def _known_info(folder: Path) -> DatasetInfo | None:
    try:
        return load_info(folder)
    except OtherFormat:
        raise
    except (UserError, OSError):  # told as a fault of the tables
        return None


def _lost_shards(
    folder: Path, info: DatasetInfo | None, checks: Mapping[str, ShardCheck]
) -> Iterator[Fault]:
    table, told = (DATASET_JSON, _counted(info)) if info else (SAMPLES, _tabled(folder))
    for name, clips in sorted(told.items()):
        if name not in checks:
            what = f"is gone with its record: {table} counts {count(clips, 'clip')} in it"
            yield Fault(f"{SHARDS}/{name}.tar", what, "shard")


def _counted(info: DatasetInfo) -> dict[str, int]:
    return {shard.name: shard.clips for shard in info.shards}


def _tabled(folder: Path) -> dict[str, int]:
    """Clips by shard as the table of clips tells; that may be damaged too."""
    try:
        shards = pq.read_table(folder / SAMPLES, columns=["shard"])["shard"].to_pylist()
    except (OSError, pa.ArrowException):
        return {}
    return {name: n for name, n in Counter(shards).items() if name and shard_of_file(f"{name}.tar")}


def _class_faults(scan: RecordScan) -> Iterator[Fault]:
    for name, record in scan.records.items():
        try:
            header_classes(record.header)
        except UserError as error:
            yield Fault(f"{SHARDS}/{name}.json", str(error), "by hand")


def _list_faults(
    folder: Path, info: DatasetInfo | None, scan: RecordScan, some_unread: bool
) -> Iterator[Fault]:
    first = next(iter(scan.records.values()), None)
    header = first.header if first else info.header if info else None
    if header is not None:
        clips = None if some_unread else stored_clips(scan.records.values())
        yield from subset_faults(folder, header.benchmark, clips)
        yield from description_faults(folder, header)


def _notes(info: DatasetInfo | None) -> Iterator[str]:
    if info is None:
        return
    counts, official = info.counts, info.official
    if counts.rejected:
        yield f"{count(counts.rejected, 'clip')} refused: see rejects.parquet"
    if official and official.missing:
        yield (
            f"{official.missing:,} of the {official.clips:,} clips of the official list had no "
            "file: `prep scan` names them"
        )
    if not info.complete:
        yield f"{counts.stored:,} clips are stored, not all: run `prep shard` to its end"


def _unhashed(folder: Path, info: DatasetInfo | None) -> Iterator[str]:
    """Files of the set of which nobody can tell whether they were changed."""
    official = info.official if info else None
    if info and official and official.missing and MISSING not in info.tables:
        yield (
            f"{MISSING} bears no hash, as an earlier version left it: `prep shard --finish` "
            "writes it with one"
        )
    for name in unhashed_descriptions(folder):
        yield f"descriptions/{name} bears no hash: whether it was changed nobody can tell"
