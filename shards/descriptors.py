"""Open tars, not too many at once, shared by all threads of a process.

A set of a thousand shards would run into the limit of open files, so descriptors live in a bounded
least-recently-used table. Reads name their offset (``pread``): threads and forked processes share
a descriptor without sharing a position, and a file that became shorter gives a short read instead
of the SIGBUS of a memory map.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

Pread = Callable[[int, int, int], bytes]

_seeking = threading.Lock()


@dataclass
class _Open:
    fd: int
    users: int = 0


class Descriptors:
    """Read-only descriptors of files by path; at most ``limit`` of those not in use stay open."""

    def __init__(self, limit: int = 64) -> None:
        self._limit = limit
        self._open: OrderedDict[Path, _Open] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._open)

    @contextlib.contextmanager
    def open(self, path: Path) -> Iterator[int]:
        """A descriptor of ``path`` that stays open as long as the block runs; OSError as usual."""
        with self._lock:
            entry = self._open.get(path)
            if entry is None:
                entry = _Open(open_to_read(path))
                self._open[path] = entry
            entry.users += 1
            self._open.move_to_end(path)
            self._shrink()
        try:
            yield entry.fd
        finally:
            with self._lock:
                entry.users -= 1
                self._shrink()

    def forget(self, path: Path) -> None:
        """Open ``path`` anew next time: another file may have its name by now."""
        with self._lock:
            entry = self._open.get(path)
            if entry is not None and not entry.users:
                os.close(self._open.pop(path).fd)

    def close(self) -> None:
        """Close everything that no thread is reading from."""
        with self._lock:
            self._shrink(limit=0)

    def _shrink(self, limit: int | None = None) -> None:
        surplus = len(self._open) - (self._limit if limit is None else limit)
        if surplus <= 0:  # nearly always, and this runs twice a read
            return
        for path in [path for path, entry in self._open.items() if not entry.users]:
            if surplus <= 0:
                return
            os.close(self._open.pop(path).fd)
            surplus -= 1


def open_to_read(path: Path) -> int:
    """A descriptor of a file's bytes, closed in programs that are started; OSError as usual."""
    return os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))


def read_span(fd: int, offset: int, size: int) -> bytes:
    """Bytes offset..offset+size of a file; fewer only where the file ends. OSError as usual."""
    pread: Pread = getattr(os, "pread", seek_and_read)
    data = pread(fd, size, offset)
    while 0 < len(data) < size:
        more = pread(fd, size - len(data), offset + len(data))
        if not more:
            break
        data += more
    return data


def seek_and_read(fd: int, size: int, offset: int) -> bytes:
    """What ``os.pread`` does, where there is none (Windows); one thread at a time."""
    with _seeking:
        os.lseek(fd, offset, os.SEEK_SET)
        return os.read(fd, size)
