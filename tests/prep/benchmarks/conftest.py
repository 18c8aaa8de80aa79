"""Made-up raw folders: readers match names and never open a video, so empty files will do."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from prep.benchmarks import RawSource

Tree = Callable[..., Path]
Rows = Callable[[RawSource], dict[str, dict[str, object]]]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Make a raw folder of empty files, and of texts given by keyword ``texts``."""

    def make(*files: str, texts: dict[str, str | bytes] | None = None, name: str = "raw") -> Path:
        root = tmp_path / name
        root.mkdir(exist_ok=True)
        for file, content in {**dict.fromkeys(files, ""), **(texts or {})}.items():
            path = root / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return root

    return make


@pytest.fixture
def rows() -> Rows:
    """The clips of a source whose files are there, as records by official name."""

    def by_name(source: RawSource) -> dict[str, dict[str, object]]:
        there = source.clips.filter(source.clips["file"].is_valid())
        return {row["name"]: row for row in there.to_pylist()}

    return by_name


@pytest.fixture
def real_root(clips: Path, tmp_path: Path) -> Callable[[str], Path]:
    """A copy of the real clips of a benchmark, to be arranged at will."""

    def copy(benchmark: str) -> Path:
        return Path(shutil.copytree(clips / benchmark, tmp_path / benchmark))

    return copy
