"""Repositories as Hugging Face `datasets` opens them: offline, in a process of its own."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from prep.hub.repository import export_set
from shards.store import ShardStore
from tests.prep.hub.sets import parted, shared, tar_rows
from tests.shards.made import CLASSES

_LOADER = Path(__file__).with_name("load_repository.py")


def _alone(cache: Path, *line: str, cwd: Path | None = None) -> str:
    """Run Python offline, with nothing of this project on its path."""
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(cache)}
    env.pop("PYTHONPATH", None)
    done = subprocess.run(
        [sys.executable, *line], env=env, capture_output=True, text=True, check=False, cwd=cwd
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Exported sets by name."""
    base = tmp_path_factory.mktemp("repositories")
    for name, make in (("shared", shared), ("parted", parted)):
        make(base / name / "custom")
        export_set("custom", base / name / "custom", base / "hub" / name)
    return {name: ShardStore.open(base / "hub" / name) for name in ("shared", "parted")}


@pytest.fixture(scope="module")
def loaded(stores, tmp_path_factory):
    """What `datasets` made of them: name -> streaming -> split."""
    cache = tmp_path_factory.mktemp("cache")
    folders = {str(store.folder): name for name, store in stores.items()}
    found = json.loads(_alone(cache, str(_LOADER), *folders, cwd=cache))
    return {folders[folder]: ways for folder, ways in found.items()}


@pytest.mark.parametrize("streaming", ["False", "True"])
@pytest.mark.parametrize(
    ("name", "splits"),
    [
        ("shared", {"full": "all"}),
        ("parted", {"train": "train", "validation": "val", "test": "test"}),
    ],
)
def test_every_clip_of_every_split_comes_in_order(stores, loaded, name, splits, streaming):
    store, found = stores[name], loaded[name][streaming]
    assert list(found) == list(splits)
    for split, partition in splits.items():
        clips = found[split]["clips"]
        assert [clip["json"]["row"] for clip in clips] == tar_rows(store, partition)
        assert found[split]["declared"] == len(clips)
        assert found[split]["names"] == list(CLASSES)
        assert found[split]["features"] == ["__key__", "__url__", "cls", "json", "mjpg"]
    assert sum(len(split["clips"]) for split in found.values()) == len(store)


def test_bytes_and_labels_are_those_of_the_set(stores, loaded):
    for name, store in stores.items():
        for way in loaded[name].values():
            for clip in (clip for split in way.values() for clip in split["clips"]):
                (i,) = store.index_of([clip["json"]["row"]]).tolist()
                jpegs = store.read_frames(i, range(store.frame_counts[i]))
                assert clip["jpegs"] == [hashlib.sha256(jpeg).hexdigest() for jpeg in jpegs]
                assert clip["left"] == 0
                assert clip["key"] == clip["json"]["key"] == store.keys[i].as_py()
                assert clip["cls"] == clip["json"]["class_id"] == store.labels[i]
                assert clip["json"]["source_frames"] == store.source_frames(i).tolist()


def test_clips_without_a_label_are_loaded_as_such(loaded):
    for way in loaded["parted"].values():
        assert {clip["cls"] for clip in way["test"]["clips"]} == {-1}


@pytest.mark.parametrize("name", ["shared", "parted"])
def test_the_code_on_the_card_runs(stores, tmp_path, name):
    card = (stores[name].folder / "README.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", card, re.MULTILINE | re.DOTALL)
    check = """
import json
splits = [clip["json"]["splits"] for clip in chosen] if "chosen" in dir() else None
whole = [jpeg[:2] + jpeg[-2:] == b"\\xff\\xd8\\xff\\xd9" for jpeg in jpegs]
print(json.dumps([label, whole, splits]))
"""
    code = f"REPOSITORY = {str(stores[name].folder)!r}\n" + "\n".join(blocks) + check
    label, whole, splits = json.loads(_alone(tmp_path, "-c", code, cwd=tmp_path))
    assert label in CLASSES
    assert whole and all(whole)
    if name == "shared":
        assert len(blocks) == 2
        assert len(splits) == stores[name].split("train1").sum()
        assert all(split["train1"] for split in splits)
