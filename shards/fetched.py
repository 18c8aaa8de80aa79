"""Sets of shards that lie elsewhere: tables fetched once, tars whole or clip by clip.

::

    s3://bucket/sets/ucf101/              <cache>/<identity>/ucf101/
      dataset.json, frames.arrow, ...  -->  the same, held against dataset.json
      subsets/, descriptions/          -->  the same
      shards/all-00000.tar             -->  shards/all-00000.tar   more than a quarter of it wanted
                                       -->  clips/<key>.mjpg       else: one range a clip

A store opened here is read as any other (same batches, to the bit): only ``FetchedTars`` differs.
What it hands out is checked by the store, frame by frame; a clip that fails is fetched once more by
its range, past whatever is kept, before it is refused.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from manifests.errors import UserError
from shards.atomic import StagedFile, atomic_write, remove_stale_temps
from shards.cache import Cache
from shards.descriptors import open_to_read, read_span
from shards.info import DATASET_JSON, DatasetInfo, parse_info
from shards.layout import Layout
from shards.records import SHARDS
from shards.remote import Patience, Remote
from shards.store import ShardStore
from shards.tables import FRAMES, SAMPLES
from shards.tars import Span

BLOCK = 8 * 1024**2
"""Bytes of one request for a part of a whole tar."""
WHOLE_FROM = 0.25
"""A tar is fetched whole when more than this share of its bytes is wanted."""
_CLIPS = "clips"
_FOLDERS = ("subsets", "descriptions")
_TRIES = 3

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CacheSettings:
    """Where fetched files are kept, and how many bytes of them."""

    folder: Path = Path("data/cache")
    limit: int = 100 * 1024**3


def is_remote(place: str | Path) -> bool:
    """Whether a place of shards is an address rather than a folder."""
    return "://" in str(place)


def open_shards(
    place: str | Path,
    benchmark: str,
    cache: CacheSettings | None = None,
    patience: Patience | None = None,
) -> ShardStore:
    """Open ``<place>/<benchmark>``, a folder or an address; UserError tells what does not go."""
    if not is_remote(place):
        return ShardStore.open(Path(place) / benchmark)
    settings, patience = cache or CacheSettings(), patience or Patience()
    remote = Remote(f"{str(place).rstrip('/')}/{benchmark}", patience)
    face, info = _face(remote, benchmark)
    patterns = (f"*/*/{SHARDS}/*.tar", f"*/*/{_CLIPS}/*.mjpg")
    kept = Cache(settings.folder, settings.limit, patterns)
    folder = settings.folder / info.identity[:16] / benchmark
    atomic_write(folder / DATASET_JSON, face)
    for name in (SAMPLES, FRAMES):
        _fetch_table(kept, folder, name, info, remote)
    _fetch_small_files(folder, remote)
    return ShardStore(
        folder,
        info,
        partial(FetchedTars, remote, kept, folder),
        (open_shards, (place, benchmark, cache, patience)),
    )


class FetchedTars:
    """Tars of a remote set, through a cache; see ``Tars``."""

    readers = 16
    far = True

    def __init__(self, remote: Remote, cache: Cache, folder: Path, layout: Layout) -> None:
        self._remote, self._cache, self._folder, self._layout = remote, cache, folder, layout
        self._whole: frozenset[int] = frozenset()
        self._apart: set[int] = set()  # clips that are not read from a whole tar any more
        self._coming: dict[int, None] = {}  # whole tars to fetch ahead, in order
        self._thread: threading.Thread | None = None
        self.progress = 0
        for part in (SHARDS, _CLIPS):
            remove_stale_temps(folder / part)

    def want(self, clips: npt.NDArray[np.int64], *, blocks: bool) -> None:
        """Choose the tars to fetch whole; those chosen for other clips of the set stay chosen.

        Read in any order, whole tars that do not fit the cache together would be fetched over and
        over: then clips are fetched one by one.
        """
        sizes = np.array([shard.bytes for shard in self._layout.shards], dtype=np.int64)
        chosen = whole_tars(self._layout.wanted_bytes(clips), sizes)
        whole = self._whole | set(chosen.tolist())
        if blocks or int(sizes[list(whole)].sum()) <= self._cache.limit:
            self._whole = frozenset(whole)

    def soon(self, clips: npt.NDArray[np.int64]) -> None:
        """Fetch the whole tars of these clips in the background, one after the other."""
        for shard in np.unique(self._layout.shard_of[clips]).tolist():
            if shard in self._whole and shard not in self._coming:
                self._coming[shard] = None
        if self._coming and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._fetch_ahead, name="ahead", daemon=True)
            self._thread.start()

    def _fetch_ahead(self) -> None:
        while self._coming:
            for shard in list(self._coming):  # others are added meanwhile
                try:
                    self._tar(shard)
                except (UserError, OSError) as error:
                    # Whoever needs the tar meets the same, and tells the user.
                    _log.debug("fetching ahead: %s", error)
                del self._coming[shard]

    def read(self, span: Span) -> bytes:
        """See Tars. A file that vanishes between fetching and opening is fetched again."""
        clip, shard = span.clip, int(self._layout.shard_of[span.clip])
        for _ in range(_TRIES):
            if shard in self._whole and clip not in self._apart:
                path, base = self._tar(shard), 0
            else:
                path, base = self._clip(clip)
            try:
                fd = open_to_read(path)
            except FileNotFoundError:
                continue
            try:
                return read_span(fd, span.offset - base, span.size)
            finally:
                os.close(fd)
        raise UserError(
            f"{path} is removed as fast as it is fetched: raise the limit of the cache (--cache-gb)"
        )

    def ahead(self, span: Span) -> None:
        """Nothing: ``soon`` fetches tars, and clips are read by threads that may wait."""

    def again(self, span: Span) -> None:
        """Fetch the clip by itself next time, whatever is kept of it."""
        self._apart.add(span.clip)
        self._cache.drop(self._name(_CLIPS, f"{self._layout.key(span.clip)}.mjpg"))

    def mend(self, shard: str) -> str:
        """What a user can do about a damaged shard."""
        name = self._folder.name
        return (
            f"{self._remote.url}/{SHARDS}/{shard}.tar is damaged: run `prep verify --dataset "
            f"{name} --repair` where the set was made, and upload that file again"
        )

    def close(self) -> None:
        """Nothing stays open."""

    def _tar(self, shard: int) -> Path:
        stored = self._layout.shards[shard]
        file = f"{SHARDS}/{stored.name}.tar"
        fill = partial(_blocks, self._remote, file, stored.bytes, self._step)
        return self._cache.get(self._name(file), stored.bytes, fill, self._step)

    def _clip(self, clip: int) -> tuple[Path, int]:
        base, size = self._layout.span(clip)
        file = f"{SHARDS}/{self._layout.shard(clip).name}.tar"

        def fill(staged: StagedFile) -> None:
            staged.write(self._remote.read(file, base, base + size))
            self._step()

        name = self._name(_CLIPS, f"{self._layout.key(clip)}.mjpg")
        return self._cache.get(name, size, fill, self._step), base

    def _name(self, *parts: str) -> str:
        return self._folder.joinpath(*parts).relative_to(self._cache.folder).as_posix()

    def _step(self) -> None:
        self.progress += 1


def whole_tars(
    wanted: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Places of the tars of which more than a quarter is wanted; both arguments bytes, (n,)."""
    return np.flatnonzero(wanted > WHOLE_FROM * sizes)


