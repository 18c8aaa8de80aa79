"""`prep verify` on a set, and the files of it, as its tests compare them."""

from __future__ import annotations

from pathlib import Path

from tests.prep.commands.said import Said, said


def verify(folder: Path, *words: object) -> Said:
    return said("verify", "--dataset", folder.name, "--shards", folder.parent, *words)


def files(folder: Path) -> dict[str, bytes]:
    """Every file of a set that is not a lock."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("[!.]*"))
        if path.is_file()
    }
