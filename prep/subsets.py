"""Drawing, keeping and re-checking subsets of a set of shards: what `prep subset` does.

A subset's file says how it was drawn, so it can be drawn again (``shards.protocols``). A set
that grew since (a later download) still holds every clip of an earlier draw, while a new draw of
the same words would give others; ``keep`` therefore never replaces a file of another content
unless told to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from manifests.errors import UserError
from manifests.protocols import train_split
from shards.protocols import redraw
from shards.store import ShardStore
from shards.subsets import SUBSETS, Subset, list_subsets, read_subset

__all__ = ["Kept", "Listed", "keep", "listed", "redraw_fault", "train_split"]


@dataclass(frozen=True)
class Kept:
    """A subset beside the shards; ``new`` tells whether this call wrote it."""

    subset: Subset
    file: Path
    new: bool


def keep(folder: Path, subsets: list[Subset], *, anew: bool = False) -> list[Kept]:
    """Write subsets beside the shards of ``folder``; one that is there already is left alone.

    Raises UserError, before anything is written, when a file of the same name holds another
    subset (or is damaged) and ``anew`` is not set.
    """
    known = [_known(folder, subset, anew) for subset in subsets]
    return [
        Kept(subset, _file(folder, subset) if there else subset.save(folder), not there)
        for subset, there in zip(subsets, known, strict=True)
    ]


def _known(folder: Path, subset: Subset, anew: bool) -> bool:
    """Whether the very same subset lies there under its name, to be left alone."""
    if anew or not _file(folder, subset).exists():
        return False
    there = read_subset(folder, subset.name)
    if there.hash == subset.hash:
        return True
    sizes = f"{len(there)} clips, hash {there.hash[:12]}; now {len(subset)}, {subset.hash[:12]}"
    if subset.kind == "imported":
        raise UserError(
            f"{_file(folder, subset)} holds another list or other clips ({sizes}): give this one "
            "a name of its own with --name, or put it in that place with --anew"
        )
    if there.kind == "imported":
        raise UserError(
            f"{_file(folder, subset)} holds a published list under the name of this draw "
            f"({sizes}): import that list again with another --name, then write this with --anew"
        )
    raise UserError(
        f"{_file(folder, subset)} holds another draw ({sizes}): the set held other clips then; "
        "keep that draw, or write the new one in its place with --anew"
    )


def _file(folder: Path, subset: Subset) -> Path:
    return folder / SUBSETS / f"{subset.name}.json"


@dataclass(frozen=True)
class Listed:
    """A file of a subset: what it holds, or what is wrong with it."""

    name: str
    subset: Subset | None
    fault: str


def listed(folder: Path, benchmark: str) -> Iterator[Listed]:
    """Every file beside the shards, damaged ones and those of another dataset included."""
    for name in list_subsets(folder):
        try:
            subset = read_subset(folder, name)
        except UserError as error:
            yield Listed(name, None, str(error))
            continue
        other = subset.benchmark != benchmark
        yield Listed(name, subset, f"it is of {subset.benchmark}" if other else "")


def redraw_fault(store: ShardStore, subset: Subset) -> str | None:
    """What a new draw of the same words gives otherwise; None when it gives the same.

    A list that somebody published is not drawn, and so never at fault.
    """
    try:
        again = redraw(store, subset)
    except UserError as error:
        return f"cannot be drawn again: {error}"
    if again is None or again.hash == subset.hash:
        return None
    other = len(set(again.rows.tolist()) ^ set(subset.rows.tolist()))
    return (
        f"a new draw gives {len(again)} clips, {other} of them not in both: the set held other "
        "clips when it was drawn"
    )
