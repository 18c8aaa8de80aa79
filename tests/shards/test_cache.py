"""The cache: whole files, within the limit, fetched once by all processes, on any disk."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.errors import UserError
from shards.cache import Cache

KIB = 1024


def cache(folder: Path, limit: int = 100 * KIB) -> Cache:
    return Cache(folder, limit, ("*.bin",))


def get(kept: Cache, name: str, size: int = 10 * KIB, asked: list[str] | None = None) -> Path:
    def fill(file) -> None:
        if asked is not None:
            asked.append(name)
        file.write(name.encode().ljust(size, b"."))

    return kept.get(f"{name}.bin", size, fill, lambda: None)


def age(path: Path, seconds: float) -> None:
    stat = path.stat()
    os.utime(path, (stat.st_atime - seconds, stat.st_mtime - seconds))


def total(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.bin"))


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 60)), max_size=30))
def test_never_more_than_the_limit_and_always_the_file(tmp_path_factory, wanted):
    kept = cache(tmp_path_factory.mktemp("cache"))
    for name, size in wanted:
        path = get(kept, f"{name}-{size}", size * KIB)
        assert path.read_bytes() == f"{name}-{size}".encode().ljust(size * KIB, b".")
        assert total(kept.folder) <= kept.limit
        assert int((kept.folder / "bytes").read_text()) == total(kept.folder)


def test_what_was_used_longest_ago_goes_first(tmp_path):
    kept = cache(tmp_path)
    for number in range(10):
        age(get(kept, str(number)), 1000 - 10 * number)
    get(kept, "0")  # used again
    get(kept, "new")
    left = {path.stem for path in tmp_path.glob("*.bin")}
    assert {"0", "new", "9", "8"} <= left and not {"1", "2"} & left


def test_a_reader_keeps_what_is_evicted(tmp_path):
    kept = cache(tmp_path)
    path = get(kept, "old")
    age(path, 1000)
    with path.open("rb") as file:
        for number in range(10):
            get(kept, str(number))
        assert not path.exists() and file.read(3) == b"old"


def test_threads_fetch_each_file_once(tmp_path):
    kept, asked = [cache(tmp_path) for _ in range(4)], []
    start = threading.Barrier(16)

    def work(worker: int) -> None:
        start.wait()
        for number in range(8):
            get(kept[worker % 4], str(number), asked=asked)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))
    assert sorted(asked) == [str(number) for number in range(8)]


def test_processes_fetch_each_file_once_and_a_killed_one_holds_nothing(tmp_path):
    words = f"""
import sys, time
from pathlib import Path
from tests.shards.test_cache import cache, get
kept = cache(Path({str(tmp_path)!r}))
def slow(file):
    print("fetching", flush=True)
    time.sleep(float(sys.argv[1]))
    file.write(b"x" * 1024)
kept.get("one.bin", 1024, slow, lambda: None)
"""

    def start(seconds: float) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", words, str(seconds)],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
        )

    killed = start(60)
    assert killed.stdout.readline() == "fetching\n"
    pair = [start(0.2), start(0.2)]
    killed.kill()
    killed.wait()
    said = [process.communicate(timeout=60)[0] for process in pair]
    assert sorted(said) == ["", "fetching\n"]
    assert (tmp_path / "one.bin").read_bytes() == b"x" * 1024


def test_waiting_for_another_one_that_gets_on_is_progress(tmp_path):
    kept, entered, seen = cache(tmp_path), threading.Event(), []

    def slow(file) -> None:
        entered.set()
        for _ in range(8):
            file.write(b"." * KIB)
            threading.Event().wait(0.3)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(kept.get, "slow.bin", 8 * KIB, slow, lambda: None)
        entered.wait()
        kept.get("slow.bin", 8 * KIB, slow, lambda: seen.append(1))
        first.result()
    assert len(seen) >= 2


def test_a_file_that_fails_leaves_nothing_behind(tmp_path):
    kept = cache(tmp_path)

    def fail(file) -> None:
        file.write(b"half")
        raise UserError("no more")

    with pytest.raises(UserError, match="no more"):
        kept.get("bad.bin", 10, fail, lambda: None)
    assert total(tmp_path) == 0 and not list(tmp_path.glob("*.tmp"))
    assert int((tmp_path / "bytes").read_text()) == 0
    assert get(kept, "bad").is_file()


def test_a_file_above_the_limit_is_refused(tmp_path):
    with pytest.raises(UserError, match="--cache-gb"):
        get(cache(tmp_path, limit=KIB), "big", 2 * KIB)


@contextlib.contextmanager
def tiny_disk(folder: Path, size: int):
    """A file system of so many bytes; skips where that is not allowed."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_first_costs_what_is_old_then_is_one_line(tmp_path):
    with tiny_disk(tmp_path / "disk", 256 * KIB) as disk:
        kept = cache(disk, limit=10_000 * KIB)
        for number in range(40):
            path = get(kept, str(number), 16 * KIB)
            assert path.stat().st_size == 16 * KIB
            age(path, 1000 - number)
        for path in disk.glob("*.bin"):
            path.unlink()
        (disk / "others").write_bytes(bytes(200 * KIB))
        with pytest.raises(UserError, match=r"no space left on device; .*--cache.*--resume"):
            get(kept, "late", 100 * KIB)
        assert not list(disk.glob("*.bin")) and not list(disk.glob(".*.tmp"))
        (disk / "others").unlink()
        assert get(kept, "late", 100 * KIB).is_file()
