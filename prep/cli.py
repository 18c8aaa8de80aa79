"""The command ``prep``: words -> dataclass -> run() -> report -> text, or JSON with ``--json``.

Each command is a dataclass of its words in a module of its own, imported only when it is called.
Exit codes: 0 done, 1 refused or failed (one line on stderr), 2 wrong words, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from manifests.errors import UserError


class Report(Protocol):
    """What a command gives back: for people, for programs, and whether it counts as done."""

    @property
    def exit_code(self) -> int:
        """0, or 1 when the work was done but its result is a refusal."""

    def text(self) -> str:
        """The report as people read it."""

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON values."""


class Command(Protocol):
    """Words of a command line, checked and typed."""

    def run(self) -> Report:
        """Do it."""


# name -> (module, what tyro parses into: a dataclass or a union of them, one line of help)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "shard": ("prep.commands.shard", "Shard", "decode raw videos once and write them as shards"),
    "scan": ("prep.commands.scan", "Scan", "what of a benchmark is there, and what is missing"),
    "plan": ("prep.commands.plan", "Plan", "bytes, files and hours of a set before it is made"),
    "subset": ("prep.commands.subset", "Subset", "draw, list and check subsets of a shard set"),
    "verify": ("prep.commands.verify", "Verify", "read every byte of a shard set again; repair"),
    "describe": ("prep.commands.describe", "Describe", "sentences about every class, and lint"),
    "preview": ("prep.commands.preview", "Preview", "what the model will see, as a page"),
    "bench": ("prep.commands.bench", "Bench", "what this machine does, stage by stage"),
