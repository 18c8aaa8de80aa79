"""Made-up Kinetics is read by the very readers and counted as it was made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from prep.bench.made import FRAMES, link_videos, raw_place, shards_place, write_lists, write_set
from prep.benchmarks import SOURCES
from prep.scan import take_inventory
from shards.recorded import scan_records
from shards.store import ShardStore

ROWS = 2000


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("made")
    for benchmark in ("kinetics400", "kinetics600"):
        write_lists(made, benchmark, ROWS)
        write_set(made, benchmark)
    link_videos(made, "kinetics400")
    return made


def test_every_clip_is_found_but_one_in_a_hundred(place):
    source = SOURCES["kinetics400"](raw_place(place, "kinetics400"))
    inventory = take_inventory(source)
    assert (inventory.clips.expected, inventory.clips.missing) == (ROWS, ROWS // 100)
    expected = {split: tally.expected for split, tally in inventory.splits.items()}
    assert expected == {"train": 1800, "val": 100, "test": 100}
    assert [name.startswith("train/stranger_") for name in source.unexpected] == [True]
    assert len(set(source.clips["name"].to_pylist())) == ROWS


def test_files_are_names_of_few_inodes(place):
    files = list(raw_place(place, "kinetics400").rglob("*.mp4"))
    assert len(files) == ROWS - ROWS // 100 + 1
    assert len({path.stat().st_ino for path in files}) == 1


@pytest.mark.parametrize("benchmark", ["kinetics400", "kinetics600"])
def test_a_set_holds_the_clips_that_have_a_file(place, benchmark):
    store = ShardStore.open(shards_place(place) / benchmark)
    assert len(store) == ROWS - ROWS // 100
    assert store.info.complete
    assert store.frame_counts.tolist() == [FRAMES] * len(store)
    assert (np.diff(store.rows) > 0).all()
    assert {split: int(store.split(split).sum()) for split in ("val", "test")} == {
        "val": 99,
        "test": 99,
    }
    record = next(iter(scan_records(store.folder).records.values()))
    assert pc.all(pc.is_valid(record.clips["file"])).as_py()
    assert record.to_bytes() == (store.folder / "shards" / f"{record.shard}.json").read_bytes()
