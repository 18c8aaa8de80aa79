"""Where a benchmark lies when nobody says otherwise: one rule for all commands.

::

    data/raw/<benchmark>       raw videos and official files     --root names the folder itself
    data/shards/<benchmark>    the set of shards                 --shards, --out name the one above
    data/missing-<benchmark>.csv   what `prep scan` did not find

A set that is only looked at may lie at an address instead (``open_set``); what it fetches goes into
data/cache, as in training. All else works on folders.
"""

from __future__ import annotations

from pathlib import Path

from manifests.errors import UserError
from shards.fetched import is_remote, open_shards
from shards.store import ShardStore

Place = str | Path
"""What holds ``<benchmark>/``, a set of shards: a folder, or as a string its address."""

SHARDS = Path("data/shards")
_RAW = Path("data/raw")


def raw_folder(benchmark: str, root: Path | None) -> Path:
    """Raw folder of a benchmark: ``root`` itself, or ``data/raw/<benchmark>``."""
    return _RAW / benchmark if root is None else root


def set_folder(benchmark: str, shards: Place) -> Path:
    """Folder of a set of shards: ``<shards>/<benchmark>``; UserError for an address."""
    if is_remote(shards):
        raise UserError(
            f"{shards} is an address, and this works on folders: copy "
            f"{set_place(benchmark, shards)} to {SHARDS / benchmark} first, or make the set there "
            "and upload it afterwards"
        )
    return Path(shards) / benchmark


def set_place(benchmark: str, shards: Place) -> str:
    """Where a set of shards lies, as it is told to people."""
    return f"{str(shards).rstrip('/')}/{benchmark}"


def open_set(benchmark: str, shards: Place) -> ShardStore:
    """Open a set in a folder or at an address, to read from it; UserError where it does not go."""
    return open_shards(shards, benchmark)


def overlap(one: Path, other: Path) -> bool:
    """Whether two folders are the same, or one lies inside the other."""
    one, other = one.resolve(), other.resolve()
    return one == other or one in other.parents or other in one.parents


def missing_file(benchmark: str) -> Path:
    """Where the list of a benchmark's missing clips goes."""
    return Path(f"data/missing-{benchmark}.csv")
