"""Running `prep shard` as a user does, in this process or in one of its own, and what it made."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from prep.cli import main

REPOSITORY = Path(__file__).resolve().parents[2]
_MARK = "PREP_TEST_RUN"


@dataclass(frozen=True)
class Made:
    """What a run said and where its set lies."""

    folder: Path
    code: int
    report: dict[str, Any]
    error: str

    @property
    def files(self) -> dict[str, str]:
        """Sha256 of every file below shards/: tars, indexes, records."""
        return file_hashes(self.folder)

    @property
    def tables(self) -> dict[str, pa.Table]:
        """Content of the tables that people read."""
        return {
            name: pq.read_table(self.folder / name)
            for name in ("samples.parquet", "rejects.parquet")
        }


def words(dataset: str, root: Path, out: Path, *more: str) -> list[str]:
    """The command line of a run."""
    return ["shard", "--dataset", dataset, "--root", str(root), "--out", str(out), *more]


def shard(dataset: str, root: Path, out: Path, *more: str) -> Made:
    """Run it here, with --json."""
    said, complained = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
        code = main([*words(dataset, root, out, *more), "--json"])
    report = json.loads(said.getvalue()) if said.getvalue() else {}
    return Made(out / dataset, code, report, complained.getvalue())


def refused(dataset: str, root: Path, out: Path, *more: str) -> str:
    """Run it here, see that it ends with code 1 and one line, and give back that line."""
    made = shard(dataset, root, out, *more)
    assert made.code == 1
    assert made.report == {}
    assert made.error.startswith("prep shard: ")
    assert made.error.count("\n") == 1
    return made.error


def file_hashes(folder: Path) -> dict[str, str]:
    """Sha256 of every file below the shards/ of a set, temporary ones included."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((folder / "shards").iterdir())
    }


@dataclass(frozen=True)
class Apart:
    """A run in a process group of its own, and the mark all of its processes bear."""

    process: subprocess.Popen[str]
    mark: str

    def survivors(self, patience_s: float = 5.0) -> list[str]:
        """Command lines of its processes that are still there after some patience."""
        deadline = time.monotonic() + patience_s
        while (found := list(marked(self.mark))) and time.monotonic() < deadline:
            time.sleep(0.02)
        return found


def start(mark: str, line: list[str], **options: Any) -> Apart:
    """Start a command line of ``prep`` in a process group of its own; ``mark`` names it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "prep.cli", *line],
        cwd=REPOSITORY,
        env={**os.environ, _MARK: mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )
    return Apart(process, mark)


def marked(mark: str):
    """Command lines of all living processes that bear a mark in their environment."""
    wanted = f"{_MARK}={mark}".encode()
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted in (place / "environ").read_bytes().split(b"\0"):
                line = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                yield f"{place.name}: {line}"
