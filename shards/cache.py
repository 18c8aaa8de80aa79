"""A bounded folder of files fetched from elsewhere, shared by the processes of a machine.

::

    <cache>/bytes                     how many bytes are kept, a number; rewritten under its lock
            locks/00 .. ff, bytes     kernel locks: a killed process holds none
            <set>/<benchmark>/...     the kept files, whole or absent, used last at their mtime

Two processes that want one file meet at its lock: one fetches, the other finds it there. Past the
limit the files used longest ago go; who reads from one of them keeps what is open. A file that
somebody deleted is fetched again. Nothing here is trusted: readers check what they take out.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from manifests.errors import UserError
from shards.atomic import StagedFile, disk_errors, staged

_LOCKS = 256
_TOUCH_S = 60.0  # the least age of an mtime that is worth renewing
_KEPT_OF_LIMIT = 0.9  # evicting a little more at once spares looking through the folder each time
_POLL_S = 0.5

Fill = Callable[[StagedFile], None]
Step = Callable[[], None]


class Cache:
    """At most ``limit`` bytes of files below ``folder``, plus what is being fetched."""

    def __init__(self, folder: Path, limit: int, patterns: tuple[str, ...]) -> None:
        """patterns: globs, below the folder, of the files that are counted and may be removed.

        Raises UserError when nothing can be written there.
        """
        self.folder, self.limit, self._patterns = folder, limit, patterns
        with self._lock("bytes"):
            self._write(sum(size for _, size, _ in self._files()))

    def get(self, name: str, size: int, fill: Fill, progress: Step) -> Path:
        """The file of this name, which ``fill`` writes if it is not there.

        size: its bytes, to make room for. progress is called as long as another process is seen to
        fetch it. Raises what ``fill`` raises, UserError when the file is larger than the limit or
        the disk is full although everything else was removed.
        """
        path = self.folder / name
        if _use(path):
            return path
        if size > self.limit:
            raise UserError(
                f"{path} would have {size:,} bytes, the cache holds {self.limit:,}: raise its "
                "limit (--cache-gb)"
            )
        with self._lock_of(name, path, progress):
            if not _use(path):
                self._add(path, size, fill)
        return path

    def keep(self, name: str, fill: Fill) -> Path:
        """A file that is neither counted nor removed, which ``fill`` writes if it is not there."""
        path = self.folder / name
        if not path.is_file():
            with self._lock_of(name, path), staged(path) as file:
                if path.is_file():
                    file.discard()
                else:
                    fill(file)
        return path

    def drop(self, name: str) -> None:
        """Remove a file, if it is there."""
        path = self.folder / name
        with self._lock("bytes"):
            self._write(self._read() - _remove(path))

    def _add(self, path: Path, size: int, fill: Fill) -> None:
        for last in (False, True):
            self._reserve(size, path)
            try:
                with staged(path) as file:
                    fill(file)
                return
            except BaseException as error:
                self._reserve(-size, path)
                if not _is_full(error):
                    raise
                if last or not self._shrink(self._read() // 2, path):
                    raise UserError(
                        f"cannot write {path}: no space left on device; free some there, or name "
                        "another folder (--cache) or a lower limit (--cache-gb), and run the same "
                        "command again (a training run: with --resume)"
                    ) from error

    def _reserve(self, size: int, path: Path) -> None:
        with self._lock("bytes"):
            total = self._read() + size
            self._write(total)
        if total > self.limit:
            self._shrink(int(self.limit * _KEPT_OF_LIMIT) - size, path, reserved=size)

    def _shrink(self, to: int, spare: Path, reserved: int = 0) -> int:
        """Remove what was used longest ago until ``to`` bytes are left; returns bytes removed."""
        with self._lock("bytes"):
            files = sorted(self._files())
            total = found = sum(size for _, size, _ in files)
            for _, size, path in files:
                if total <= to:
                    break
                if path != spare:
                    _remove(path)
                    total -= size
            self._write(total + reserved)
        return found - total

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        for pattern in self._patterns:
            for path in self.folder.glob(pattern):
                with contextlib.suppress(FileNotFoundError):
                    stat = path.stat()
                    yield stat.st_mtime, stat.st_size, path

    def _read(self) -> int:
        try:
            return int((self.folder / "bytes").read_text())
        except (FileNotFoundError, ValueError):  # deleted, or cut by a full disk
            return sum(size for _, size, _ in self._files())

    def _write(self, total: int) -> None:
        # In place: a full disk still takes the twenty letters it had before.
        with disk_errors(self.folder / "bytes"):
            (self.folder / "bytes").write_text(f"{max(0, total):20d}\n")

    def _lock_of(
        self, name: str, path: Path, progress: Step | None = None
    ) -> contextlib.AbstractContextManager[None]:
        return self._lock(f"{zlib.crc32(name.encode()) % _LOCKS:02x}", path, progress)

    @contextlib.contextmanager
    def _lock(
        self, name: str, wanted: Path | None = None, progress: Step | None = None
    ) -> Iterator[None]:
        place, seen = self.folder / "locks" / name, -1
        lock = FileLock(place)
        with _locking(place):
            place.parent.mkdir(parents=True, exist_ok=True)  # somebody may have removed it all
            while True:
                try:
                    lock.acquire(timeout=_POLL_S, poll_interval=0.02)
                    break
                except Timeout:
                    now = _being_written(wanted) if wanted else -1
                    if progress is not None and now != seen:
                        progress()
                    seen = now
        try:
            yield
        finally:
            lock.release()


@contextlib.contextmanager
def _locking(path: Path) -> Iterator[None]:
    try:
        with disk_errors(path):
            yield
    except NotImplementedError as error:
        raise UserError(
            f"{path.parent} is on a file system without locks: name a folder on another one "
            "with --cache"
        ) from error


def _use(path: Path) -> bool:
    """Whether a file is there; notes that it was used."""
    try:
        if time.time() - path.stat().st_mtime > _TOUCH_S:
            os.utime(path)
    except FileNotFoundError:
        return False
    return True


def _remove(path: Path) -> int:
    try:
        size = path.stat().st_size
        path.unlink()
    except FileNotFoundError:
        return 0
    return size


def _being_written(path: Path) -> int:
    """Bytes so far of a file that another process fetches."""
    total = 0
    for temp in path.parent.glob(f".{path.name}.*.tmp"):
        with contextlib.suppress(FileNotFoundError):
            total += temp.stat().st_size
    return total


def _is_full(error: BaseException) -> bool:
    cause = error.__cause__ if isinstance(error, UserError) else error
    return isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)
