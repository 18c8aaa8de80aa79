"""Wrong words of every command: exit code 2, one line, the nearest right word."""

from __future__ import annotations

import importlib
from dataclasses import fields
from typing import Any, get_args

import pytest

from manifests.boxes import paragraphs
from prep.cli import COMMANDS
from prep.spelling import plainly
from tests.prep.commands.said import said


def wrong(*words: str) -> str:
    """The one line that answers wrong words."""
    found = said(*words)
    assert (found.code, found.out) == (2, ""), found
    assert found.err.startswith(f"prep {words[0]}: "), found
    assert found.err.count("\n") == 1, found
    assert not set(found.err) & set("│╭╰─"), found
    return found.err.partition(": ")[2].strip()


def lines() -> list[tuple[tuple[str, ...], Any]]:
    """Every command, part by part, with the dataclass of its words."""
    found = []
    for name, (module, attribute, _) in COMMANDS.items():
        kind = getattr(importlib.import_module(module), attribute)
        parts = [get_args(part) for part in get_args(kind)]
        found += [((name, note.name), part) for part, note in parts] or [((name,), kind)]
    return found


@pytest.mark.parametrize(("words", "kind"), lines(), ids=str)
def test_the_nearest_option_of_every_command_is_named(words, kind):
    assert wrong(*words, "--zzz") == "there is no option --zzz: --help lists them all"
    for field in fields(kind):
        option = f"--{field.name.replace('_', '-')}"
        assert wrong(*words, f"{option}x").endswith(f"did you mean {option}?")


@pytest.mark.parametrize("name", [n for (n, *part), _ in lines() if part])
def test_a_wrong_part_and_none(name):
    parts = [line[1] for line, _ in lines() if line[0] == name]
    assert wrong(name) == f"say one of {', '.join(parts)}"
    for part in parts:
        line = wrong(name, f"{part[:-1]}", "--dataset", "toy")
        assert f"did you mean {part}? say one of {', '.join(parts)}" in line
    assert "there is no 'qqqq'; say one of" in wrong(name, "qqqq")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("shard --dataset", "--dataset stands without its value"),
        ("shard --dataset toy extra", "there is no place for extra"),
        ("shard --engine rai", "--engine rai: use one of local, ray; did you mean ray?"),
        ("shard --dataset toy --workers two", "--workers cannot be 'two': --workers N processes"),
        ("shard --dataset toy --clips_per_shard=x_y", "--clips-per-shard cannot be 'x_y': "),
        ("subset few-shot --dataset toy --shots 2 x", "--shots cannot be '2 x': --shots K [K ...]"),
        ("subset import --dataset toy", "wanting: FILE the list"),
        ("export --dataset toy", "wanting: --hf DIR the folder that becomes"),
        ("describe --datset toy", "there is no option --datset; did you mean --dataset?"),
    ],
)
def test_what_is_wrong_is_said_plainly(words, line):
    assert wrong(*words.split()).startswith(line)


def test_every_word_that_is_wanting_is_named():
    line = wrong("export")
    assert "--hf DIR" in line and "; --dataset NAME" in line and "(required)" not in line


def test_words_of_tyro_that_are_not_known_are_kept():
    box = "╭─ Wrong ─╮\n│ it is   │\n│ so      │\n│ ─────── │\n│ more    │\n╰─────────╯\n"
    assert plainly(paragraphs(box), ()) == "it is so"
