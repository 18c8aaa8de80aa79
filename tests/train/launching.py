"""Launching train/run.py for real, as users do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = str(ROOT / "train" / "run.py")
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("ACCELERATE")},
    "OMP_NUM_THREADS": "1",
}
LIMIT_S = 240
_RANKS = """
import sys
from train.processes import start_ranks
sys.exit(start_ranks(int(sys.argv[1]), sys.argv[2:]))
"""


def start(words: Sequence[str], *, ranks: int = 1, script: str = SCRIPT) -> subprocess.Popen[str]:
    """Start a run and return its process; with two ranks through `accelerate launch`."""
    command = [sys.executable, script]
    if ranks > 1:
        launcher = [sys.executable, "-m", "accelerate.commands.launch", "--quiet", "--cpu"]
        command = [*launcher, "--num_processes", str(ranks), script]
    return subprocess.Popen(
        [*command, *words],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str], limit_s: int = LIMIT_S) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a started run."""
    out, errors = process.communicate(timeout=limit_s)
    return process.returncode, out, errors


def launch(words: Sequence[str], *, ranks: int = 1) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a run."""
    return finish(start(words, ranks=ranks))


def launch_ranks(words: Sequence[str], count: int) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a run whose ranks are started with a launcher's variables.

    Spares the two processes before them, which load as much as a rank does: for what happens among
    ranks, however they came to be.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", _RANKS, str(count), SCRIPT, *words],
        env={**ENVIRONMENT, "ACCELERATE_USE_CPU": "true", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    return finish(process)


def wait_for_updates(out: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Wait until the log of a running run has so many lines; fails when the run ends before."""
    deadline = time.monotonic() + LIMIT_S
    while len(log(out)) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def log(out: Path) -> list[dict[str, Any]]:
    """Whole lines of a run's log."""
    path = out / "log.jsonl"
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]


def result(out: Path) -> dict[str, Any]:
    """The result of a finished run."""
    found: dict[str, Any] = json.loads((out / "result.json").read_text())
    return found


def adapter(out: Path, rule: str = "last") -> dict[str, torch.Tensor]:
    """The tensors a finished run wrote."""
    return load_file(out / f"adapter-{rule}.safetensors")
