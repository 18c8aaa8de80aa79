"""One's own videos by a list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.errors import UserError
from prep.benchmarks import SOURCES
from prep.benchmarks.custom import _plain_split
from shards.schema import check_clips

read = SOURCES["custom"]


def test_a_whole_list(tree):
    text = (
        "path,class,split,start,end\r\n"
        "kitchen/1.mp4,open door,Train set,,\r\n"
        '"kitchen/a, b.mkv",close door,test,2.5,7\r\n'
        "./kitchen//1.mp4, open door ,test,1,\r\n"
        "gone.avi,close door,test,,3.25\r\n"
    )
    root = tree("kitchen/1.mp4", "kitchen/a, b.mkv", "other.webm", texts={"list.csv": text})
    source = read(root)
    check_clips(source.clips)
    assert source.splits == ("train_set", "test")
    assert source.classes.names == ("close door", "open door")
    rows = source.clips.to_pylist()
    assert [row["file"] for row in rows] == [
        "kitchen/1.mp4",
        "kitchen/a, b.mkv",
        "kitchen/1.mp4",
        None,
    ]
    assert [row["class_id"] for row in rows] == [1, 0, 1, 0]
    assert [(row["start"], row["end"]) for row in rows] == [
        (None, None),
        (2.5, 7.0),
        (1.0, None),
        (None, 3.25),
    ]
    assert [row["split_test"] for row in rows] == [False, True, True, True]
    assert [row["video"] for row in rows[:3:2]] == ["kitchen/1.mp4"] * 2
    assert source.unexpected == ("other.webm",)


def test_only_path_and_class(tree):
    root = tree("a.mp4", texts={"list.csv": b"\xef\xbb\xbfPath, Class\na.mp4,wave\n"})
    source = read(root)
    assert source.splits == ("all",)
    assert source.clips["split_all"].to_pylist() == [True]


def test_the_list_may_lie_anywhere_and_bear_any_name(tree, tmp_path):
    root = tree("a.mp4")
    (tmp_path / "mine.csv").write_text("path,class\na.mp4,wave\n", encoding="utf-8")
    assert read(root, tmp_path / "mine.csv").clips["file"].to_pylist() == ["a.mp4"]


def test_files_of_any_suffix_count(tree):
    names = ("a.mp3", "b", "c.txt", "d.zip", "e.part", "f.bin")
    text = "path,class\n" + "".join(f"{name},wave\n" for name in names)
    source = read(tree(*names, texts={"list.csv": text}))
    assert source.clips["file"].to_pylist() == list(names)


def test_absolute_paths_inside_the_root(tree):
    root = tree("sub/a.mp4")
    (root / "list.csv").write_text(f"path,class\n{root}/sub/a.mp4,wave\n", encoding="utf-8")
    assert read(root).clips["file"].to_pylist() == ["sub/a.mp4"]


def test_splits_are_merged_and_repeats_kept(tree):
    text = (
        "path,class,split\n"
        "a.mp4,wave,train\n"
        "b.mp4,wave,train\n"
        "a.mp4,wave,test\n"
        "a.mp4,clap,test\n"
        "b.mp4,wave,train\n"
    )
    source = read(tree("a.mp4", "b.mp4", texts={"list.csv": text}))
    rows = source.clips.to_pylist()
    assert [
        (row["row"], row["name"], row["class_name"], row["split_train"], row["split_test"])
        for row in rows
    ] == [
        (0, "a.mp4", "wave", True, True),
        (1, "b.mp4", "wave", True, False),
        (2, "a.mp4", "clap", False, True),
        (3, "b.mp4", "wave", True, False),
    ]


LINES = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.sampled_from(["s", "t", ""])),
    min_size=1,
    max_size=12,
)


@given(LINES)
def test_no_line_is_lost(tmp_path_factory, lines):
    root = tmp_path_factory.mktemp("raw")
    for name in "ab":
        (root / name).touch()
    text = "path,class,split\n" + "".join(f"{','.join(line)}\n" for line in lines)
    (root / "list.csv").write_text(text, encoding="utf-8")
    clips = read(root).clips
    told = [
        (row["name"], row["class_name"], name.removeprefix("split_"))
        for row in clips.to_pylist()
        for name in clips.column_names
        if name.startswith("split_") and row[name]
    ]
    assert sorted(told) == sorted((a, b, split or "all") for a, b, split in lines)
    for pair in {line[:2] for line in lines}:
        most = max(lines.count((*pair, split)) for split in ("s", "t", ""))
        rows = [row for row in clips.to_pylist() if (row["name"], row["class_name"]) == pair]
        assert len(rows) == most


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("file,label\na.mp4,wave\n", "has columns file, label: write a csv with columns path"),
        ("path,class,colour\na.mp4,wave,red\n", "has columns"),
        ("path,class\n", "lists no clip"),
        ("", "cannot read"),
        ("path,class\na.mp4\n", "cannot read .*list.csv"),
        ("path,class\na.mp4,wave\nb.mp4,\n", "line 3: no class"),
        ("path,class\n,wave\n", "line 2: path '' names no file inside"),
        ("path,class\na.mp4,wave\n../b.mp4,wave\n", r"line 3: path '\.\./b\.mp4' names no file"),
        ("path,class\n/etc/passwd,wave\n", "line 2: path '/etc/passwd' names no file"),
        ("path,class,start\na.mp4,wave,soon\n", "'soon'.*where a time in seconds should be"),
        ("path,class,start,end\na.mp4,wave,3,3\n", "line 2: the clip ends before it starts"),
        (
            "path,class,start,end\na.mp4,wave,,\na.mp4,wave,-1,\n",
            "line 3: no such time, start '-1'",
        ),
        ("path,class,start,end\na.mp4,wave,nan,2\n", "line 2: no such time, start 'nan', end '2'"),
        ("path,class\nb.mp4,wave\n", "none of the 1 clips of custom, such as b.mp4"),
    ],
)
def test_wrong_lists(tree, text, why):
    with pytest.raises(UserError, match=why):
        read(tree("a.mp4", texts={"list.csv": text}))


def test_an_empty_root(tree, tmp_path):
    root = tree()
    (tmp_path / "list.csv").write_text("path,class\nb.mp4,wave\n", encoding="utf-8")
    with pytest.raises(UserError, match="none of the 1 clips"):
        read(root, tmp_path / "list.csv")
    with pytest.raises(UserError, match=r"no annotation file of custom, such as list\.csv"):
        read(root)


@given(st.text())
def test_split_names_are_plain(text):
    assert _plain_split(text).replace("_", "a").isalnum()
    assert _plain_split(text).isascii()


def test_folders_of_frames(tree, rows):
    """Named as they are, or by the video they were taken from; a dot is part of a name."""
    lines = "path,class\na.b/,x\nc.mp4,y\nd/e.f.MKV,x\n./g.h,y\nmissing,x\n"
    root = tree("a.b/1.jpg", "c/1.png", "d/e.f/1.jpeg", "g.h/1.JPG", "i/1.jpg", "j.mp4")
    (root / "list.csv").write_text(lines)
    source = read(root, None, True)
    files = {name: row["file"] for name, row in rows(source).items()}
    assert files == {"a.b": "a.b", "c.mp4": "c", "d/e.f.MKV": "d/e.f", "g.h": "g.h"}
    assert source.unexpected == ("i",)
    with pytest.raises(
        UserError, match=r"the 1 videos of .*images, such as a\.b/1\.jpg, go in with"
    ):
        read(root)
