"""Made-up official lists of HMDB-51, and published lists of their clips in every form."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pyarrow as pa

from manifests.classes import load_classes
from prep.benchmarks import OfficialList, official_list
from prep.catalogues import official_catalogue
from prep.importing import Comparison, compare
from prep.joining import Catalogue
from prep.published import read_published
from shards.store import ShardStore
from tests.train.named_set import column_shards

# What real names of HMDB-51 hold, all but blanks.
HOSTILE = "!#&()+;@[]~_-."
PER_CLASS = 4


def made_hmdb(folder: Path) -> dict[str, str]:
    """Write the 153 files, two clips a class to train and two to test on; class of each clip."""
    draw = random.Random(51)
    class_of = {}
    folder.mkdir(parents=True, exist_ok=True)
    for name in load_classes("hmdb51").names:
        odd = ("".join(draw.choices(HOSTILE, k=3)) for _ in range(PER_CLASS))
        clips = [f"A{text}{name}_u_nm_np1_fr_goo_{i}" for i, text in enumerate(odd)]
        class_of |= dict.fromkeys(clips, name)
        for split in (1, 2, 3):
            flags = [1 + (i + split) // 2 % 2 for i in range(PER_CLASS)]
            lines = (f"{clip}.avi {flag} \n" for clip, flag in zip(clips, flags, strict=True))
            (folder / f"{name}_test_split{split}.txt").write_text("".join(lines))
    return class_of


def hmdb_catalogue(folder: Path) -> Catalogue:
    """The official list alone, as something to hold lists against."""
    return official_catalogue(hmdb_list(folder))


def hmdb_list(folder: Path) -> OfficialList:
    """The official list in a folder."""
    return official_list("hmdb51", folder, folder)


def hmdb_shards(shards: Path, official: OfficialList, every: int) -> ShardStore:
    """A set of shards in which each `every`-th clip is missing."""
    names = official.columns.names.to_pylist()
    there = [None if i % every == 0 else f"{name}.avi" for i, name in enumerate(names)]
    return column_shards(shards, "hmdb51", official.columns, pa.array(there, pa.string()))


def compared(path: Path, text: str | bytes, catalogue: Catalogue, **more: object) -> Comparison:
    """Write a list to a file and hold it against a catalogue."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return compare(read_published(path), catalogue, **more)


def official_ids(names: list[str]) -> list[int]:
    """Official numbers of classes of HMDB-51."""
    classes = load_classes("hmdb51")
    return np.array([classes.id_of(name) for name in names], np.int64).tolist()
