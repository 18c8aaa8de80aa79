"""`prep subset`: the same words give the same file; what does not fit is one line."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shards.store import ShardStore
from shards.subsets import few_shot, read_subset
from tests.prep.commands.said import Said, refused, said
from tests.shards.made import made_store

DRAW = ("few-shot", "--dataset", "custom", "--split", "train1")


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eighty clips, twenty a class, half of each train1."""
    folder = tmp_path_factory.mktemp("shards")
    made_store(folder / "custom", 80, per_shard=20)
    return folder


@pytest.fixture
def shards(ready: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ready, tmp_path / "shards"))


def _subset(shards: Path, *words: object) -> Said:
    return said("subset", *words, "--shards", shards)


def _refused(shards: Path, *words: object) -> str:
    return refused("subset", *words, "--shards", shards)


def test_draws_are_nested_files_of_their_own(shards):
    found = _subset(shards, *DRAW, "--shots", 2, 4, 8, "--seed", 3, "--json")
    assert found.code == 0
    drawn = found.json["subsets"]
    assert [item["name"] for item in drawn] == [f"few-shot-train1-{k}-seed3" for k in (2, 4, 8)]
    assert [item["clips"] for item in drawn] == [8, 16, 32]
    assert all(item["new"] for item in drawn)
    subsets = [read_subset(shards / "custom", item["name"]) for item in drawn]
    assert [subset.hash for subset in subsets] == [item["hash"] for item in drawn]
    rows = [set(subset.rows.tolist()) for subset in subsets]
    assert rows[0] < rows[1] < rows[2]
    assert all(Path(item["file"]).is_file() for item in drawn)


def test_drawing_again_changes_nothing(shards):
    first = _subset(shards, *DRAW, "--shots", 4, 2)
    before = {p.name: p.read_bytes() for p in (shards / "custom" / "subsets").iterdir()}
    again = _subset(shards, *DRAW, "--shots", 2, 4, 2)
    assert (first.out.count("(written)"), first.out.count("hash equal")) == (2, 0)
    assert (again.out.count("(written)"), again.out.count("hash equal")) == (0, 2)
    assert {p.name: p.read_bytes() for p in (shards / "custom" / "subsets").iterdir()} == before


def test_text_names_clips_hash_and_file(shards):
    lines = _subset(shards, *DRAW, "--shots", 2).out.splitlines()
    subset = few_shot(ShardStore.open(shards / "custom"), 2, "train1", 1)
    file = shards / "custom" / "subsets" / f"{subset.name}.json"
    assert lines[1].split()[:5] == [subset.name, "8", "4", subset.hash[:16], str(file)]


def test_another_draw_under_the_name_is_kept_unless_told(shards):
    store = ShardStore.open(shards / "custom")
    name = "few-shot-train1-2-seed1"
    other = replace(few_shot(store, 2, "train1", 9), name=name)
    path = other.save(shards / "custom")
    assert f"{path} holds another draw" in _refused(shards, *DRAW, "--shots", 2, 4)
    assert [p.name for p in path.parent.iterdir()] == [path.name]  # nor was the 4-shot one written
    assert _subset(shards, *DRAW, "--shots", 2, "--anew").code == 0
    assert read_subset(shards / "custom", name).hash == few_shot(store, 2, "train1", 1).hash


def test_a_damaged_file_is_told_and_replaced_when_told(shards):
    _subset(shards, *DRAW, "--shots", 2)
    path = shards / "custom" / "subsets" / "few-shot-train1-2-seed1.json"
    good = path.read_bytes()
    path.write_bytes(good[:-30])
    assert f"{path} is damaged" in _refused(shards, *DRAW, "--shots", 2)
    assert _subset(shards, *DRAW, "--shots", 2, "--anew").code == 0
    assert path.read_bytes() == good


def test_too_few_clips(shards):
    line = _refused(shards, *DRAW, "--shots", 2, 11)
    assert "4 classes of custom have fewer than 11 clips in train1" in line
    assert not (shards / "custom" / "subsets").exists()
    found = _subset(shards, *DRAW, "--shots", 11, "--allow-fewer", "--json")
    assert found.json["subsets"][0]["clips"] == 40
    assert _subset(shards, "check", "few-shot-train1-11-seed1", "--dataset", "custom").code == 0


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("few-shot", "--dataset", "custom", "--shots", "2"), "custom has no split 'train': use "),
        ((*DRAW, "--shots", "0"), "0 shots are none"),
        ((*DRAW, "--shots"), "no number of shots"),
        (("list", "--dataset", "toy"), "no shards in"),
        (("check", "x", "--dataset", "costum"), "there is no benchmark 'costum'"),
        (("check", "x", "--dataset", "custom"), "no subset 'x' in"),
        (("check", "../x", "--dataset", "custom"), "'../x' is no name for a subset"),
    ],
)
def test_what_cannot_be_is_one_line(shards, words, line):
    assert line in _refused(shards, *words)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("few-shots",),
        ("few-shot", "--dataset", "custom"),
        (*DRAW, "--shots", "two"),
        ("check",),
    ],
)
def test_wrong_words(words):
    found = said("subset", *words)
    assert (found.code, found.out) == (2, "")
    assert "Traceback" not in found.err


