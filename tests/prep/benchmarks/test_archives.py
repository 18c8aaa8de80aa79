"""Archives are told by their names, and how each is unpacked."""

from __future__ import annotations

import pytest

from prep.benchmarks.archives import how_to_unpack, is_archive


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("brush_hair.rar", "unrar x brush_hair.rar"),
        ("UCF101.RAR", "unrar x UCF101.RAR"),
        ("part_0.tar.gz", "tar xf part_0.tar.gz"),
        ("k400.tgz", "tar xf k400.tgz"),
        ("val.csv.gz", "gunzip val.csv.gz"),
        ("20bn-something-something-v2-00.zip", "unzip 20bn-something-something-v2-00.zip"),
        ("v1-3_train.tar.xz", "tar xf v1-3_train.tar.xz"),
        ("two words.zip", "unzip 'two words.zip'"),
        ("UCF101.zip.001", "7z x UCF101.zip.001"),
        ("Kinetics-400.tar.gz.00", "cat Kinetics-400.tar.gz.* | tar xz"),
        ("v1-3.tar.aa", "cat v1-3.tar.* | tar x"),
        ("20bn-something-something-v2-07", "cat 20bn-something-something-v2-?? | tar xz"),
    ],
)
def test_each_kind(name, command):
    assert is_archive(name)
    assert how_to_unpack([f"deep/folder/{name}", "another.rar"]) == command


@pytest.mark.parametrize("name", ["a.avi", "v.mp4.001", "20bn-something-something-v2", "rar", "00"])
def test_what_is_none(name):
    assert not is_archive(name)
