"""Files into the folder: linked, copied where that is impossible, never something else."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from manifests.errors import UserError
from prep.hub.contents import read_set
from prep.hub.placing import check_space, place_files
from tests.prep.hub.sets import shared


@pytest.fixture
def files(tmp_path):
    """Files of a set."""
    shared(tmp_path / "custom")
    return read_set("custom", tmp_path / "custom").files


@pytest.fixture
def no_links(monkeypatch):
    """A file system that cannot link."""

    def refuse(*_, **__):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", refuse)


def _known(files):
    return {file.place: file.sha256 for file in files}


def test_links_take_no_space_and_stay(files, tmp_path):
    placed = place_files(files, tmp_path / "hub", {})
    assert placed.files == {"linked": len(files), "copied": 0, "kept": 0}
    for file in files:
        assert (tmp_path / "hub" / file.place).samefile(file.source)
    again = place_files(files, tmp_path / "hub", _known(files))
    assert again.files == {"linked": 0, "copied": 0, "kept": len(files)}
    assert again.bytes["kept"] == sum(file.bytes for file in files)


def test_copies_where_links_are_impossible(files, tmp_path, no_links):
    placed = place_files(files, tmp_path / "hub", {})
    assert placed.files == {"linked": 0, "copied": len(files), "kept": 0}
    for file in files:
        copy = tmp_path / "hub" / file.place
        assert copy.read_bytes() == file.source.read_bytes()
        assert copy.stat().st_nlink == 1
    assert place_files(files, tmp_path / "hub", _known(files)).files["kept"] == len(files)


def test_a_copy_of_other_bytes_is_made_anew(files, tmp_path, no_links):
    place_files(files, tmp_path / "hub", {})
    first = tmp_path / "hub" / files[0].place
    first.write_bytes(bytes(files[0].bytes))  # the right length, at another time
    placed = place_files(files, tmp_path / "hub", _known(files))
    assert placed.files["copied"] == 1
    assert first.read_bytes() == files[0].source.read_bytes()


def test_a_damaged_source_is_not_copied(files, tmp_path, no_links):
    data = bytearray(files[0].source.read_bytes())
    data[700] ^= 1
    files[0].source.write_bytes(data)
    with pytest.raises(UserError, match=r"not what was recorded.*prep verify"):
        place_files(files, tmp_path / "hub", {})
    assert not [path for path in (tmp_path / "hub").rglob("*") if path.is_file()]


def test_a_file_replaced_meanwhile_is_not_linked(files, tmp_path):
    files[0].source.write_bytes(bytes(files[0].bytes))
    with pytest.raises(UserError, match="not what was recorded"):
        place_files(files, tmp_path / "hub", {})
    assert not [path for path in (tmp_path / "hub").rglob("*") if path.is_file()]


def test_a_disk_too_small_for_copies_is_told(files, tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 10})
    monkeypatch.setattr("prep.hub.placing.shutil.disk_usage", lambda _: usage)
    check_space(files, tmp_path / "near", {})
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system here")
    away = memory / f"{tmp_path.name}-{os.getpid()}"
    with pytest.raises(UserError, match="10 B free"):
        check_space(files, away, {})
