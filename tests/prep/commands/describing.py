"""`prep describe` as its tests call it: on the toy benchmark, asking a server of theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from manifests.classes import load_classes
from tests.prep.commands.said import Said, refused, said
from tests.prep.descriptions.server import Server

TOY = load_classes("toy")
STEP = "generally involves the following step: "  # of each temporal sentence published

KEY = "sk-very-secret-0123456789"
WORDS = ("--dataset", "toy", "--n", 2, "--model", "talker-1")


def describe(server: Server, out: Path, *words: object) -> Said:
    return said("describe", *WORDS, "--base-url", server.url, "--out", out, "--json", *words)


def denied(server: Server, out: Path, *words: object) -> str:
    return refused("describe", *WORDS, "--base-url", server.url, "--out", out, *words)


def files(out: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in (out / "toy/descriptions").glob("*.json")}


def brought(path: Path, out: Path, *words: object) -> dict[str, Any]:
    found = said("describe", "import", path, "--out", out, "--json", *words)
    assert found.code == 0, found.err
    return found.json
