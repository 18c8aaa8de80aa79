"""Rendered videos to shard, and the set an undisturbed run makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from prep.toy.appearance import Appearance
from prep.toy.cast import benchmark_cast
from prep.toy.studio import shoot_all, write_benchmark_list
from tests.prep.runs import Made, shard


@pytest.fixture(scope="session")
def toy_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seventy-two real videos of the toy benchmark, and three broken ones."""
    root = tmp_path_factory.mktemp("raw") / "toy"
    parts = benchmark_cast(7, {"train": 1, "val": 1, "test": 1}, broken=3)
    shoot_all(parts, 7, root, Appearance(), workers=2)
    write_benchmark_list(parts, root)
    return root


@pytest.fixture(scope="session")
def calm(toy_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The set that one undisturbed run of one worker makes."""
    return shard("toy", toy_root, tmp_path_factory.mktemp("calm"), "--workers", "1")
