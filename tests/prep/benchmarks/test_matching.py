"""Names to files: each clip at most one file, each file accounted for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from manifests.classes import class_list
from prep.benchmarks.folder import stems
from prep.benchmarks.matching import match_files, wanted_names

CLASSES = class_list("custom", ["run", "kick_ball"])


def match(paths, wanted, ids=None):
    files = pa.array(paths, pa.string())
    ids = np.array(ids if ids is not None else [-1] * len(wanted), np.int64)
    keys = [(stems(files), pa.array(wanted, pa.string()))]
    return match_files(files, keys, ids, CLASSES, Path("absent"))


def test_order_of_preference():
    paths = ["a.mp4", "kick ball/a.mp4", "run/a.mp4", "train/replacement_for_x/a.mp4"]
    for left, kept in ((paths, paths[3]), (paths[:3], paths[2]), (paths[:2], paths[0])):
        found = match(left, ["a"], [0])
        assert found.files.to_pylist() == [kept]
        assert set(found.copies) == set(left) - {kept}
        assert found.misplaced == 0
    assert match(["kick_ball/a.mp4"], ["a"], [0]).misplaced == 1


def test_of_equals_the_first_of_the_walk_is_taken():
    found = match(["run/a.avi", "run/a.mp4"], ["a"], [0])
    assert found.files.to_pylist() == ["run/a.avi"]
    assert found.copies == ("run/a.mp4",)


def test_case_counts():
    found = match(["Ab.mp4", "aB.mp4"], ["aB", "Ab", "ab"])
    assert found.files.to_pylist() == ["aB.mp4", "Ab.mp4", None]


def test_readings_are_tried_in_turn():
    files = pa.array(["x.mp4", "x_1.mp4", "y.mp4"], pa.string())
    names = pa.array(["x_1", "y_1"], pa.string())
    ids = pa.array(["x", None], pa.string())
    found = match_files(
        files,
        [(stems(files), names), (stems(files), ids)],
        np.array([-1, -1]),
        CLASSES,
        Path("absent"),
    )
    assert found.files.to_pylist() == ["x_1.mp4", None]
    assert found.copies == ("x.mp4",)
    assert found.strangers == ("y.mp4",)


def test_names_listed_twice_share_a_file():
    wanted = wanted_names(pa.array(["b", "a", "b"]), np.array([1, 0, 1]))
    assert wanted.names.to_pylist() == ["b", "a"]
    assert wanted.class_ids.tolist() == [1, 0]
    assert wanted.of_row.tolist() == [0, 1, 0]


NAMES = st.sampled_from(["a", "b", "c", "d"])
PATHS = st.builds(
    "{}/{}{}".format,
    st.sampled_from(["run", "kick_ball", "replacement", "train", "x/run"]),
    NAMES,
    st.sampled_from([".mp4", ".avi"]),
)


@given(st.lists(PATHS, unique=True), st.lists(NAMES, unique=True, min_size=1), st.data())
def test_every_file_is_accounted_for(paths, wanted, data):
    ids = data.draw(st.lists(st.integers(-1, 1), min_size=len(wanted), max_size=len(wanted)))
    found = match(paths, wanted, ids)
    files = found.files.to_pylist()
    taken = [file for file in files if file is not None]
    assert sorted([*taken, *found.copies, *found.strangers]) == sorted(paths)
    stem_of = {path: path.split("/")[-1].split(".")[0] for path in paths}
    assert all(
        file is None or stem_of[file] == name for file, name in zip(files, wanted, strict=True)
    )
    there = set(stem_of.values())
    assert [file is not None for file in files] == [name in there for name in wanted]


def test_an_empty_copy_goes_last(tmp_path):
    """A copy that was broken off leaves a file, or a folder of frames, without anything in it."""
    paths = ["kick ball/a.mp4", "other/a.mp4", "replacement/a.mp4", "kick ball/b", "other/b"]
    for path in (*paths[:3], "other/b/1.jpg"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "kick ball/b").mkdir()
    files = pa.array(paths, pa.string())
    keys = [(stems(files), pa.array(["a", "b"], pa.string()))]

    def taken() -> list[str]:
        return match_files(files, keys, np.array([0, 0]), CLASSES, tmp_path).files.to_pylist()

    assert taken() == ["replacement/a.mp4", "other/b"]
    (tmp_path / "other/a.mp4").write_bytes(b"film")
    assert taken() == ["other/a.mp4", "other/b"]
