"""Sets at an address: those commands that only look read them, all others say what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from shards.subsets import few_shot
from tests.loaders.scenes import flat, store_of
from tests.prep.commands.said import refused, said
from tests.shards.servers import BUCKET, upload

SUBSET = "few-shot-train1-1-seed1"


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> Path:
    """The folder of a set of twelve clips, with a subset beside them."""
    store = store_of(tmp_path_factory.mktemp("set") / "custom", 12, flat)
    few_shot(store, 1, "train1", 1).save(store.folder)
    return store.folder.parent


@pytest.fixture(scope="module")
def address(local, s3_url) -> str:
    """The same set in a bucket."""
    upload(s3_url, local / "custom", "looked-at/custom")
    return f"s3://{BUCKET}/looked-at"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> None:
    """What is fetched goes below the working folder."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "words",
    [
        ("subset", "list"),
        ("subset", "check", SUBSET),
        ("subset", "export", SUBSET, "--out", "list.txt"),
        ("preview", "--subset", SUBSET, "--clips", 2, "--frames", 2, "--size", 32),
    ],
)
def test_what_only_looks_finds_what_lies_in_a_folder(words, local, address, s3):
    found, there = (
        said(*words, "--dataset", "custom", "--shards", place, "--json")
        for place in (address + "/", local)
    )
    assert (found.code, found.err) == (0, "")
    places = {"folder": None}  # what a list of subsets is of
    assert {**found.json, **places} == {**there.json, **places}
    assert Path("data/cache").is_dir()


def test_the_page_tells_the_address_and_fetches_what_it_shows(address, s3):
    words = ("--clips", 2, "--frames", 2, "--size", 32)
    done = said("preview", "--dataset", "custom", "--shards", address, *words)
    assert done.code == 0, done.err
    assert f"2 clips of 12 in {address}/custom, spread evenly" in Path("preview.html").read_text()
    assert 1 <= len({read.span for read in s3.reads(".tar")}) <= 2


def test_an_address_without_a_set_is_one_line(address, s3):
    words = ("--dataset", "ucf101", "--shards", address)
    assert f"no shards at {address}/ucf101: upload" in refused("subset", "list", *words)
    assert "shards are read from s3://" in refused(
        "preview", "--dataset", "ucf101", "--shards", "ftp://x/y"
    )


@pytest.mark.parametrize(
    "words",
    [
        ("verify", "--shards"),
        ("bench", "--shards"),
        ("export", "--hf", "hub", "--shards"),
        ("subset", "few-shot", "--shots", 1, "--shards"),
        ("subset", "full", "--shards"),
        ("subset", "import", "list.txt", "--shards"),
        ("shard", "--root", ".", "--out"),
        ("plan", "--root", ".", "--out"),
        ("describe", "lint", "--out"),
    ],
)
def test_what_needs_a_folder_says_how_to_come_by_one(words):
    Path("list.txt").write_text("v_a_g01_c01.avi 0\n")
    line = refused(*words, "hf://datasets/user/set", "--dataset", "ucf101")
    assert "hf://datasets/user/set is an address, and this works on folders" in line
    assert "copy hf://datasets/user/set/ucf101 to data/shards/ucf101 first" in line
    assert [path.name for path in Path().iterdir()] == ["list.txt"]
