"""How published files number the classes of a benchmark, for reading foreign numbers.

``manifests/<benchmark>/published.csv`` (list,id,name) holds numberings that are not ours:

===============  ===================================================================================
list             whose
===============  ===================================================================================
all              label files over all classes (hmdb51: ViFi-CLIP, X-CLIP, ActionCLIP; activitynet:
                 Text4Vis)
base, novel      label files of the halves (ViFi-CLIP), which count from 0 again
base_list,       split files of the halves where they contradict the label files beside them:
novel_list       hmdb51 only, whose label files swap kick / kick_ball and sword / sword_exercise
===============  ===================================================================================

Numbers are never trusted to tell what a clip is. ``list_numberings`` is for finding out which
numbering a list of clips was written in, so that one can see whether its numbers contradict its
names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from manifests.classes import BENCHMARKS, ClassList
from manifests.protocols import (
    published_lists,
    published_order,
    zero_shot_classes,
    zero_shot_splits,
)


@dataclass(frozen=True)
class Numbering:
    """Official names in the order of the numbers that some list gives them.

    ``first`` is the number of the first name: 0, or 1 for the official lists of UCF-101. ``least``
    is how many classes have to follow it before it is believed.
    """

    name: str
    names: tuple[str, ...]
    first: int = 0
    least: int = 1


def list_numberings(classes: ClassList) -> tuple[Numbering, ...]:
    """Numberings that published lists of clips are written in, the commonest first.

    The swapped label files of HMDB-51 are not among them: no list of clips follows them, so
    numbers that do contradict the names of their clips.
    """
    return tuple(_list_numberings(classes))


def _list_numberings(classes: ClassList) -> Iterator[Numbering]:
    benchmark = classes.benchmark
    yield Numbering("official", classes.names)
    # Nobody but UCF-101 counts so, and a swap of two neighbours looks like it.
    least = 1 if benchmark == "ucf101" else 3
    yield Numbering("official, from 1", classes.names, first=1, least=least)
    if benchmark not in BENCHMARKS:
        return
    if benchmark != "hmdb51" and published_order(benchmark) != classes.names:
        yield Numbering("sorted by name", published_order(benchmark))
    published = published_lists(benchmark)
    halves: tuple[Literal["base", "novel"], ...] = ("base", "novel")
    for half in halves if any(item.half for item in classes.classes) else ():
        order = published.get(f"{half}_list", published_order(benchmark, half))
        yield Numbering(half, order)
        if (names := classes.half(half).names) != order:
            yield Numbering(f"{half}, in official order", names)
    for split in zero_shot_splits(benchmark):
        if len(names := zero_shot_classes(benchmark, split)) < len(classes):
            yield Numbering(f"zero-shot split {split}", names)
