"""What of a set is exported, and what is refused."""

from __future__ import annotations

import hashlib
import shutil

import pytest

from manifests.errors import UserError
from prep.hub.contents import read_set
from shards.info import Official
from shards.subsets import few_shot
from shards.tables import rebuild_tables
from tests.prep.hub.sets import parted, shared
from tests.shards.made import made_store


def test_every_file_with_its_length_and_hash(tmp_path):
    store = shared(tmp_path / "custom")
    few_shot(store, 2, "train1", 1).save(store.folder)
    found = read_set("custom", store.folder)
    there = {p.relative_to(store.folder).as_posix(): p for p in store.folder.rglob("*.*")}
    assert {file.place for file in found.files} == set(there)
    for file in found.files:
        data = there[file.place].read_bytes()
        assert (file.bytes, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert found.files[-1].place == "dataset.json"
    assert found.rejects == {"unreadable": 1}
    assert [subset.name for subset in found.subsets]


def test_splits_are_named_as_hugging_face_does(tmp_path):
    store = parted(tmp_path / "custom")
    splits = read_set("custom", store.folder).splits
    assert [split.name for split in splits] == ["train", "validation", "test"]
    assert sum(split.clips for split in splits) == len(store)


def test_leftovers_and_caches_stay_behind(tmp_path):
    store = shared(tmp_path / "custom")
    for name in (".run.lock", "README.md", "descriptions/.cache/1.json", "shards/.x.tmp", "a.txt"):
        path = store.folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text("{}")
    places = {file.place for file in read_set("custom", store.folder).files}
    assert not [place for place in places if place.startswith((".", "a.", "README", "desc"))]
    assert not [place for place in places if "/." in place]


def test_a_set_that_is_not_finished_takes_consent(tmp_path):
    store = made_store(tmp_path / "custom", 24)
    rebuild_tables(store.folder, Official(100, 0))
    with pytest.raises(UserError, match=r"not finished.*prep shard.*--partial"):
        read_set("custom", store.folder)
    assert not read_set("custom", store.folder, partial=True).info.complete


def test_damage_is_named(tmp_path):
    whole = shared(tmp_path / "whole" / "custom").folder
    tar = next((whole / "shards").glob("*.tar"))

    def refused(name: str, harm) -> str:
        folder = tmp_path / name / "custom"
        shutil.copytree(whole, folder)
        harm(folder)
        with pytest.raises(UserError) as error:
            read_set("custom", folder)
        return str(error.value)

    cut = refused("cut", lambda f: (f / "shards" / tar.name).write_bytes(b"short"))
    assert tar.name in cut and "prep verify" in cut
    gone = refused("gone", lambda f: (f / "shards" / tar.name).with_suffix(".idx").unlink())
    assert ".idx" in gone
    record = tar.with_suffix(".json").name
    assert "damaged" in refused("bad", lambda f: (f / "shards" / record).write_text("{}"))
    assert "another state" in refused("lost", lambda f: (f / "shards" / record).unlink())
    assert "holds shards of custom" in _other(whole)


def _other(folder) -> str:
    with pytest.raises(UserError) as error:
        read_set("toy", folder)
    return str(error.value)


def test_a_subset_that_does_not_fit_is_named(tmp_path):
    store = made_store(tmp_path / "a" / "custom", 40)
    smaller = made_store(tmp_path / "b" / "custom", 24)
    subset = few_shot(store, 4, "train1", 1)
    subset.save(smaller.folder)
    with pytest.raises(UserError, match=f"subset {subset.name} does not fit"):
        read_set("custom", smaller.folder)