def _blocks(
    remote: Remote, file: str, size: int, step: Callable[[], None], staged: StagedFile
) -> None:
    """Write a remote file block by block; a shorter one than expected is left as short as it is."""
    for start in range(0, size, BLOCK):
        stop = min(start + BLOCK, size)
        data = remote.read(file, start, stop)
        staged.write(data)
        step()
        if len(data) < stop - start:
            return


def _face(remote: Remote, benchmark: str) -> tuple[bytes, DatasetInfo]:
    """dataset.json as it is there, and what it says."""
    try:
        face = remote.read(DATASET_JSON)
    except FileNotFoundError:
        raise UserError(
            f"no shards at {remote.url}: upload data/shards/{benchmark} there, or name the place "
            "above it with --shards"
        ) from None
    return face, parse_info(face, f"{remote.url}/{DATASET_JSON}", "upload it again")


def _fetch_table(cache: Cache, folder: Path, name: str, info: DatasetInfo, remote: Remote) -> None:
    wanted, path = info.tables[name], folder / name

    def fill(staged: StagedFile) -> None:
        _blocks(remote, name, wanted.bytes, lambda: None, staged)
        if (staged.tell(), staged.sha256()) != (wanted.bytes, wanted.sha256):
            raise UserError(
                f"{remote.url}/{name} is damaged or of another state of the set than its "
                f"{DATASET_JSON}: upload all tables again"
            )

    if path.is_file() and path.stat().st_size != wanted.bytes:
        path.unlink(missing_ok=True)
    cache.keep(path.relative_to(cache.folder).as_posix(), fill)


def _fetch_small_files(folder: Path, remote: Remote) -> None:
    for part in _FOLDERS:
        for name in remote.names(part):
            path = folder / part / name
            if not name.endswith(".json") or name.startswith("."):
                continue
            data = remote.read(f"{part}/{name}")
            if not path.is_file() or path.read_bytes() != data:
                atomic_write(path, data)
