"""Reading lists: every form, every way to end a line, and what is no list."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.errors import UserError
from prep.published import read_published


@pytest.fixture
def read(tmp_path):
    def write_and_read(text: str | bytes, name: str = "list.txt"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_published(path)

    return write_and_read


@pytest.mark.parametrize(
    ("text", "form", "stems", "folders", "ids"),
    [
        ("v_Typing_g12_c03.avi 0\n", "name id", ["v_Typing_g12_c03"], [""], [0]),
        ("train/-aB_000001_000011.mp4 39", "name id", ["-aB_000001_000011"], ["train"], [39]),
        ("kick/A(1)!&[x]~;@.avi\t20\n", "name id", ["A(1)!&[x]~;@"], ["kick"], [20]),
        ("val/a b (c)/x.mp4,7\n", "path,id", ["x"], ["a b (c)"], [7]),
        ('"val/a, b/x.mp4",7\n', "path,id", ["x"], ["a, b"], [7]),
        ("78687 134 19\n42 1 0\n", "name frames id", ["78687", "42"], ["", ""], [19, 0]),
        ("root//sJFgo9H6zNo 141 57\n", "name frames id", ["sJFgo9H6zNo"], [""], [57]),
        ("78687 19\n", "name id", ["78687"], [""], [19]),
        ("jetskiing/TzTa_000038_000048\n", "names", ["TzTa_000038_000048"], ["jetskiing"], None),
        ("path,label\na/x.mp4,7\n", "path,id", ["x"], ["a"], [7]),
        ("D:\\videos\\kick\\x.AVI 20\r\n", "name id", ["x"], ["kick"], [20]),
        ("a.b.c 3\n", "name id", ["a.b.c"], [""], [3]),
        ("kick/A(1);x.avi;20\n", "name id", ["A(1);x"], ["kick"], [20]),
        ("kick/x.avi | 20\n", "name id", ["x"], ["kick"], [20]),
        ('"val/a, b/x.mp4","7"\n', "path,id", ["x"], ["a, b"], [7]),
        ('"a/x.mp4","31","7"\n', "name frames id", ["x"], ["a"], [7]),
        ('"clip","class"\n"a/x.mp4","7"\n', "path,id", ["x"], ["a"], [7]),
        ("# path label\n# 2023\na/x.mp4 7\n", "name id", ["x"], ["a"], [7]),
        ("#20_Rhythm_clap_0.avi 3\n", "name id", ["#20_Rhythm_clap_0"], [""], [3]),
        ("video\na/x.mp4\n", "names", ["x"], ["a"], None),
        ("x.mp4 -1\ny.mp4 4\n", "name id", ["x", "y"], ["", ""], [-1, 4]),
        ("x.mp4 -1\ny.mp4 -1\n", "name id", ["x", "y"], ["", ""], None),
    ],
)
def test_forms_of_lines(read, text, form, stems, folders, ids):
    listed = read(text)
    assert (listed.form, listed.stems, listed.folders) == (form, stems, folders)
    assert (listed.ids if ids is None else listed.ids.tolist()) == ids


def test_a_listing(read):
    listed = read("val:\nsit up\nx.mp4\n\nval/sit up:\na.mp4\nb c.mp4\n")
    assert listed.form == "listing"
    assert listed.paths == ("val/x.mp4", "val/sit up/a.mp4", "val/sit up/b c.mp4")
    assert listed.folders == ["val", "sit up", "sit up"]


def test_columns(read):
    listed = read('label,youtube_id,time_start,time_end,split\n"a, b",-x,7,17.0,val\n')
    assert (listed.paths, listed.classes) == (("-x_000007_000017",), ("a, b",))
    listed = read("video,numFrame,subset\nv_a,1,training\n")
    assert (listed.form, listed.paths, listed.classes) == ("columns", ("v_a",), None)
    listed = read("video,label\na/x.mp4,3\n")
    assert (listed.ids.tolist(), listed.classes) == ([3], None)
    for odd in ("²", "9" * 20):  # no numbers that could stand for a class
        assert read(f"video,label\na/x.mp4,{odd}\n").classes == (odd,)


def test_json(read):
    segments = {
        "v_a": {"annotations": [{"label": "x"}, {"label": "y"}]},
        "v_b": {"annotations": []},
    }
    for content in (segments, {"database": segments, "version": "1"}):
        listed = read(json.dumps(content))
        assert (listed.paths, listed.classes) == (("v_a_0", "v_a_1"), ("x", "y"))
    listed = read('[{"id": "1", "template": "t"}, {"id": 2, "template": "u"}]')
    assert (listed.form, listed.paths, listed.classes) == ("entries", ("1", "2"), ("t", "u"))
    assert read('[{"id": "1"}]').classes is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "lists no clip: it is empty"),
        (" \r\n\n", "lists no clip: it is empty"),
        ("id,name\n0,kick\n", "lists classes, not clips: .* --labels"),
        ("action\nArchery\n", "lists classes, not clips"),
        ('{"kick": 0}', "lists classes, not clips"),
        ('["kick", "sword"]', "lists classes, not clips"),
        ('[{"word": "kick"}]', "is no list of clips: its JSON"),
        ('{"0": ["A video about kicking."]}', "is no list of clips: its JSON"),
        ("[]", "lists no clip"),
        ("{}", "lists no clip"),
        ("a.avi 1\nb.avi\nc.avi 2\n", r"line 2: 'b.avi' ends in no class number"),
        ("label,youtube_id\nx,y\n", "no list of clips by columns"),
        ("youtube_id,time_start,time_end\nx,1,\n", "no list of clips by columns"),
        ("youtube_id,time_start,time_end\nx,inf,2\n", "no list of clips by columns"),
        (f"video,label\n{'x' * 200_000},1\n", "no list of clips by columns: field larger"),
        ("video,label\na.avi,1\nb.avi,1,2\n", "row 3 has 3 fields where the first line names 2"),
        ("video,label\na.avi\n", "row 2 has 1 fields"),
        (b"\xff\xfea\x00", "is no UTF-8 text"),
        (b"a\x00b", r"is no UTF-8 text \(a zero byte after 1 others"),
    ],
)
def test_what_is_no_list(read, text, why):
    with pytest.raises(UserError, match=why):
        read(text)


def test_broken_json(read):
    for text in ('{"a":', "[" * 100_000):
        with pytest.raises(UserError, match="is no JSON"):
            read(text, "list.json")
    assert read("[" * 100_000).form == "names"


def test_what_is_no_file(tmp_path):
    for path in (tmp_path, tmp_path / "none.txt"):
        with pytest.raises(UserError, match="there is no list"):
            read_published(path)


_WORD = st.text("abcXYZ019_-!&()+;@[]~#'.", min_size=1, max_size=12)
_NAME = st.builds(lambda words, end: f"{'/'.join(words)}{end}", st.lists(_WORD, min_size=1), _WORD)


@st.composite
def _lists(draw):
    """A list in one of the forms, and what it holds."""
    names = draw(st.lists(_NAME.map(lambda name: f"{name}x.mp4"), min_size=1, max_size=12))
    ids = draw(st.lists(st.integers(0, 999), min_size=len(names), max_size=len(names)))
    form = draw(st.sampled_from(["name id", "path,id", "name frames id", "names"]))
    ways = {"name id": " \t;|", "path,id": [",", ", "], "name frames id": [" 17 ", ";17;"]}
    between = draw(st.sampled_from(ways[form])) if form in ways else None
    pairs = zip(names, ids, strict=True)
    lines = names if between is None else [f"{name}{between}{number}" for name, number in pairs]
    end = draw(st.sampled_from(["\n", "\r\n", " \n", "\t\r\n", "\n\n", "\r"]))
    mark = draw(st.sampled_from(["", "\ufeff"]))
    last = draw(st.sampled_from(["", end, end * 3]))
    return mark + end.join(lines) + last, form, names, None if between is None else ids


@given(made=_lists())
def test_line_ends_marks_and_blanks_mean_nothing(tmp_path_factory, made):
    text, form, names, ids = made
    path = tmp_path_factory.getbasetemp() / "drawn.txt"
    path.write_bytes(text.encode())
    listed = read_published(path)
    assert (listed.form, list(listed.paths)) == (form, names)
    assert (listed.ids if ids is None else listed.ids.tolist()) == ids
    assert listed.stems == [name.rpartition("/")[2].removesuffix(".mp4") for name in names]
