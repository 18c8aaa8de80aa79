"""Archives that lie in a raw folder as they were downloaded, and the command that unpacks them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import PurePosixPath

# A suffix that ends like another comes first.
_COMMANDS = {
    ".rar": "unrar x {}",
    ".zip": "unzip {}",
    ".7z": "7z x {}",
    ".tar": "tar xf {}",
    ".tar.xz": "tar xf {}",
    ".tar.bz2": "tar xf {}",
    ".tgz": "tar xf {}",
    ".tar.gz": "tar xf {}",
    ".gz": "gunzip {}",
}

#: A volume of a zip or 7z, of which one command reads all, and a piece of a tar that was cut.
_VOLUME = re.compile(r".+\.(zip|7z)\.\d{2,3}", re.IGNORECASE)
_PIECE = re.compile(r"(?P<all>.+\.(?:tar|(?P<zipped>tar\.gz|tgz))\.)(?:\d{1,3}|a[a-z])")

#: Something-Something V2 comes as one .tgz cut into parts: 20bn-something-something-v2-00 and on.
_PART = re.compile(r"(20bn-something-something-v2-)\d\d")


def is_archive(name: str) -> bool:
    """Whether a file is an archive, or a part of one, by its name."""
    whole = name.lower().endswith(tuple(_COMMANDS))
    return whole or any(part.fullmatch(name) for part in (_PART, _VOLUME, _PIECE))


def how_to_unpack(archives: Sequence[str]) -> str:
    """The command for the first of some archives, run in the folder it lies in, "" for none."""
    if not archives:
        return ""
    name = PurePosixPath(archives[0]).name
    if part := _PART.fullmatch(name):
        return f"cat {part[1]}?? | tar xz"
    if piece := _PIECE.fullmatch(name):
        return f"cat {shlex.quote(piece['all'])}* | tar x{'z' if piece['zipped'] else ''}"
    if _VOLUME.fullmatch(name):
        return f"7z x {shlex.quote(name)}"
    command = next(words for suffix, words in _COMMANDS.items() if name.lower().endswith(suffix))
    return command.format(shlex.quote(name))
