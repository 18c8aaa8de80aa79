"""What a run decides before it writes: placement, parts, places, what is still missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.classes import class_list
from manifests.errors import UserError
from prep.benchmarks import RawSource
from prep.commands.shard import parse_part
from prep.ingest import still_missing
from prep.jobs import check_apart, default_clips_per_shard, file_sizes, plan_job
from prep.video.settings import EncodeSettings, Limits
from shards.plan import plan_shards
from shards.writer import write_shard
from tests.shards.made import (
    CLASSES,
    FINGERPRINT,
    HEADER,
    SPLITS,
    made_clips,
    made_sizes,
    outcomes,
)


def made_source(root: Path, count: int, **options: object) -> RawSource:
    """A source of made-up clips whose files are there, of different lengths."""
    clips = made_clips(count, **options)
    for number, file in enumerate(clips["file"].drop_null().to_pylist()):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(bytes(number))
    return RawSource("custom", root, class_list("custom", CLASSES), SPLITS, clips, (), ())


@given(st.integers(0, 10**7))
def test_shards_are_neither_tiny_nor_huge(clips):
    assert 8 <= default_clips_per_shard(clips) <= 256
    if 512 <= clips <= 16_384:
        assert 64 <= -(-clips // default_clips_per_shard(clips)) <= 128


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_parts_are_read_as_they_are_written(part, parts):
    if part <= parts:
        assert parse_part(f"{part}/{parts}") == (part, parts)
    else:
        with pytest.raises(UserError, match="is none: write I/N"):
            parse_part(f"{part}/{parts}")


@given(st.text(max_size=6))
def test_other_words_are_no_part(text):
    try:
        part = parse_part(text)
    except UserError as error:
        assert "\n" not in str(error) or "\n" in text
    else:
        assert part is not None
        assert 1 <= part[0] <= part[1]


@pytest.mark.parametrize(
    ("root", "folder", "apart"),
    [
        ("raw", "shards/toy", True),
        ("data/raw/toy", "data/shards/toy", True),
        ("toy", "toys", True),
        ("toy", "toy", False),
        ("toy", "toy/shards/toy", False),
        ("shards/toy/raw", "shards/toy", False),
        ("raw/../out/toy", "out/toy", False),
    ],
)
def test_raw_folder_and_set_lie_apart(tmp_path, root, folder, apart):
    if apart:
        check_apart(tmp_path / root, tmp_path / folder)
    else:
        with pytest.raises(UserError, match="lie inside each other"):
            check_apart(tmp_path / root, tmp_path / folder)


def test_a_link_to_the_raw_folder_is_the_raw_folder(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "raw")
    with pytest.raises(UserError, match="lie inside each other"):
        check_apart(tmp_path / "raw", tmp_path / "link" / "custom")


def test_sizes_are_those_of_the_files(tmp_path):
    source = made_source(tmp_path, 1200, absent=[3, 5])
    files = source.clips["file"].drop_null().to_pylist()
    assert file_sizes(source) == {file: number for number, file in enumerate(files)}
    (tmp_path / files[7]).unlink()
    with pytest.raises(UserError, match=r"cannot look at .*: No such file"):
        file_sizes(source)


def test_the_plan_of_a_job_does_not_ask_which_files_are_there(tmp_path):
    whole, thin = (
        made_source(tmp_path / name, 60, absent=absent)
        for name, absent in (("whole", ()), ("thin", range(1, 50)))
    )
    shards = [
        plan_job(source, tmp_path / "set", EncodeSettings(), Limits()).plan.shards
        for source in (whole, thin)
    ]
    names = [[(shard.name, shard.hash) for shard in each] for each in shards]
    assert names[0] == names[1]


def test_what_is_stored_or_refused_is_not_missing(tmp_path):
    clips = made_clips(40, absent=[2, 9])
    plan = plan_shards(clips, 10, HEADER)
    records = {}
    for shard in plan.shards[:2]:
        task = plan.task(shard.name, made_sizes(clips))
        refused = [clip.row for clip in task.clips[:1]]
        records[shard.name] = write_shard(
            tmp_path, task, HEADER, FINGERPRINT, outcomes(task, refused)
        )
    gone = clips.set_column(4, "file", pa.nulls(40, pa.string()))  # every raw file is deleted
    source = replace(made_source(tmp_path, 1), clips=gone)
    left = still_missing(source, records).clips["row"].to_pylist()
    made = {row for shard in plan.shards[:2] for row in shard.positions.tolist()} - {2, 9}
    assert left == [row for row in range(40) if row not in made]
    assert still_missing(source, {}).clips.equals(gone)
