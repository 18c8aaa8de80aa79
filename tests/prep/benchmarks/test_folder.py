"""The walk over a raw folder."""

from __future__ import annotations

import os

import pytest

from manifests.errors import UserError
from prep.benchmarks.folder import base_names, parents, scan_folder, stems, walk_files

FILES = (
    "b/x.MP4",
    "b/.hidden.mp4",
    "a.rar",
    "_lists/train.csv",
    "b/c/-y.webm",
    "b/z.mp4.part",
    "n",
)


def test_files_by_kind(tree):
    files = scan_folder(tree(*FILES), "raw folder", "make it")
    assert files.videos.to_pylist() == ["b/x.MP4", "b/c/-y.webm"]
    assert files.lists == ("_lists/train.csv",)
    assert files.archives == ("a.rar",)
    assert files.odd == ("b/z.mp4.part",)
    assert files.others == ("n",)


def test_the_walk_never_varies(tree):
    assert list(walk_files(tree("b/2", "b/1", "a", "c/d/e", "b/a/z"))) == [
        "a",
        "b/1",
        "b/2",
        "b/a/z",
        "c/d/e",
    ]


def test_links_are_followed_once(tree, tmp_path):
    root = tree("real/x.mp4")
    elsewhere = tmp_path / "disk2"
    (elsewhere / "class").mkdir(parents=True)
    (elsewhere / "class/y.mp4").touch()
    (root / "other").symlink_to(elsewhere)
    (root / "round").symlink_to(root)
    (root / "z.mp4").symlink_to(elsewhere / "class/y.mp4")
    (root / "broken.mp4").symlink_to(root / "nowhere.mp4")
    assert list(walk_files(root)) == ["z.mp4", "other/class/y.mp4", "real/x.mp4"]


def test_names_that_are_no_utf8_are_told_apart(tree):
    root = tree("good.mp4")
    with open(os.fsencode(root) + b"/b\xffd.mp4", "wb"):  # noqa: PTH123
        pass
    files = scan_folder(root, "raw folder", "make it")
    assert files.videos.to_pylist() == ["good.mp4"]
    assert files.odd == ("b\\xffd.mp4",)


def test_folders_of_images(tree):
    root = tree(
        "a/v.1/img_1.JPG",
        "a/v.1/list.txt",
        "a/v.2/1.png",
        "a/v.2/deeper/2.jpeg",
        "a/film.mp4/1.jpg",
        "b/film.mp4",
        "c/notes.txt",
        "top.jpg",
    )
    (root / "d" / "nothing").mkdir(parents=True)
    files = scan_folder(root, "raw folder", "make it", from_frames=True)
    assert files.videos.to_pylist() == [
        "a/film.mp4",
        "a/v.1",
        "a/v.2",
        "a/v.2/deeper",
        "d/nothing",
    ]
    assert files.stems.to_pylist() == ["film", "v.1", "v.2", "deeper", "nothing"]
    assert files.lists == ("a/v.1/list.txt", "c/notes.txt")
    assert files.others == ("top.jpg", "b/film.mp4")


def test_a_folder_that_cannot_be_listed(tree, monkeypatch):
    root = tree("a/x.mp4")

    def forbid(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", forbid)
    with pytest.raises(UserError, match=r"cannot list folder \S+: Permission denied; make it read"):
        list(walk_files(root))


@pytest.mark.parametrize(
    ("name", "state"), [("none", "does not exist"), ("file", "is not a folder")]
)
def test_absent_folder(tmp_path, name, state):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=rf"^raw folder \S+/{name} {state}: make it$"):
        scan_folder(tmp_path / name, "raw folder", "make it")


def test_parts_of_paths(tree):
    root = tree("a b/c.d/x.y.mp4", "top.avi", "a b/none.mkv")
    videos = scan_folder(root, "raw folder", "make it").videos
    assert base_names(videos).to_pylist() == ["top.avi", "none.mkv", "x.y.mp4"]
    assert stems(videos).to_pylist() == ["top", "none", "x.y"]
    assert parents(videos).to_pylist() == ["", "a b", "a b/c.d"]
