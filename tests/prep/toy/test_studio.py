import hashlib

import pytest

from prep.benchmarks.custom import read_custom
from prep.benchmarks.toy import read_toy
from prep.toy.appearance import Appearance
from prep.toy.cast import benchmark_cast, captioned_cast
from prep.toy.studio import shoot_all, write_benchmark_list, write_caption_list


def hashes(root):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    root = tmp_path_factory.mktemp("toy")
    parts = benchmark_cast(1, {"train": 1, "val": 1, "test": 1}, broken=3)
    shoot_all(parts, 1, root, Appearance(), workers=2)
    write_benchmark_list(parts, root)
    return root, parts


def test_one_worker_and_two_render_the_same_bytes(benchmark, tmp_path):
    root, parts = benchmark
    shoot_all(parts[::9], 1, tmp_path, Appearance(), workers=1)
    whole = hashes(root)
    assert hashes(tmp_path) == {part.file: whole[part.file] for part in parts[::9]}


def test_a_stopped_rendering_is_completed(benchmark):
    root, parts = benchmark
    before = hashes(root)
    for part in parts[::5]:
        (root / part.file).unlink()
    shoot_all(parts, 1, root, Appearance(), workers=2)
    assert hashes(root) == before


def test_the_reader_of_the_benchmark_finds_every_clip(benchmark):
    root, parts = benchmark
    source = read_toy(root)
    assert source.clips["file"].to_pylist() == [part.file for part in parts]
    assert source.clips["class_name"].to_pylist() == [part.text for part in parts]
    assert source.clips["partition"].to_pylist() == [part.split for part in parts]
    assert source.splits == ("train", "val", "test")
    assert (source.unexpected, source.notes) == ((), ())


def test_captions_are_the_classes_of_a_custom_set(tmp_path):
    parts = captioned_cast(2, 12, broken=1)
    shoot_all(parts, 2, tmp_path, Appearance(), workers=1)
    write_caption_list(parts, tmp_path)
    source = read_custom(tmp_path)
    assert source.clips["file"].to_pylist() == [part.file for part in parts]
    assert source.clips["class_name"].to_pylist() == [part.text for part in parts]
    assert source.splits == ("train",)
