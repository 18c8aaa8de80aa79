"""Files of descriptions beside the shards: ``<out>/<benchmark>/descriptions/<kind>-<n>.json``.

A file that is there is never replaced by other sentences unasked. Imports of parts (halves,
zero-shot lists) join in one file as long as they agree on the classes that both have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from manifests.descriptions import Descriptions, Kind, format_descriptions, parse_descriptions
from manifests.errors import UserError
from prep.descriptions.lint import named
from shards.atomic import atomic_write

State = Literal["written", "joined", "already there"]


@dataclass(frozen=True)
class Kept:
    """Where the sentences lie, what is in the file now, and what was done for it."""

    path: Path
    descriptions: Descriptions
    state: State


def stored(folder: Path, kind: Kind, n: int) -> Descriptions | None:
    """The file of a kind in ``<set>/descriptions``; None when there is none."""
    path = folder / f"{kind}-{n}.json"
    return parse_descriptions(path.read_bytes(), str(path)) if path.is_file() else None


def check_free(folder: Path, kind: Kind, n: int, source: Mapping[str, Any]) -> None:
    """Raise UserError when the file holds sentences of another source."""
    old = stored(folder, kind, n)
    if old is not None and old.source != source:
        raise UserError(
            f"{folder / old.file_name} holds sentences of another source ({origin(old.source)}): "
            "--anew replaces them"
        )


def keep(folder: Path, new: Descriptions, order: Sequence[str], *, anew: bool = False) -> Kept:
    """Write the file, its classes in ``order``, joined with what an import left there before.

    Raises UserError when the file there says otherwise about a class, or comes from elsewhere.
    """
    path = folder / new.file_name
    old = None if anew else stored(folder, new.kind, new.n)
    joined = old is not None and old.source != new.source
    if old is not None:
        new = _joined(path, old, new)
    sentences = {name: new.sentences[name] for name in order if name in new.sentences}
    new = replace(new, sentences=sentences)
    data = format_descriptions(new)
    if path.is_file() and path.read_bytes() == data:
        return Kept(path, new, "already there")
    atomic_write(path, data)
    return Kept(path, new, "joined" if joined else "written")


def _joined(path: Path, old: Descriptions, new: Descriptions) -> Descriptions:
    same = old.source == new.source
    if not same and not (_is_import(old.source) and _is_import(new.source)):
        raise UserError(
            f"{path} holds sentences of another source ({origin(old.source)}): --anew replaces them"
        )
    other = [
        name
        for name, texts in new.sentences.items()
        if name in old.sentences and old.sentences[name] != texts
    ]
    if other:
        raise UserError(
            f"{path} holds other sentences for {len(other)} of these classes ({named(other)}), "
            f"of {origin(old.source)}: --anew replaces the file"
        )
    if same:
        return replace(new, sentences={**old.sentences, **new.sentences})
    files = {file["sha256"]: file for file in (*old.source["files"], *new.source["files"])}
    return replace(
        new,
        sentences={**old.sentences, **new.sentences},
        source={
            "by": IMPORT,
            "files": sorted(files.values(), key=lambda file: (file["name"], file["sha256"])),
        },
    )


IMPORT = "prep describe import"


def _is_import(source: Mapping[str, Any]) -> bool:
    return source.get("by") == IMPORT and isinstance(source.get("files"), list)


def origin(source: Mapping[str, Any]) -> str:
    """Where sentences come from, in a few words."""
    if _is_import(source):
        return ", ".join(str(file.get("name")) for file in source["files"])
    return str(source.get("model") or source.get("by") or "unknown")
