"""`prep export` as a user types it: what it makes, what it leaves alone, what it refuses."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from shards.info import Official
from shards.store import ShardStore
from shards.subsets import few_shot, load_subset
from shards.tables import rebuild_tables
from tests.prep.commands.said import refused, said
from tests.prep.hub.sets import named, parted, shared
from tests.prep.runs import shard
from tests.shards.made import made_store


def _words(base: Path, *more: object, hf: Path | None = None) -> tuple[object, ...]:
    where = base / "hub" if hf is None else hf
    return ("export", "--dataset", "custom", "--shards", base / "sets", "--hf", where, *more)


def _tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _written(folder: Path) -> dict[Path, tuple[int, int]]:
    """Which file it is and when it was last written, of everything below a folder."""
    found = {path: path.stat() for path in folder.rglob("*")}
    return {path: (stat.st_ino, stat.st_mtime_ns) for path, stat in found.items()}


@pytest.fixture
def base(tmp_path):
    """A folder with a set to export in ``sets/custom``."""
    store = shared(tmp_path / "sets" / "custom")
    few_shot(store, 2, "train1", 1).save(store.folder)
    return tmp_path


def test_the_repository_is_a_set(base):
    found = said(*_words(base, "--json")).json
    mine, there = ShardStore.open(base / "sets" / "custom"), ShardStore.open(base / "hub")
    assert found["identity"] == there.identity == mine.identity
    assert found["clips"] == found["splits"]["full"]["clips"] == len(there)
    assert found["files"]["linked"] == len(_tree(base / "sets" / "custom"))
    for i in range(len(mine)):
        assert there.read_frames(i, [0]) == mine.read_frames(i, [0])
    (name,) = found["subsets"]
    assert load_subset(there, name).hash == load_subset(mine, name).hash


def test_verify_finds_a_downloaded_repository_whole(base):
    assert said(*_words(base)).code == 0
    shutil.copytree(base / "hub", base / "downloaded" / "custom")
    words = ("verify", "--dataset", "custom", "--shards", base / "downloaded", "--decode", "all")
    assert said(*words, "--json").json["whole"]


def test_sums_are_right(base):
    said(*_words(base))
    lines = (base / "hub" / "SHA256SUMS").read_text().splitlines()
    listed = {line.split("  ", 1)[1]: line[:64] for line in lines}
    apart = {".gitattributes", "SHA256SUMS"}
    assert listed == {k: v for k, v in _tree(base / "hub").items() if k not in apart}


def test_again_changes_nothing(base):
    assert said(*_words(base)).code == 0
    before = _written(base / "hub")
    again = said(*_words(base, "--json")).json
    assert again["files"]["linked"] == again["files"]["copied"] == 0
    assert _written(base / "hub") == before


def test_a_set_that_grew_and_lost_is_brought_up_to_date(base):
    said(*_words(base))
    folder = base / "sets" / "custom"
    shutil.rmtree(folder)
    store = made_store(folder, 60, per_shard=30)
    few_shot(store, 3, "train1", 5).save(folder)
    assert said(*_words(base)).code == 0
    apart = {".gitattributes", "SHA256SUMS", "README.md", "croissant.json"}
    there = {k: v for k, v in _tree(base / "hub").items() if k not in apart}
    assert there == _tree(folder)
    assert f"identity {store.identity}" in (base / "hub" / "README.md").read_text()


@pytest.mark.parametrize("stop_at", ["shards/all-00002.tar", "dataset.json", "frames.arrow"])
def test_a_killed_run_looks_unfinished_and_is_gone_on_with(base, monkeypatch, stop_at):
    said(*_words(base, hf=base / "calm"))
    link = os.link

    def stop(source, target):
        if str(source).endswith(stop_at):
            raise KeyboardInterrupt
        link(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", stop)
        assert said(*_words(base)).code == 130
    assert not (base / "hub" / "README.md").exists()
    assert not (base / "hub" / "dataset.json").exists()
    assert said(*_words(base)).code == 0
    assert _tree(base / "hub") == _tree(base / "calm")


def test_an_unfinished_set_is_exported_on_request_and_the_card_says_so(base):
    rebuild_tables(base / "sets" / "custom", Official(100, 1))
    assert "--partial" in refused(*_words(base))
    assert not (base / "hub").exists()
    found = said(*_words(base, "--partial"))
    assert found.code == 0 and "not finished" in found.out
    assert "part of a set" in (base / "hub" / "README.md").read_text()
    content = json.loads((base / "hub" / "croissant.json").read_text())
    assert "part of a set" in content["description"]


def test_a_clone_of_an_empty_repository_is_filled(base):
    target = base / "hub"
    for name in (".git/config", ".cache/huggingface/x", ".gitattributes"):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text("theirs")
    assert said(*_words(base)).code == 0
    assert (target / ".gitattributes").read_text() == "theirs"
    assert (target / ".git/config").read_text() == "theirs"


def test_folders_of_others_are_left_alone(base):
    target = base / "mine"
    target.mkdir()
    (target / "thesis.tex").write_text("years of work")
    line = refused(*_words(base, hf=target))
    assert "thesis.tex" in line and "empty folder" in line
    assert _tree(target) == {"thesis.tex": hashlib.sha256(b"years of work").hexdigest()}
    (target / "SHA256SUMS").write_text(f"{hashlib.sha256(b'x').hexdigest()}  thesis.tex\n")
    assert "none that an export wrote" in refused(*_words(base, hf=target))
    assert (target / "thesis.tex").exists()
    other = parted(base / "other" / "custom").folder  # a set, but no export
    before = _tree(other)
    assert "none of an export" in refused(*_words(base, hf=other))
    assert _tree(other) == before


def test_a_card_changed_by_hand_is_kept(base):
    said(*_words(base))
    card = base / "hub" / "README.md"
    card.write_text(card.read_text() + "\nWith thanks to my aunt.\n")
    before = _tree(base / "hub")
    assert "was changed" in refused(*_words(base))
    assert _tree(base / "hub") == before
    card.rename(base / "card.md")
    assert said(*_words(base)).code == 0


def test_an_export_of_another_benchmark_is_left_alone(base):
    said(*_words(base))
    named(base / "sets" / "toy", "toy")
    before = _tree(base / "hub")
    words = ("export", "--dataset", "toy", "--shards", base / "sets", "--hf", base / "hub")
    assert "holds the export of custom" in refused(*words)
    assert _tree(base / "hub") == before


@pytest.mark.parametrize(
    ("where", "what"),
    [
        ("sets", "inside each other"),
        ("sets/custom", "inside each other"),
        ("sets/custom/hub", "inside each other"),
        ("file", "is a file"),
        ("file/hub", "not a directory"),
    ],
)
def test_places_it_cannot_go_to(base, where, what):
    (base / "file").write_text("")
    before = _tree(base)
    assert what in refused(*_words(base, hf=base / where))
    assert _tree(base) == before


def test_wrong_sets(base):
    none = refused("export", "--dataset", "ucf101", "--shards", base, "--hf", base / "hub")
    assert "no shards in" in none and "prep shard --dataset ucf101" in none
    (base / "sets" / "custom").rename(base / "sets" / "ucf101")
    line = refused("export", "--dataset", "ucf101", "--shards", base / "sets", "--hf", base / "hub")
    assert "holds shards of custom" in line
    assert not (base / "hub").exists()


def test_the_command_on_the_card_finds_nothing_to_make(calm, toy_root, tmp_path):
    """A real set: its card's command, and the set's own folders, plan the very same shards."""
    shutil.copytree(calm.folder, tmp_path / "sets" / "toy")
    words = ("export", "--dataset", "toy", "--shards", tmp_path / "sets", "--hf", tmp_path / "hub")
    assert said(*words, "--json").json["splits"].keys() == {"train", "validation", "test"}
    card = (tmp_path / "hub" / "README.md").read_text()
    (line,) = (line for line in card.splitlines() if line.startswith("prep shard "))
    made = shard("toy", toy_root, tmp_path / "sets", *line.split()[4:])
    assert made.code == 0
    assert (made.report["shards"]["made"], made.files) == (0, calm.files)
