"""Where annotation files are found, and how they are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from manifests.errors import UserError
from prep.benchmarks.annotation import find_annotations, read_fields, read_text, wrong_line
from prep.benchmarks.folder import scan_folder


def find(root, annotations=None):
    raw = scan_folder(root, "raw folder", "make it")
    return find_annotations("ucf101", annotations, raw, r"(one|two)\.txt", "one.txt")


def test_inside_the_raw_folder(tree):
    root = tree("x.avi", "lists/One.TXT", "lists/other.txt")
    lists = find(root)
    assert lists.files == {"One.TXT": root / "lists/One.TXT"}
    assert lists.first("two.txt", "one.txt") == root / "lists/One.TXT"
    assert lists.first("two.txt") is None
    assert lists.notes() == ()


def test_the_folder_named_wins_over_the_raw_folder(tree):
    root = tree("one.txt")
    named = tree("deep/one.txt", name="lists")
    assert find(root, named).path == named / "deep"


def test_editions_are_not_mixed(tree):
    root = tree("x/b/one.txt", "x/a/one.txt", "x/c/one.txt", "x/c/two.txt", "x/a/deep/two.txt")
    lists = find(root)
    assert lists.path == root / "x/c"
    assert sorted(lists.files) == ["one.txt", "two.txt"]
    assert str(root / "x/a/deep") in lists.notes()[0]
    (root / "two.txt").touch()
    assert find(root).path == root


def test_one_file_may_be_named(tree):
    root = tree("x.avi", "any_name.txt")
    assert find(root, root / "any_name.txt").files == {"any_name.txt": root / "any_name.txt"}


def test_nothing_found_names_the_official_place(tree):
    with pytest.raises(UserError, match=r"no annotation file of ucf101, such as one\.txt.*crcv"):
        find(tree("x.avi"))
    with pytest.raises(UserError, match=r"none does not exist: .*--annotations"):
        root = tree("x.avi")
        find(root, root / "none")
    with pytest.raises(UserError, match=r"^annotation folder /dev/null is no folder: "):
        find(root, Path("/dev/null"))


def test_lines_whatever_their_ends(tree):
    path = tree(texts={"a.txt": b"\xef\xbb\xbfone 1\r\n\r\ntwo 2 \nthree"}) / "a.txt"
    assert list(read_fields(path)) == [(1, ["one", "1"]), (3, ["two", "2"]), (4, ["three"])]


def test_unreadable_text(tree):
    path = tree(texts={"a.txt": b"ab\xff"}) / "a.txt"
    with pytest.raises(UserError, match=r"a\.txt is no UTF-8 text .*byte 2"):
        read_text(path)
    with pytest.raises(UserError, match=r"cannot read annotation file .*none\.txt"):
        read_text(path.with_name("none.txt"))


def test_a_wrong_line_is_named(tmp_path):
    error = wrong_line("hmdb51", tmp_path / "a.txt", 7, "odd")
    assert f"{tmp_path / 'a.txt'}, line 7: odd" in str(error)
    assert "serre" in str(error)
