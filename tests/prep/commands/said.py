"""Command lines run in this process, as a user types them, and what they said."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from typing import Any

from prep.cli import main


@dataclass(frozen=True)
class Said:
    """Exit code and output of a command line."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Its output as JSON; empty when it was refused."""
        return json.loads(self.out) if self.out else {}


def said(*words: object) -> Said:
    """Run a command line of ``prep``."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(word) for word in words])
        except SystemExit as leave:  # tyro's way to answer wrong words and --help
            code = int(leave.code or 0)
    return Said(code, out.getvalue(), err.getvalue())


def refused(*words: object) -> str:
    """Run a command line that is refused, and give back its one line."""
    found = said(*words)
    assert (found.code, found.out) == (1, ""), found
    assert found.err.startswith(f"prep {words[0]}: "), found
    assert found.err.count("\n") == 1
    return found.err
