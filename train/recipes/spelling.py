"""Wrong words of a command line, each told in one line with the nearest right one.

The options are those of a record: a dataclass of plain fields and of further dataclasses, whose
fields are options too, all in one flat list. tyro reads them and checks every type; it lists the
choices of a wrong value without saying which one was meant, and draws a box around what it says.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Final, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

from manifests.near import did_you_mean

_HELP: Final = ("--help", "-h")


def wrong(program: str, message: str) -> NoReturn:
    """Say it in one line, and leave with 2."""
    sys.stderr.write(f"{program}: {message}\n")
    sys.exit(2)


def options_of(record: Any) -> dict[str, tuple[str, ...]]:
    """Options of a record, `--name`, with the words each can be; () where there is no list."""
    found: dict[str, tuple[str, ...]] = {}
    hints = get_type_hints(type(record), include_extras=True)
    for field in fields(record):
        value, hint = getattr(record, field.name), hints[field.name]
        if is_dataclass(value) and not hasattr(hint, "__metadata__"):
            found |= options_of(value)
            continue
        name = _name(field.name, hint)
        found[f"--{name}"] = tuple(map(str, _choices(hint)))
        if isinstance(value, bool):
            found[f"--no-{name}"] = ()
    return found


def _name(field: str, hint: Any) -> str:
    """The field's own name, unless an annotation gives the option another one."""
    for note in getattr(hint, "__metadata__", ()):
        field = getattr(note, "name", None) or field
    return field.replace("_", "-")


def _choices(hint: Any) -> tuple[Any, ...]:
    """Values of a Literal, also in a tuple or beside None."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    if hasattr(hint, "__metadata__"):
        return _choices(get_args(hint)[0])
    if get_origin(hint) in (tuple, Union, types.UnionType):
        return tuple(choice for part in get_args(hint) for choice in _choices(part))
    return ()


def unknown_option(record: Any, words: Sequence[str]) -> str:
    """The first option among some words that a record has not; empty when it has all."""
    known = (*options_of(record), *_HELP)
    names = (word.partition("=")[0].replace("_", "-") for word in words if word.startswith("--"))
    return next((name for name in names if name not in known), "")


def unknown_choice(record: Any, words: Sequence[str]) -> str | None:
    """What is wrong with the first value that is none of its option's choices."""
    options = options_of(record)
    option = ""
    for word in words:
        value = word
        if word.startswith("--"):
            option, given, value = word.partition("=")
            option = option.replace("_", "-")
            if not given:
                continue
        choices = options.get(option, ())
        if choices and value not in choices:
            allowed = ", ".join(choices)
            return f"{option} {value}: use one of {allowed}{did_you_mean(value, choices)}"
    return None
