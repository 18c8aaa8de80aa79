"""Who may work on a set: one whole run, or any number of parts; one writer of tables, of sentences.

The locks are ``flock``s, so a killed run holds none. A file system without them (some network
ones) is worked on without: records and tables are written atomically all the same, and only two
runs of different settings on one set at one time could tread on each other.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from manifests.errors import UserError
from shards.atomic import disk_errors

_RUN, _TABLES = ".run.lock", ".tables.lock"
LOCKS = (_RUN, _TABLES)
ASIDE = ".repair"
"""Where `prep verify --repair` makes shards, inside the set; nobody else looks into it."""
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)


@contextlib.contextmanager
def hold_set(folder: Path, *, shared: bool) -> Iterator[None]:
    """Work on a set: alone, or ``shared`` with other parts; UserError when it is taken.

    Makes the folder, and so finds out early when nothing can be written there.
    """
    with _lock_file(folder / _RUN) as fd:
        if not _lock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB):
            other = "a whole run" if shared else "another run"
            raise UserError(
                f"{other} of `prep shard` (or `prep verify --repair`) is at work on {folder}: wait "
                "for its end, or share the work by giving every run its own --part"
            )
        yield


@contextlib.contextmanager
def hold_tables(folder: Path) -> Iterator[None]:
    """Write the tables of a set, after whoever is writing them now."""
    with _lock_file(folder / _TABLES) as fd:
        _lock(fd, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def hold_descriptions(folder: Path) -> Iterator[None]:
    """Ask for sentences of a set, or write them, after whoever does now.

    What the other run asked is answered by then, so the same is never asked, or paid for, twice.
    """
    with _lock_file(folder / ".cache" / ".lock") as fd:
        if not _lock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB):
            sys.stderr.write(f"waiting for another `prep describe` at work on {folder}\n")
            _lock(fd, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _lock_file(path: Path) -> Iterator[int]:
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        yield fd
    finally:
        os.close(fd)


def _lock(fd: int, how: int) -> bool:
    """Take a lock; False when another has it. Without locks in the file system, all may pass."""
    try:
        fcntl.flock(fd, how)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True
