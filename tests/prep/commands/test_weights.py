"""`prep weights` as it is called: training does the work in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from train.models.build import build_backbone
from train.models.config import SIZES
from train.models.weights import save_backbone


def weights(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-m", "prep.cli", "weights", *words],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    save_backbone(build_backbone(SIZES["clip-nano"], seed=3), folder / "clip-nano")
    return folder


def test_converted_and_shown(made: Path, tmp_path: Path) -> None:
    target = str(tmp_path / "inflated")
    words = ("convert", "clip-nano", target, "--inflate", "--models", str(made), "--json")
    done = weights(*words)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["kind"], found["frames"], found["context"]) == ("ViCLIP", 8, 32)
    shown = weights("show", target)
    assert shown.returncode == 0, shown.stderr
    assert found["digest"][:16] in shown.stdout and "ViCLIP: " in shown.stdout
    again = weights(*words)
    assert again.returncode == 1 and again.stdout == ""
    assert again.stderr.startswith("prep weights: ") and "say --overwrite" in again.stderr
    assert again.stderr.count("\n") == 1


def test_what_holds_no_weights_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "page.pth").write_text("<html>not found</html>")
    done = weights("show", str(tmp_path / "page.pth"))
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "neither safetensors nor a checkpoint" in done.stderr
