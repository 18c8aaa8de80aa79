"""The plan of shards as a pure function, and what is still to be made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.errors import UserError
from shards.plan import plan_shards, shards_to_make, take_part
from shards.recorded import scan_records, sizes_on_disk
from shards.writer import write_shard
from tests.shards.made import (
    FINGERPRINT,
    HEADER,
    made_clips,
    made_sizes,
    make_pending,
    outcomes,
)

TABLES = st.builds(
    lambda n, per_video, partitions: made_clips(n, per_video=per_video, partitions=partitions),
    st.integers(0, 120),
    st.integers(1, 4),
    st.sampled_from([("all",), ("train", "val"), ("train", "val", "test")]),
)


@given(TABLES, st.integers(1, 40))
def test_every_clip_is_in_one_shard_of_its_partition(clips, per_shard):
    plan = plan_shards(clips, per_shard, HEADER)
    placed = np.concatenate([s.positions for s in plan.shards] or [np.empty(0, np.int64)])
    assert sorted(placed.tolist()) == list(range(len(clips)))
    partitions = clips["partition"].to_pylist()
    for shard in plan.shards:
        assert {partitions[i] for i in shard.positions} == {shard.name.split("-")[0]}
        assert (np.diff(shard.positions) > 0).all()
    for partition in set(partitions):
        most = -(-partitions.count(partition) // per_shard)
        numbers = [int(s.name[-5:]) for s in plan.shards if s.name.startswith(partition)]
        assert max(numbers) < most


@given(TABLES, st.integers(1, 40))
def test_clips_of_a_video_share_a_shard(clips, per_shard):
    plan = plan_shards(clips, per_shard, HEADER)
    videos = clips["video"].to_pylist()
    where: dict[str, set[str]] = {}
    for shard in plan.shards:
        for i in shard.positions:
            where.setdefault(videos[i], set()).add(shard.name)
    assert all(len(names) == 1 for names in where.values())


@given(TABLES, st.integers(1, 40), st.randoms(use_true_random=False))
def test_the_plan_asks_neither_for_files_nor_for_the_order_of_the_table(clips, per_shard, random):
    plan = plan_shards(clips, per_shard, HEADER)
    order = list(range(len(clips)))
    random.shuffle(order)
    nothing = pa.nulls(len(clips), pa.string())
    other = clips.take(pa.array(order, pa.int64())).set_column(4, "file", nothing)
    again = plan_shards(other, per_shard, HEADER)
    assert [(s.name, s.hash) for s in plan.shards] == [(s.name, s.hash) for s in again.shards]
    rows = np.asarray(other["row"])
    for mine, theirs in zip(plan.shards, again.shards, strict=True):
        assert rows[theirs.positions].tolist() == mine.positions.tolist()


@given(TABLES.filter(len), st.data())
def test_any_change_of_a_row_changes_the_hash_of_its_shard_alone(clips, data):
    row = data.draw(st.integers(0, len(clips) - 1))
    column = data.draw(st.sampled_from(["name", "start", "end", "key", "split_train1"]))
    values = clips[column].to_pylist()
    old = values[row]
    values[row] = (
        (not old) if isinstance(old, bool) else 7.25 if column in ("start", "end") else "z"
    )
    index = clips.column_names.index(column)
    other = clips.set_column(index, column, pa.array(values, clips[column].type))
    before = {s.name: s for s in plan_shards(clips, 9, HEADER).shards}
    after = {s.name: s for s in plan_shards(other, 9, HEADER).shards}
    changed = [name for name in before if before[name].hash != after[name].hash]
    assert changed == [name for name, shard in before.items() if row in shard.positions]


def test_the_hash_covers_header_and_letters_between_neighbours():
    clips = made_clips(8)
    plain = plan_shards(clips, 8, HEADER).shards[0].hash
    other = replace(HEADER, settings={"short_side": 128})
    assert plan_shards(clips, 8, other).shards[0].hash != plain
    shifted = ["ab", "c", *clips["name"].to_pylist()[2:]]
    joined = ["a", "bc", *clips["name"].to_pylist()[2:]]
    hashes = [
        plan_shards(clips.set_column(2, "name", pa.array(names)), 8, HEADER).shards[0].hash
        for names in (shifted, joined)
    ]
    assert hashes[0] != hashes[1]


def test_shards_are_of_even_size():
    plan = plan_shards(made_clips(20_000), 200, HEADER)
    counts = np.array([len(shard.positions) for shard in plan.shards])
    assert len(counts) == 100
    assert abs(counts - 200).max() < 80


@given(TABLES, st.integers(1, 9))
def test_parts_make_the_whole_once(clips, parts):
    plan = plan_shards(clips, 5, HEADER)
    names = [name for part in range(1, parts + 1) for name in take_part(plan, part, parts)]
    assert sorted(names) == [shard.name for shard in plan.shards]


@pytest.mark.parametrize(("part", "parts"), [(0, 2), (3, 2), (1, 0)])
def test_parts_that_are_none(part, parts):
    with pytest.raises(UserError, match=f"part {part}/{parts}"):
        take_part(plan_shards(made_clips(3), 5, HEADER), part, parts)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (replace(HEADER, splits=("train1",)), "splits"),
        (replace(HEADER, classes=HEADER.classes[:3]), "no class 3 'sword'"),
        (replace(HEADER, classes=("a", *HEADER.classes[1:])), "no class 0 'archery'"),
    ],
)
def test_a_header_of_another_list_is_refused(header, message):
    with pytest.raises(UserError, match=message):
        plan_shards(made_clips(8), 5, header)


def test_unlabelled_clips_and_wrong_sizes():
    clips = made_clips(4).set_column(5, "class_id", pa.array([-1] * 4, pa.int32()))
    with pytest.raises(UserError, match="no class -1"):
        plan_shards(clips, 5, HEADER)
    clips = clips.set_column(6, "class_name", pa.array([""] * 4))
    assert len(plan_shards(clips, 5, HEADER).shards) == 1
    with pytest.raises(UserError, match="at least 1"):
        plan_shards(clips, 0, HEADER)


def test_a_task_has_the_present_clips_in_order():
    clips = made_clips(30, absent=[3, 4, 29])
    sizes = made_sizes(clips)
    plan = plan_shards(clips, 10, HEADER)
    tasks = [plan.task(shard.name, sizes) for shard in plan.shards]
    rows = [clip.row for task in tasks for clip in task.clips]
    assert sorted(rows) == [i for i in range(30) if i not in (3, 4, 29)]
    assert sum(task.planned for task in tasks) == 30
    for task in tasks:
        assert [clip.row for clip in task.clips] == sorted(clip.row for clip in task.clips)
        assert task.inputs == {clip.file: sizes[clip.file] for clip in task.clips}


class TestPending:
    """`shards_to_make` over a set on disk."""

    @pytest.fixture
    def made(self, tmp_path):
        clips = made_clips(24, absent=[5])
        sizes = made_sizes(clips)
        plan = plan_shards(clips, 8, HEADER)
        make_pending(tmp_path, plan, sizes, refused=[7])
        return tmp_path, plan, sizes

    def ask(self, folder, plan, sizes, fingerprint=FINGERPRINT, **options):
        scan = scan_records(folder)
        disk = sizes_on_disk(folder)
        return shards_to_make(plan, scan.records, sizes, disk, fingerprint, **options)

    def test_a_whole_set_has_nothing_to_make(self, made):
        pending = self.ask(*made)
        assert (pending.make, pending.surplus) == ((), ())

    def test_an_empty_folder_has_all_to_make(self, made, tmp_path):
        _, plan, sizes = made
        make = self.ask(tmp_path / "none", plan, sizes).make
        assert [item.shard for item in make] == [shard.name for shard in plan.shards]
        assert {item.reason for item in make} == {"new"}

    def test_a_shard_without_files_is_left_alone(self, made, tmp_path):
        _, plan, _ = made
        clips = plan.clips.set_column(4, "file", pa.nulls(24, pa.string()))
        empty = plan_shards(clips, 8, HEADER)
        assert self.ask(tmp_path / "none", empty, {}).make == ()
        assert self.ask(made[0], empty, {}).make == ()  # raw files deleted after sharding

    def test_a_new_or_changed_file_makes_its_shard_again(self, made):
        folder, plan, sizes = made
        full = made_clips(24)
        later = plan_shards(full, 8, HEADER)
        make = self.ask(folder, later, made_sizes(full)).make
        holder = next(s.name for s in later.shards if 5 in s.positions)
        assert [(item.shard, item.reason) for item in make] == [(holder, "inputs")]
        file = plan.clips["file"][0].as_py()
        make = self.ask(folder, plan, sizes | {file: 5}).make
        assert [item.reason for item in make] == ["inputs"]

    def test_what_would_be_lost_is_named(self, made):
        folder, plan, sizes = made
        clips = made_clips(24, absent=[0, 5])
        gone = plan.clips["file"][0].as_py()
        holder = next(s.name for s in plan.shards if 0 in s.positions)
        plan_now = plan_shards(clips, 8, HEADER)
        assert self.ask(folder, plan_now, sizes).make == ()
        (folder / "shards" / f"{holder}.tar").unlink()
        (item,) = self.ask(folder, plan_now, sizes).make
        assert (item.shard, item.reason, item.vanished) == (holder, "tar", (gone,))

    @pytest.mark.parametrize("extension", ["tar", "idx"])
    def test_a_cut_file_makes_its_shard_again(self, made, extension):
        folder, plan, sizes = made
        path = folder / "shards" / f"{plan.shards[1].name}.{extension}"
        path.write_bytes(path.read_bytes()[:-1])
        (item,) = self.ask(folder, plan, sizes).make
        assert (item.shard, item.reason) == (plan.shards[1].name, extension)

    def test_other_programs_and_settings(self, made):
        folder, plan, sizes = made
        make = self.ask(folder, plan, sizes, "ffmpeg-8").make
        assert {item.reason for item in make} == {"fingerprint"}
        assert not self.ask(folder, plan, sizes, "f8", keep_other_fingerprints=True).make
        other = plan_shards(plan.clips, 8, replace(HEADER, settings={}))
        assert {item.reason for item in self.ask(folder, other, sizes).make} == {"plan"}

    def test_refused_clips_are_tried_again_on_request(self, made):
        folder, plan, sizes = made
        holder = next(s.name for s in plan.shards if 7 in s.positions)
        make = self.ask(folder, plan, sizes, retry_rejects=True).make
        assert [(item.shard, item.reason) for item in make] == [(holder, "rejects")]

    def test_records_of_another_plan_are_surplus(self, made):
        folder, plan, sizes = made
        small = plan_shards(plan.clips, 24, HEADER)
        assert self.ask(folder, small, sizes).surplus == tuple(s.name for s in plan.shards[1:])

    def test_a_damaged_record_is_no_record(self, made):
        folder, plan, sizes = made
        path = folder / "shards" / f"{plan.shards[0].name}.json"
        path.write_bytes(path.read_bytes().replace(b"archery", b"brchery", 1))
        (item,) = self.ask(folder, plan, sizes).make
        assert (item.shard, item.reason) == (plan.shards[0].name, "new")


@settings(max_examples=15)
@given(st.permutations(range(5)), st.lists(st.integers(0, 4), max_size=4))
def test_any_order_of_tasks_some_twice_gives_the_same_set(tmp_path_factory, order, again):
    clips = made_clips(20)
    sizes = made_sizes(clips)
    plan = plan_shards(clips, 4, HEADER)
    straight, mixed = (tmp_path_factory.mktemp(name) for name in ("straight", "mixed"))
    make_pending(straight, plan, sizes)
    for number in (*order, *again):
        if number < len(plan.shards):
            task = plan.task(plan.shards[number].name, sizes)
            write_shard(mixed, task, HEADER, FINGERPRINT, outcomes(task))
    assert scan_records(mixed).identity == scan_records(straight).identity