def test_a_place_that_cannot_be_written(shards):
    (shards / "custom" / "subsets").write_text("in the way")
    assert "cannot write" in _refused(shards, *DRAW, "--shots", 2)


def test_list_shows_every_file_and_its_state(shards):
    assert "no subset in" in _subset(shards, "list", "--dataset", "custom").out
    _subset(shards, *DRAW, "--shots", 2, 4, 8)
    folder = shards / "custom" / "subsets"
    text = (folder / "few-shot-train1-4-seed1.json").read_text()
    (folder / "few-shot-train1-4-seed1.json").write_text(text.replace('"seed":1', '"seed":2'))
    store = ShardStore.open(shards / "custom")
    replace(few_shot(store, 2, "train1", 1), benchmark="ucf101", name="foreign").save(store.folder)
    (folder / "notes.txt").write_text("no subset")
    found = _subset(shards, "list", "--dataset", "custom", "--json")
    state = {item["name"]: item["fault"] for item in found.json["subsets"]}
    assert state["few-shot-train1-2-seed1"] == state["few-shot-train1-8-seed1"] == ""
    assert "changed by hand" in state["few-shot-train1-4-seed1"]
    assert state["foreign"] == "it is of ucf101"
    assert len(state) == 4
    text = _subset(shards, "list", "--dataset", "custom").out
    assert found.code == 0
    assert "few-shot-train1-8-seed1  few-shot     32        4" in text
    assert "foreign: it is of ucf101" in text


def test_check_of_a_whole_subset(shards):
    _subset(shards, *DRAW, "--shots", 2)
    words = ("check", "few-shot-train1-2-seed1", "--dataset", "custom")
    found = _subset(shards, *words)
    assert found.code == 0
    assert "8 clips of 4 classes" in found.out
    assert "a new draw gives the same" in found.out
    assert _subset(shards, *words, "--json").json["redraw_equal"] is True


def test_check_of_half_the_classes(shards):
    """Candidates are part of the draw: a draw over two classes is drawn again over those two."""
    store = ShardStore.open(shards / "custom")
    two = replace(store.classes, classes=store.classes.classes[1:3])
    replace(few_shot(store, 2, "train1", 1, classes=two), name="two").save(store.folder)
    assert _subset(shards, "check", "two", "--dataset", "custom").code == 0


@pytest.mark.parametrize("published", [False, True])
def test_check_of_a_subset_whose_clips_a_draw_would_not_give(shards, published):
    """Drawn from other clips than are stored now; a published list, though, was never drawn."""
    store = ShardStore.open(shards / "custom")
    other = few_shot(store, 2, "train1", 7)
    kind = "imported" if published else "few-shot"
    replace(other, name="mine", seed=1, kind=kind).save(store.folder)
    found = _subset(shards, "check", "mine", "--dataset", "custom", "--json")
    assert (found.code, found.json["redraw_equal"]) == ((0, True) if published else (1, False))
    if not published:
        assert "a new draw gives 8 clips" in found.json["fault"]


def test_check_of_what_does_not_fit(shards):
    store = ShardStore.open(shards / "custom")
    drawn = few_shot(store, 2, "train1", 1)
    replace(drawn, name="foreign", benchmark="ucf101").save(store.folder)
    line = _refused(shards, "check", "foreign", "--dataset", "custom")
    assert "subset foreign is of ucf101, the shards are of custom" in line
    gone = replace(drawn, name="gone", rows=np.append(drawn.rows[:-1], 5000))
    gone.save(store.folder)
    assert "row 5000" in _refused(shards, "check", "gone", "--dataset", "custom")
    replace(drawn, name="split", parameters={"split": "train9", "shots": 2}).save(store.folder)
    found = _subset(shards, "check", "split", "--dataset", "custom")
    assert found.code == 1
    assert "cannot be drawn again: custom has no split 'train9'" in found.out


def test_help_shows_what_there_is():
    text = said("subset", "--help").out
    assert all(word in text for word in ("few-shot", "list", "check", "2-shot set"))
    text = said("subset", "few-shot", "--help").out
    assert all(word in text for word in ("--shots K [K ...]", "--seed N", "--allow-fewer"))
    assert "--no-allow-fewer" not in text


def test_json_of_a_draw_is_small(shards):
    text = _subset(shards, *DRAW, "--shots", 8, "--json").out
    assert "rows" not in json.loads(text)["subsets"][0]
