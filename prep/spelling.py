"""Wrong words of ``prep``, each told in one line with the nearest right one.

tyro reads the words and checks every type. Which parts and options a command has is looked at
here before, since tyro draws a box of many lines and seldom names the word that was meant; what it
finds wrong beyond that comes out of its box as a line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, get_args

from manifests.near import did_you_mean

_HELP = ("-h", "--help")
_CHOICE = re.compile(
    r"invalid choice '(.*)' for argument '(--\S+)'\. Expected one of \((.*)\) ?\.?"
)


def wrong_word(kind: Any, words: Sequence[str]) -> str | None:
    """What is wrong with the first part or option that a command has not; None if it has all.

    ``kind`` is what tyro parses into: a dataclass, or a union of them, the parts of a command.
    """
    parts = {note.name: part for part, note in map(get_args, get_args(kind))}
    if parts:
        if words and words[0] in _HELP:
            return None
        part, words = (words[0], words[1:]) if words else ("", ())
        if part not in parts:
            there = f"say one of {', '.join(parts)}"
            hint = did_you_mean(part, parts) or ";"
            return f"there is no {part!r}{hint} {there}" if part else there
        kind = parts[part]
    options = [f"--{field.name.replace('_', '-')}" for field in fields(kind)]
    for word in words:
        name = word.partition("=")[0]
        if not re.fullmatch(r"--\w[\w-]*", name):
            continue
        if name.replace("_", "-") not in (*options, *_HELP):
            hint = did_you_mean(name, options) or ": --help lists them all"
            return f"there is no option {name}{hint}"
    return None


def plainly(paragraphs: Sequence[str], words: Sequence[str]) -> str:
    """What a box says of some words, in one line; its first paragraph where nothing is known."""
    first, *more = paragraphs
    if choice := _CHOICE.fullmatch(first):
        value, option, listed = choice.groups()
        known = re.findall(r"'([^']*)'", listed)
        return f"{option} {value}: use one of {', '.join(known)}{did_you_mean(value, known)}"
    if first.startswith("Missing from "):
        items = first.partition(": ")[2].split(" (required)")
        return f"wanting: {'; '.join(item.strip() for item in items if item.strip())}"
    if first.startswith("Unrecognized options: "):
        return f"there is no place for {first.partition(': ')[2]}"
    if empty := re.match(r"Missing value for argument '(--\S+)'", first):
        return f"{empty[1]} stands without its value"
    failed = re.match(r"Error parsing (--\S+): ", first)
    told = [line.partition(": ")[2] for line in more if line.startswith("Argument helptext: ")]
    if failed and told:
        return f"{failed[1]} cannot be {_value(failed[1], words)!r}: {told[0]}"
    return first


def _value(option: str, words: Sequence[str]) -> str:
    """The words that follow an option, up to the next one; or those after its sign of equality."""
    joined = " ".join(words)
    found = re.search(rf"(?:^| ){re.escape(option)}[ =](.*?)(?= --|$)", joined.replace("_", "-"))
    return joined[found.start(1) : found.end(1)] if found else ""
