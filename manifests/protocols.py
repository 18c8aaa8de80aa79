"""Published class lists beyond the plain one: zero-shot candidates, and the orders others use.

``manifests/kinetics600/zero_shot_<split>.csv`` (id,name) holds the three lists of 160 classes of
Kinetics-600 that are new against Kinetics-400. They are published lists: comparing names would
give 232 "new" classes, because many were merely renamed.

``manifests/<benchmark>/published.csv`` (list,id,name) holds the numberings of the public label
files (ViFi-CLIP's; for ActivityNet that of Text4Vis) where they differ from ours: list "all",
"base" or "novel". Only code that reads foreign numbers needs it.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

from manifests.classes import canonical, load_classes, read_rows
from manifests.errors import UserError

PublishedList = Literal["all", "base", "novel"]

ZERO_SHOT_SPLITS = (1, 2, 3)
# HMDB-51 and UCF-101 keep all classes in each split: only their test videos change.
_ZERO_SHOT = ("ucf101", "hmdb51", "kinetics600")


@cache
def zero_shot_classes(benchmark: str, split: int) -> tuple[str, ...]:
    """Official names of the candidate classes of one of the three zero-shot splits.

    160 names for kinetics600, all names for ucf101 and hmdb51; in the order of the official ids.
    """
    name = canonical(benchmark)
    if name not in _ZERO_SHOT:
        raise UserError(
            f"no zero-shot splits are published for {name}: use one of {', '.join(_ZERO_SHOT)}"
        )
    if split not in ZERO_SHOT_SPLITS:
        raise UserError(f"{name} has no zero-shot split {split}: use 1, 2 or 3")
    if name != "kinetics600":
        return load_classes(name).names
    return tuple(row["name"] for row in read_rows(name, f"zero_shot_{split}.csv"))


@cache
def published_order(benchmark: str, part: PublishedList = "all") -> tuple[str, ...]:
    """Official names in the order that public label files number them, from 0.

    Raises UserError for "base" and "novel" where no halves are published.
    """
    classes = load_classes(benchmark)
    ordered = _published(classes.benchmark).get(part, ())
    if ordered or part == "all":
        return ordered or classes.names
    return classes.half(part).names


def _published(benchmark: str) -> dict[str, tuple[str, ...]]:
    try:
        rows = read_rows(benchmark, "published.csv")
    except FileNotFoundError:  # the public numbering is ours
        return {}
    lists: dict[str, list[str]] = {}
    for row in rows:
        lists.setdefault(row["list"], []).append(row["name"])
    return {part: tuple(names) for part, names in lists.items()}
