"""A small world that tests of training share: toy shards, captioned clips, nano weights."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from accelerate.state import AcceleratorState

from tests.train.toy_set import captioned_shards, nano_weights, toy_shards


@dataclass(frozen=True)
class World:
    """Folders as `--shards` and `--models` name them.

    shards: holds toy/, 3 clips per class to train on, 1 for validation, 2 to test. captions:
    holds custom/, 96 captioned clips. models: holds nano/.
    """

    shards: Path
    captions: Path
    models: Path


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Made once; tests that would change it copy it first."""
    base = tmp_path_factory.mktemp("world")
    made = World(base / "shards", base / "captions", base / "models")
    toy_shards(made.shards, {"train": 3, "val": 1, "test": 2})
    captioned_shards(made.captions, 96)
    nano_weights(made.models)
    return made


@pytest.fixture
def one_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Accelerate on one CPU process; it keeps one state for all that a process makes of it."""
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture
def toy(world: World, tmp_path: Path) -> Path:
    """Toy shards that a test may put subsets beside."""
    shutil.copytree(world.shards / "toy", tmp_path / "toy")
    return tmp_path
