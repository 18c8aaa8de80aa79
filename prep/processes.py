"""A module run as a process of its own, and its answer: both halves of one small protocol.

::

    ask("prep.bench.child", {"way": "read", …})
        --python -m prep.bench.child '{"way": "read", …}'-->  {"clips": 256, …}      exit code 0
                                                              {"error": "one line"}  exit code 1

Words are one argument, so what a user sees in `ps` can be typed again. The answer is the last line
of stdout, as libraries print there too.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from typing import IO, Any

from manifests.errors import UserError

Words = Mapping[str, Any]


def ask(
    module: str,
    words: Words,
    *,
    environment: Mapping[str, str] | None = None,
    limit: float | None = None,
    heard: bool = False,
) -> dict[str, Any]:
    """Run ``python -m module WORDS`` and read the JSON object that it answers with.

    environment: what is added to this process's. limit: seconds until it is killed; None: never.
    heard: its stderr is this process's, for progress; else its last line is told when it fails.
    Raises UserError, one line, when its package is not installed, when it answers with an error,
    and when it ends or is ended without an answer.
    """
    if importlib.util.find_spec(module.partition(".")[0]) is None:
        raise UserError(f"{module} is not installed: run `pip install -e .` again")
    # Files, not pipes: a pipe that a process of the child's still holds would be waited for.
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        try:
            code = subprocess.run(
                [sys.executable, "-m", module, json.dumps(words)],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=None if heard else stderr,
                env={**os.environ, **(environment or {})},
                timeout=limit,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            raise UserError(f"{module} did not end within {limit:g} s and was stopped") from None
        answer = _answer(_last_line(stdout))
        said = "its message is above" if heard else _last_line(stderr) or "it said nothing"
    if answer is not None and "error" in answer:
        raise UserError(answer["error"])
    if answer is None or code:
        raise UserError(f"{module} {_ended(code)}: {said}")
    return answer


def serve(work: Callable[[dict[str, Any]], dict[str, Any]]) -> int:
    """In the child: do the work that its words ask for and print its answer; the exit code."""
    try:
        answer = work(json.loads(sys.argv[1]))
    except UserError as error:
        answer = {"error": str(error)}
    sys.stdout.write(f"\n{json.dumps(answer)}\n")  # a line of its own, whatever was printed before
    return int("error" in answer)


def _last_line(file: IO[bytes]) -> str:
    file.seek(0)
    lines = file.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _answer(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}" + ("" if code else " and no result")
    want = ", perhaps for want of memory" if -code == signal.SIGKILL else ""
    return f"was ended by signal {-code}, {signal.strsignal(-code)}{want}"
