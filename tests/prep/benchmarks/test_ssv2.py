"""Something-Something V2: official lists, both names of the files, templates in brackets."""

from __future__ import annotations

import json
import shutil

import pytest

from manifests.errors import UserError
from prep.benchmarks import SOURCES
from shards.schema import check_clips

read = SOURCES["ssv2"]
CLOSING = {"id": "7", "label": "closing a door", "template": "Closing [something]"}
OPENING = {"id": "11", "label": "opening a box", "template": "Opening [something]"}
HOLDING = {"id": "3", "label": "holding pen", "template": "Holding [something]"}


def made(old=False, **entries: object) -> dict[str, str]:
    prefix = "something-something-v2-" if old else ""
    return {f"labels/{prefix}{name}.json": json.dumps(part) for name, part in entries.items()}


def test_official_counts(tree, annotations):
    source = read(tree("20bn-something-something-v2/74225.webm"), annotations / "ssv2")
    check_clips(source.clips)
    assert source.splits == ("val", "test")
    assert source.clips["split_val"].to_pylist().count(True) == 24777
    assert source.clips["split_test"].to_pylist().count(True) == 27157
    val = source.clips.filter(source.clips["split_val"])
    assert val["name"][0].as_py() == "74225"
    assert len(set(val["class_id"].to_pylist())) == 174
    test = source.clips.filter(source.clips["split_test"])
    assert set(test["class_id"].to_pylist()) == {-1}
    assert set(test["class_name"].to_pylist()) == {""}
    assert source.notes == (f"no train.json in {annotations}/ssv2/labels: gone on without",)


def test_real_clips_under_official_names(real_root, annotations, rows):
    root = real_root("ssv2")
    official = json.loads((annotations / "ssv2/labels/validation.json").read_text("utf-8"))
    shutil.move(root / "unknown_id", root / "20bn-something-something-v2")
    files = sorted((root / "20bn-something-something-v2").iterdir())
    for file, entry in zip(files, official, strict=False):
        file.rename(file.with_name(f"{entry['id']}.webm"))
    source = read(root, annotations / "ssv2")
    assert {name: row["class_name"] for name, row in rows(source).items()} == {
        entry["id"]: entry["template"].replace("[", "").replace("]", "")
        for entry in official[: len(files)]
    }


@pytest.mark.parametrize("old", [False, True])
def test_both_names_of_the_files(tree, rows, old):
    texts = made(
        old,
        labels={"Closing something": "5"},
        train=[CLOSING, OPENING],
        validation=[HOLDING],
        test=[{"id": "1"}],
    )
    source = read(tree("11.webm", "3.mp4", "99.webm", texts=texts))
    assert source.splits == ("train", "val", "test")
    found = rows(source)
    assert found["11"]["class_name"] == "Opening something"
    assert (found["3"]["partition"], found["3"]["file"]) == ("val", "3.mp4")
    assert source.unexpected == ("99.webm",)
    assert source.clips["row"].to_pylist() == [0, 1, 10_000_000, 20_000_000]


def test_a_train_list_that_comes_later_renumbers_nothing(tree, rows):
    before = read(tree("3.webm", texts=made(validation=[HOLDING])))
    after = read(tree("3.webm", texts=made(validation=[HOLDING], train=[CLOSING, OPENING])))
    first, second = rows(before)["3"], rows(after)["3"]
    assert (first["row"], first["key"]) == (second["row"], second["key"])


def test_the_same_id_listed_twice_keeps_both_rows(tree):
    source = read(tree("3.webm", texts=made(validation=[HOLDING, HOLDING])))
    assert source.clips["file"].to_pylist() == ["3.webm", "3.webm"]
    check_clips(source.clips)
    assert "1 clip named more than once by the lists in " in source.notes[-1]


def test_a_list_under_two_names_is_told(tree):
    texts = made(test=[HOLDING, CLOSING], validation=[HOLDING])
    old = {
        f"{name.replace('validation', 'something-something-v2-validation')}": text
        for name, text in texts.items()
        if "validation" in name
    }
    source = read(tree("3.webm", texts={**texts, **old}))
    (path,) = old
    assert source.notes[0].endswith(f"also there and not counted: {source.root / path}")
    assert "1 clip named more than once by the lists in " in source.notes[-1]
    assert ", first 3" in source.notes[-1]


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (made(train=[{**CLOSING, "template": "Juggling [something]"}]), "has no class 'Juggling"),
        (made(train=[{"id": "1", "label": "x"}]), "no field 'template'"),
        (made(test=[{"name": "1"}]), "no field 'id'"),
        (made(train={"a": 1}), "no field"),
        (made(test="text"), "holds no list"),
        (made(validation=[1, 2]), "not a list of entries with an id each"),
        (made(validation=[]), r"validation\.json lists no clip"),
        ({"train.json": b"\xff\xfe"}, "^annotation file .*train.json is no UTF-8 text"),
        ({"train.json": "[{"}, r"train\.json: .*is it the official ssv2 list\?"),
        ({"train.json": "[" * 100_000}, r"train\.json: this is no JSON, or was cut short"),
        ({"train.json": "[]".encode("utf-16-le")}, "no UTF-8 text .a zero byte after 1 others"),
        (made(test=[{"id": None}]), "no field 'id' of text in {'id': None}"),
        (made(labels={"Closing something": "6"}), "class 'Closing something' is not number 6"),
        (made(labels={"Closing something": "5"}), "holds no list of ssv2"),
    ],
)
def test_wrong_lists(tree, texts, why):
    with pytest.raises(UserError, match=why):
        read(tree("3.webm", texts=texts))


def test_parts_as_they_are_downloaded(tree):
    root = tree(*(f"20bn-something-something-v2-{part:02d}" for part in range(20)))
    with pytest.raises(UserError) as refusal:
        read(root)
    assert (
        "20bn-something-something-v2-00 is not unpacked (one of 20 archives): run "
        "`cat 20bn-something-something-v2-?? | tar xz` in its folder"
    ) in str(refusal.value)
