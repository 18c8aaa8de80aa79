"""Where a benchmark lies when nobody says otherwise: one rule for all commands.

::

    data/raw/<benchmark>       raw videos and official files     --root names the folder itself
    data/shards/<benchmark>    the set of shards                 --shards, --out name the one above
    data/missing-<benchmark>.csv   what `prep scan` did not find
"""

from __future__ import annotations

from pathlib import Path

SHARDS = Path("data/shards")
_RAW = Path("data/raw")


def raw_folder(benchmark: str, root: Path | None) -> Path:
    """Raw folder of a benchmark: ``root`` itself, or ``data/raw/<benchmark>``."""
    return _RAW / benchmark if root is None else root


def set_folder(benchmark: str, shards: Path) -> Path:
    """Folder of a set of shards: ``<shards>/<benchmark>``."""
    return shards / benchmark


def missing_file(benchmark: str) -> Path:
    """Where the list of a benchmark's missing clips goes."""
    return Path(f"data/missing-{benchmark}.csv")
