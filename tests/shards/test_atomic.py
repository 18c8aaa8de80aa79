"""Files are whole or absent, whatever happens while they are written."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from manifests.errors import UserError
from shards import atomic
from shards.atomic import atomic_write, remove_stale_temps, staged, temp_name

WRITE_AND_WAIT = """
import sys, time, pathlib
from shards.atomic import staged
with staged(pathlib.Path(sys.argv[1])) as file:
    file.write(b"half")
    print("written", flush=True)
    time.sleep(60)
"""

LIMITED = """
import pathlib, resource, signal, sys
from manifests.errors import UserError
from shards.atomic import atomic_write
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    atomic_write(pathlib.Path(sys.argv[1]), bytes(10_000))
except UserError as error:
    print(error)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_whole_and_replaced_whole(tmp_path):
    path = tmp_path / "deep" / "file.json"
    atomic_write(path, b"one")
    atomic_write(path, b"another")
    assert path.read_bytes() == b"another"
    assert names(path.parent) == ["file.json"]


def test_an_error_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    atomic_write(path, b"old")
    with pytest.raises(ZeroDivisionError), staged(path) as file:
        file.write(b"new")
        1 / 0  # noqa: B018
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_discarded_file_never_appears(tmp_path):
    with staged(tmp_path / "file") as file:
        file.write(b"x")
        file.discard()
    assert names(tmp_path) == []


def test_a_killed_writer_leaves_only_a_temp_that_the_next_one_removes(tmp_path):
    path = tmp_path / "file"
    words = [sys.executable, "-c", WRITE_AND_WAIT, str(path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        (temp,) = names(tmp_path)
        assert remove_stale_temps(tmp_path) == ()  # its writer lives
        process.send_signal(signal.SIGKILL)
        # Dead, though nobody has asked for its exit status yet.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert names(tmp_path) == [temp]
        assert remove_stale_temps(tmp_path) == (temp,)
    assert names(tmp_path) == []


def test_temps_of_other_hosts_go_only_when_old(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(atomic.socket, "gethostname", lambda: "elsewhere.org")
        young, old = (temp_name(tmp_path / name) for name in ("young", "old"))
    for path in (young, old):
        path.write_bytes(b"x")
    two_days_ago = time.time() - 2 * 86_400
    os.utime(old, (two_days_ago, two_days_ago))
    for name in (".hidden", "file.tmp", ".a.tmp", "train-00000.tar"):
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (two_days_ago, two_days_ago))
    assert remove_stale_temps(tmp_path) == (old.name,)
    assert young.exists()
    assert len(names(tmp_path)) == 5


def test_no_folder_holds_no_stale_temps(tmp_path):
    assert remove_stale_temps(tmp_path / "none") == ()


def test_a_limit_of_the_system_is_one_line_and_leaves_nothing(tmp_path):
    words = [sys.executable, "-c", LIMITED, str(tmp_path / "file")]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert said.startswith(f"cannot write {tmp_path / 'file'}: file too large; ")
    assert said.count("\n") == 1
    assert names(tmp_path) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_failing_disk_is_one_line_and_leaves_the_old_file(tmp_path, monkeypatch, code, call):
    path = tmp_path / "file"
    atomic_write(path, b"old")

    def fail(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch, pytest.raises(UserError) as caught:
        patch.setattr(atomic.os, call, fail)
        atomic_write(path, b"new")
    assert os.strerror(code).lower() in str(caught.value)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_folder_that_is_a_file_is_one_line(tmp_path):
    (tmp_path / "folder").write_bytes(b"")
    with pytest.raises(UserError, match="cannot write"):
        atomic_write(tmp_path / "folder" / "file", b"")
