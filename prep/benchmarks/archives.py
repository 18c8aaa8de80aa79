"""Archives that lie in a raw folder as they were downloaded, and the command that unpacks them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

# A suffix that ends like another comes first.
_COMMANDS = {
    ".rar": "unrar x {}",
    ".zip": "unzip {}",
    ".7z": "7z x {}",
    ".tar": "tar xf {}",
    ".tgz": "tar xf {}",
    ".tar.gz": "tar xf {}",
    ".gz": "gunzip {}",
}

#: Something-Something V2 comes as one .tgz cut into parts: 20bn-something-something-v2-00 and on.
_PART = re.compile(r"(20bn-something-something-v2-)\d\d")


def is_archive(name: str) -> bool:
    """Whether a file is an archive, or a part of one, by its name."""
    return name.lower().endswith(tuple(_COMMANDS)) or bool(_PART.fullmatch(name))


def how_to_unpack(archives: Sequence[str]) -> str:
    """The command for the first of some archives, run in the folder it lies in, "" for none."""
    if not archives:
        return ""
    name = PurePosixPath(archives[0]).name
    part = _PART.fullmatch(name)
    if part:
        return f"cat {part[1]}?? | tar xz"
    command = next(words for suffix, words in _COMMANDS.items() if name.lower().endswith(suffix))
    return command.format(name)
