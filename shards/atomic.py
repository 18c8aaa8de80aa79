"""Files that are whole or absent: write under a temporary name, sync, rename, sync the folder.

A temporary file is called ``.<name>.<host>.<pid>.<serial>.tmp``, so that whoever comes later can
tell one that is being written from one that a killed process left behind. ``<host>`` includes the
process namespace: two containers of one machine count their processes separately.

Any failure of the disk (full, failing, read-only) becomes one ``UserError``, and the temporary
file is removed: half-written files never bear a final name.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from manifests.errors import UserError

_TEMP = re.compile(r"^\..+\.(?P<host>[A-Za-z0-9-]+)\.(?P<pid>\d+)\.\d+\.tmp$")
_DAY_S = 86_400.0
_serial = itertools.count()


class StagedFile:
    """The file behind a temporary name, open for writing; its errors are ``UserError``s."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.temp = temp_name(path)
        self._size = 0
        self._hash = hashlib.sha256()
        self.closed = False
        self.discarded = False
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(
                self.temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644
            )

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Append all of ``data``; returns its length in bytes."""
        view = memoryview(data).cast("B")
        done = 0
        with disk_errors(self.path):
            while done < len(view):
                done += os.write(self._fd, view[done:])
        self._size += done
        self._hash.update(view)
        return done

    def tell(self) -> int:
        """Bytes written so far."""
        return self._size

    def sha256(self) -> str:
        """Hash (hex) of everything written so far."""
        return self._hash.hexdigest()

    def flush(self) -> None:
        """Nothing is held back: writes are not buffered."""

    def discard(self) -> None:
        """Ask that the file never appear under its final name."""
        self.discarded = True

    def close(self) -> None:
        """Close the descriptor; a second call does nothing."""
        if not self.closed:
            self.closed = True
            with disk_errors(self.path):
                os.close(self._fd)


@contextlib.contextmanager
def staged(path: Path) -> Iterator[StagedFile]:
    """Write ``path`` as a whole: it appears when the block ends, and never when the block fails.

    Folders on the way are made. ``file.discard()`` inside the block gives the file up without an
    error. Raises UserError when the disk refuses.
    """
    file = StagedFile(path)
    try:
        yield file
        file.close()
        if file.discarded:
            file.temp.unlink(missing_ok=True)
        else:
            commit_file(file.temp, path)
    except BaseException:
        with contextlib.suppress(UserError):
            file.close()
        with contextlib.suppress(OSError):
            file.temp.unlink(missing_ok=True)
        raise


def atomic_write(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path`` as a whole or not at all; UserError when the disk refuses."""
    with staged(path) as file:
        file.write(data)


def commit_file(temp: Path, path: Path) -> None:
    """Sync a finished temporary file, give it its name, and sync the folder that holds the name."""
    with disk_errors(path):
        _sync(temp)
        temp.replace(path)
        _sync(path.parent)


def remove_file(path: Path) -> None:
    """Remove a file for good, absent or not, and sync its folder."""
    with disk_errors(path):
        if path.exists() or path.is_symlink():  # a link that leads nowhere does not exist
            path.unlink(missing_ok=True)
            _sync(path.parent)


def temp_name(path: Path) -> Path:
    """A temporary name beside ``path`` that no other process and no other call is given."""
    return path.with_name(f".{path.name}.{_host()}.{os.getpid()}.{next(_serial)}.tmp")


def is_temp(name: str) -> bool:
    """Whether a file bears such a temporary name."""
    return _TEMP.match(name) is not None


def remove_stale_temps(folder: Path, older_than_s: float = _DAY_S) -> tuple[str, ...]:
    """Remove what killed processes left in ``folder``; returns the names removed, sorted.

    A temporary file goes when its process on this host is dead, or, whatever host it came from,
    when nothing was written to it for ``older_than_s`` seconds. Other files are never touched.
    """
    if not folder.is_dir():
        return ()
    removed = []
    for path in sorted(folder.iterdir()):
        found = _TEMP.match(path.name)
        if found is None or not _is_stale(path, found["host"], int(found["pid"]), older_than_s):
            continue
        with disk_errors(path):
            path.unlink(missing_ok=True)
        removed.append(path.name)
    return tuple(removed)


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the system says about a write to ``path`` into one line for the user."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(
            f"cannot write {path}: {reason}; mend that (space, rights, disk) and run the same "
            "command again: what is finished is kept"
        ) from error


def _is_stale(path: Path, host: str, pid: int, older_than_s: float) -> bool:
    if host == _host() and not _is_alive(pid):
        return True
    try:
        return time.time() - path.stat().st_mtime > older_than_s
    except FileNotFoundError:
        return False


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return True
    # A killed process whose parent is gone may wait for ever to be reaped, as in a container.
    return stat.rpartition(b")")[2].split()[0] != b"Z"


def _host() -> str:
    try:
        namespace = re.sub(r"\D", "", str(Path("/proc/self/ns/pid").readlink()))
    except OSError:
        namespace = ""
    return re.sub(r"[^A-Za-z0-9]", "-", socket.gethostname()) + f"-{namespace}"


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
