"""What of a set goes into a dataset repository: every file that its reader and its users need.

::

    shards/<shard>.tar .idx .json    lengths and hashes of tar and idx from the record: a set of
    samples.parquet frames.arrow     any size is exported without reading a tar again
    rejects.parquet dataset.json
    missing.csv                      where there is one
    subsets/<name>.json descriptions/<kind>-<n>.json

These are the names they have in the set, so the repository, wherever it is downloaded to, is a set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from manifests.descriptions import Descriptions, parse_descriptions
from manifests.errors import UserError
from shards.info import DATASET_JSON, MISSING, DatasetInfo
from shards.recorded import RecordScan, scan_records
from shards.records import FileHash, ShardRecord, shard_file
from shards.store import ShardStore
from shards.subsets import SUBSETS, Subset, list_subsets, load_subset
from shards.tables import reject_counts

#: What Hugging Face calls a partition: its own names, and for videos that official splits share a
#: legal one, since "all" means the union of all splits there.
HUB_SPLITS = {"train": "train", "val": "validation", "test": "test", "all": "full"}


@dataclass(frozen=True)
class RepoFile:
    """A file of the set: its place below either folder, and what it is known to be.

    ``time_ns`` is when it was last written: a file that is replaced meanwhile is told by that.
    """

    place: str
    source: Path
    bytes: int
    sha256: str
    time_ns: int


@dataclass(frozen=True)
class HubSplit:
    """A split as ``load_dataset`` names it, and the partition whose tars are it."""

    name: str
    partition: str
    tars: int
    clips: int
    bytes: int


@dataclass(frozen=True, eq=False)
class HubSet:
    """A set as it is exported; ``labels`` int32 (clips,) are official class ids, -1 for none."""

    info: DatasetInfo
    labels: npt.NDArray[np.int32]
    rejects: Mapping[str, int]
    subsets: tuple[Subset, ...]
    descriptions: tuple[Descriptions, ...]
    files: tuple[RepoFile, ...]

    @property
    def splits(self) -> tuple[HubSplit, ...]:
        """Splits that have clips, in the order train, validation, test, full."""
        shards = self.info.shards
        found = []
        for partition, name in HUB_SPLITS.items():
            mine = [shard for shard in shards if shard.name.rpartition("-")[0] == partition]
            if mine:
                clips, size = sum(s.clips for s in mine), sum(s.bytes for s in mine)
                found.append(HubSplit(name, partition, len(mine), clips, size))
        return tuple(found)

    @property
    def tars(self) -> tuple[RepoFile, ...]:
        """The tars, in order of name."""
        return tuple(file for file in self.files if file.place.endswith(".tar"))


def read_set(benchmark: str, folder: Path, *, partial: bool = False) -> HubSet:
    """Look at everything of a set that an export takes along; nothing is changed.

    Raises UserError when there is no set, it is of another benchmark, its tables speak of another
    state than its records, a file is absent or of another length, a subset does not fit, or clips
    are still to be made and ``partial`` does not allow that.
    """
    store = ShardStore.open(folder)
    info = store.info
    _check_benchmark(info, benchmark, folder)
    _check_complete(info, folder, partial)
    scan = scan_records(folder)
    _check_state(info, scan, folder)
    subsets = tuple(_fitting(store, name) for name in list_subsets(folder))
    sentences = sorted((folder / "descriptions").glob("[!.]*.json"))
    descriptions = tuple(parse_descriptions(path.read_bytes(), str(path)) for path in sentences)
    files = [*_shard_files(folder, scan.records), *_table_files(folder, info)]
    small = [folder / SUBSETS / f"{subset.name}.json" for subset in subsets]
    small += sentences
    if MISSING not in info.tables and (folder / MISSING).exists():  # made by an earlier program
        small.append(folder / MISSING)
    small.append(folder / DATASET_JSON)
    files += [_hashed(folder, path) for path in small]
    return HubSet(info, store.labels, reject_counts(folder), subsets, descriptions, tuple(files))


def _check_benchmark(info: DatasetInfo, benchmark: str, folder: Path) -> None:
    if info.benchmark != benchmark:
        raise UserError(
            f"{folder} holds shards of {info.benchmark}, not of {benchmark}: name the folder that "
            f"holds {benchmark}/ with --shards"
        )


def _check_complete(info: DatasetInfo, folder: Path, partial: bool) -> None:
    if not info.counts.stored:
        raise UserError(f"{folder} stores no clip: all of {info.counts.rejected} were refused")
    if not info.complete and not partial:
        raise UserError(
            f"{folder} is not finished: run `prep shard --dataset {info.benchmark}` to its end, or "
            "export what is there, with a card that says so, by --partial"
        )


def _check_state(info: DatasetInfo, scan: RecordScan, folder: Path) -> None:
    if scan.damaged:
        raise UserError(
            f"record {scan.damaged[0]} of {folder} is damaged: run `prep verify --dataset "
            f"{info.benchmark} --repair` first"
        )
    if scan.identity != info.identity:
        raise UserError(
            f"{DATASET_JSON} of {folder} speaks of another state than its records: wait for the "
            f"run that is at work, or run `prep shard --dataset {info.benchmark} --finish`"
        )


def _fitting(store: ShardStore, name: str) -> Subset:
    try:
        return load_subset(store, name)
    except UserError as error:
        raise UserError(f"subset {name} does not fit these shards: {error}") from error


def _shard_files(folder: Path, records: Mapping[str, ShardRecord]) -> Iterator[RepoFile]:
    for name, record in records.items():
        for extension, known in (("tar", record.tar), ("idx", record.idx)):
            if known is not None:
                yield _known(folder, shard_file(folder, name, extension), known)
        yield _hashed(folder, shard_file(folder, name, "json"))


def _table_files(folder: Path, info: DatasetInfo) -> Iterator[RepoFile]:
    for name, known in info.tables.items():
        yield _known(folder, folder / name, known)


def _known(folder: Path, path: Path, known: FileHash) -> RepoFile:
    """A file whose hash the set knows; UserError unless it is there in its length."""
    if not path.is_file() or path.stat().st_size != known.bytes:
        raise UserError(
            f"{path} is absent or has not its {known.bytes:,} bytes: run `prep verify --dataset "
            f"{folder.name} --repair` first"
        )
    place = path.relative_to(folder).as_posix()
    return RepoFile(place, path, known.bytes, known.sha256, path.stat().st_mtime_ns)


def _hashed(folder: Path, path: Path) -> RepoFile:
    """A small file, read to be hashed."""
    data = path.read_bytes()
    place = path.relative_to(folder).as_posix()
    time_ns = path.stat().st_mtime_ns
    return RepoFile(place, path, len(data), hashlib.sha256(data).hexdigest(), time_ns)
