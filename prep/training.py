"""Training, started as a process of its own: prep never imports it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from manifests.errors import UserError


def trained(words: Sequence[str], out: Path, again: str) -> dict[str, Any]:
    """Run train/run.py into a folder, going on from what is there, and read its result.

    again: what to do once its fault is mended. Raises UserError when it fails; its own message
    stands on stderr before.
    """
    spec = importlib.util.find_spec("train")
    if spec is None or not spec.submodule_search_locations:
        raise UserError("the package train is not installed: run `pip install -e .` again")
    script = Path(next(iter(spec.submodule_search_locations))) / "run.py"
    command = [sys.executable, str(script), *words, "--out", str(out), "--resume"]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise UserError(
            f"{script.name} {words[0]} ended with exit code {done.returncode} (its message is "
            f"above); {again}"
        )
    result: dict[str, Any] = json.loads((out / "result.json").read_bytes())
    return result
