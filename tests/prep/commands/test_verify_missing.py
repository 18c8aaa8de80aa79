"""missing.csv of a set: every damage is found, and mended as `prep shard --finish` writes it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from prep.cli import main
from shards.info import MISSING, load_info
from tests.prep.commands.said import said
from tests.prep.commands.verifying import files, verify
from tests.prep.runs import shard, words

SMALL = ("--frames", "2", "--short-side", "32", "--workers", "1")


@pytest.fixture(scope="module")
def raw(toy_root, tmp_path_factory) -> Path:
    """The toy videos without two of them."""
    root = Path(shutil.copytree(toy_root, tmp_path_factory.mktemp("fewer") / "raw"))
    for path in sorted(root.rglob("*.mp4"))[::40]:
        path.unlink()
    return root


@pytest.fixture(scope="module")
def made(raw, tmp_path_factory) -> Path:
    folder = shard("toy", raw, tmp_path_factory.mktemp("made"), *SMALL).folder
    assert load_info(folder).official.missing == 2
    return folder


@pytest.fixture
def folder(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "toy"))


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[70] ^= 1
    path.write_bytes(data)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def _both(path: Path) -> None:
    _flip(path)
    path.with_name("dataset.json").unlink()


@pytest.mark.parametrize("damage", [_flip, _cut, Path.unlink])
def test_it_is_found_and_mended(folder, raw, damage):
    before = files(folder)
    damage(folder / MISSING)
    found = verify(folder, "--json")
    assert found.code == 1
    assert [(f["place"], f["mend"]) for f in found.json["faults"]] == [(MISSING, "missing")]
    assert "write missing.csv anew (--repair, or `prep shard --finish`)" in verify(folder).out
    refused = verify(folder, "--repair", "--root", folder / "nowhere", "--json")
    assert refused.code == 1
    (line,) = refused.json["not_done"]
    assert line.startswith("missing.csv could not be written anew: raw folder of toy")
    assert verify(folder, "--repair", "--root", raw).code == 0
    assert files(folder) == before


@pytest.mark.parametrize("damage", [_flip, _both])
def test_finish_gives_the_same_bytes(folder, raw, damage):
    before = files(folder)
    damage(folder / MISSING)
    assert main([*words("toy", raw, folder.parent, *SMALL), "--finish"]) == 0
    assert files(folder) == before


def test_with_dataset_json(folder, raw):
    before = files(folder)
    _both(folder / MISSING)
    assert verify(folder, "--repair", "--root", raw).code == 0
    assert files(folder) == before


def test_dataset_json_without_the_official_list(folder):
    (folder / "dataset.json").unlink()
    found = verify(folder, "--repair", "--root", folder / "nowhere")
    assert "not done: dataset.json is rebuilt without the counts of the official list" in found.out
    assert load_info(folder).official is None


def test_an_export_takes_it_once_and_is_whole(folder, tmp_path):
    target = tmp_path / "hub" / "toy"
    assert said("export", "--dataset", "toy", "--shards", folder.parent, "--hf", target).code == 0
    assert (target / "SHA256SUMS").read_text().count(MISSING) == 1
    found = verify(target, "--json")
    assert (found.code, found.json["foreign"]) == (0, [])
    _flip(target / MISSING)
    assert verify(target).code == 1
