"""A disk that is full or refuses: one line, what is finished kept, and the next run goes on."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.prep.runs import file_hashes, shard, start, words


@pytest.fixture
def small_disk(calm, tmp_path: Path) -> Iterator[Path]:
    """A file system that holds most of the set, but not all of it."""
    place = tmp_path / "disk"
    place.mkdir()
    size = sum(path.stat().st_size for path in calm.folder.glob("shards/*")) * 2 // 3
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a small file system here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk(calm, toy_root, small_disk, workers):
    made = shard("toy", toy_root, small_disk, "--workers", str(workers))
    assert made.code == 1
    assert "no space left on device" in made.error
    assert made.error.count("\n") == 1
    found = file_hashes(small_disk / "toy")
    assert (
        0
        < len([name for name in found if name.endswith(".json")])
        < calm.report["shards"]["planned"]
    )
    assert not list(small_disk.rglob("*.tmp"))
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    again = shard("toy", toy_root, small_disk, "--workers", str(workers))
    assert again.code == 0
    assert again.report["shards"]["reused"] > 0
    assert again.files == calm.files


def test_a_file_that_may_not_grow(calm, toy_root, tmp_path):
    """Where nothing can be mounted: the limit of a file's size stands in for the disk's."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    line = words("toy", toy_root, tmp_path, "--workers", "2")
    run = start(tmp_path.name, line, preexec_fn=limit)
    said, complained = run.process.communicate(timeout=120)
    assert (run.process.returncode, said) == (1, "")
    assert complained.count("\n") == 1
    assert "file too large" in complained
    assert run.survivors(0.5) == []
    assert not list(tmp_path.rglob("*.tmp"))
    assert shard("toy", toy_root, tmp_path).files == calm.files
