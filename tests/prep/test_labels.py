"""Label files: every form that is about gives the numbers it says, under official names."""

from __future__ import annotations

import json

import pytest

from manifests.classes import load_classes
from manifests.errors import UserError
from prep.labels import read_labels
from tests.manifests.test_label_files import by_number, label_files

HMDB = load_classes("hmdb51")


@pytest.mark.parametrize(
    ("text", "names", "first"),
    [
        ("id,name\n0,kick ball\n1,kick\n", ("kick_ball", "kick"), 0),
        ("0,kick ball\r\n1,kick\r\n", ("kick_ball", "kick"), 0),
        ("1 kick\n2 kick_ball\n", ("kick", "kick_ball"), 1),
        ("kick\t1\nsword\t0\n", ("sword", "kick"), 0),
        ("kick,0\nsword,1\n", ("kick", "sword"), 0),
        ("name,id\nkick,0\nsword,1\n", ("kick", "sword"), 0),
        ("action\nkick\nsword\n", ("kick", "sword"), 0),
        ("kick\nsword exercise\n", ("kick", "sword_exercise"), 0),
        ('{"0": "kick", "1": "sword"}', ("kick", "sword"), 0),
        ('{"sword": "1", "kick": 0}', ("kick", "sword"), 0),
        ('["kick", "sword"]', ("kick", "sword"), 0),
        ("1,sword\n0,kick\n", ("kick", "sword"), 0),
        ("\ufeffid,name\n0,kick\n", ("kick",), 0),
    ],
)
def test_forms(tmp_path, text, names, first):
    path = tmp_path / "labels.csv"
    path.write_bytes(text.encode())
    numbering = read_labels(path, HMDB)
    assert (numbering.names, numbering.first, numbering.name) == (names, first, path.name)


def test_names_with_commas_unquoted(tmp_path):
    classes = load_classes("ssv2")
    name = next(name for name in classes.names if "," in name)
    path = tmp_path / "labels.csv"
    for said in (name, f'"{name}"'):
        path.write_text(f"id,name\n0,{said}\n1,{classes.names[0]}\n")
        assert read_labels(path, classes).names == (name, classes.names[0])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("id,name\n0,kick\n2,sword\n", "does not number its classes one by one"),
        ("id,name\n", "does not number its classes"),
        ("", "does not number its classes"),
        ("id,name\nx,kick\n", "names 1 classes that hmdb51 does not have, first 'x,kick'"),
        ("0,kick\n1,juggling\n", "names 1 classes that hmdb51 does not have, first 'juggling'"),
        ('{"kick": "x"}', "is no label file"),
        ("{", "is no label file"),
        ("[" * 100_000, "is no label file"),
        ('{"kick": Infinity}', "is no label file"),
        ("kick 99999999999\n", "names 1 classes that hmdb51 does not have"),
        ('{"a": {"annotations": []}}', "is no label file"),
        ("kick\nkick\n", "names 'kick' twice"),
        (b"\xff\xfe", "is no UTF-8"),
    ],
)
def test_what_is_no_label_file(tmp_path, text, why):
    path = tmp_path / "labels.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=why):
        read_labels(path, HMDB)


def test_no_file(tmp_path):
    with pytest.raises(UserError, match="there is no label file"):
        read_labels(tmp_path, HMDB)


def test_every_published_label_file(published):
    """Read in the way that the command reads them, they say what a plain reading says."""
    seen = 0
    for benchmark, path in label_files(published):
        classes = load_classes(benchmark)
        expected = [classes.names[classes.id_of(name)] for name in by_number(path)]
        assert list(read_labels(path, classes).names) == expected, path
        seen += 1
    assert seen > 0


def test_published_files_with_numbers_after_names(published):
    """Lists of "name number" lines: each name has the number beside it."""
    path = published / "UniFormer/video_classification/data_list/k400/kinetics_400_categroies.txt"
    if not path.exists():
        pytest.skip(f"{path} is not at hand")
    classes = load_classes("kinetics400")
    numbering = read_labels(path, classes)
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        name, _, number = line.strip().rpartition("\t")
        place = int(number) - numbering.first
        assert classes.id_of(numbering.names[place]) == classes.id_of(name)


def test_json_of_both_directions_agree(tmp_path):
    names = HMDB.names[:5]
    texts = [json.dumps(dict(enumerate(names))), json.dumps({n: i for i, n in enumerate(names)})]
    found = set()
    for text in texts:
        (tmp_path / "l.json").write_text(text)
        found.add(read_labels(tmp_path / "l.json", HMDB).names)
    assert found == {names}
