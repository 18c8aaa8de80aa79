"""Tables rebuilt from the records alone."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from manifests.errors import UserError
from shards.info import MISSING, Official, load_info
from shards.plan import plan_shards
from shards.recorded import scan_records
from shards.records import FRAME_FIELDS, FileHash, shard_file
from shards.tables import rebuild_tables, reject_counts
from shards.writer import write_shard
from tests.shards.made import (
    FINGERPRINT,
    HEADER,
    made_clips,
    made_sizes,
    made_store,
    make_pending,
    outcomes,
)

TABLES = ("samples.parquet", "rejects.parquet", "frames.arrow", "dataset.json")


@pytest.fixture
def folder(tmp_path):
    made_store(tmp_path / "custom", 30, refused=[4, 11], absent=[6])
    return tmp_path / "custom"


def test_samples_have_one_row_a_stored_clip_in_official_order(folder):
    samples = pq.read_table(folder / "samples.parquet")
    stored = [i for i in range(30) if i not in (4, 6, 11)]
    assert samples["row"].to_pylist() == stored
    clips = made_clips(30, absent=[6]).take(pa.array(stored))
    for name in clips.column_names:
        assert samples[name].equals(clips[name]), name
    assert samples["frames"].to_pylist() == [2 + i % 5 for i in stored]
    assert samples["decode_errors"].to_pylist() == [i % 3 for i in stored]
    assert not set(FRAME_FIELDS) & set(samples.column_names)
    assert not any(pa.types.is_nested(field.type) for field in samples.schema)


def test_rejects_have_file_reason_and_detail(folder):
    rejects = pq.read_table(folder / "rejects.parquet").to_pylist()
    assert [item["row"] for item in rejects] == [4, 11]
    assert rejects[0]["file"] == "archery/Clip 4.avi"
    assert (rejects[0]["reason"], rejects[0]["detail"]) == ("unreadable", "moov not found")
    assert reject_counts(folder) == {"unreadable": 2}


def test_hugging_face_reads_the_table(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    files = str(folder / "samples.parquet")
    data = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=tmp_path)
    assert data["key"][:] == pq.read_table(files)["key"].to_pylist()
    assert data.features["class_id"].dtype == "int32"


def test_dataset_json_counts(folder):
    info = load_info(folder)
    samples = pq.read_table(folder / "samples.parquet")
    assert info == rebuild_tables(folder, Official(30, 1))
    assert info.counts.stored == len(samples) == 27
    assert info.counts.rejected == 2
    assert info.counts.frames == sum(samples["frames"].to_pylist())
    assert info.counts.splits == {
        name: sum(samples[f"split_{name}"].to_pylist()) for name in ("train1", "test1")
    }
    tars = list((folder / "shards").glob("*.tar"))
    assert info.counts.bytes == sum(tar.stat().st_size for tar in tars)
    assert {shard.name for shard in info.shards} == {tar.stem for tar in tars}
    assert info.complete
    assert info.fingerprint == FINGERPRINT
    assert info.classes().names == HEADER.classes
    assert info.classes().hash == info.classes_hash


def test_lost_tables_come_back_the_same(folder):
    before = {name: (folder / name).read_bytes() for name in TABLES}
    for name in TABLES[:-1]:
        (folder / name).unlink()
    rebuild_tables(folder)  # the official counts are still in dataset.json
    assert {name: (folder / name).read_bytes() for name in TABLES} == before
    (folder / "dataset.json").unlink()
    info = rebuild_tables(folder)
    assert (info.official, info.complete) == (None, False)


def test_the_hash_of_missing_csv_is_kept_like_the_official_counts(folder):
    listed = FileHash(12, "ab" * 32)
    assert rebuild_tables(folder, Official(30, 1), listed).tables[MISSING] == listed
    assert rebuild_tables(folder).tables[MISSING] == load_info(folder).tables[MISSING] == listed
    assert MISSING not in rebuild_tables(folder, Official(30, 1)).tables


@pytest.mark.parametrize("together", [1, 2, 3])
def test_how_many_records_are_put_together_changes_nothing(tmp_path, monkeypatch, together):
    made_store(tmp_path / "custom", 60, per_shard=8, refused=[4, 11], absent=[6])
    before = {name: (tmp_path / "custom" / name).read_bytes() for name in TABLES}
    assert len(scan_records(tmp_path / "custom").records) > 2 * together
    monkeypatch.setattr("shards.tables._TOGETHER", together)
    rebuild_tables(tmp_path / "custom")
    assert {name: (tmp_path / "custom" / name).read_bytes() for name in TABLES} == before


def test_a_part_of_the_shards_is_not_complete(tmp_path):
    clips = made_clips(30)
    plan = plan_shards(clips, 7, HEADER)
    task = plan.task(plan.shards[0].name, made_sizes(clips))
    write_shard(tmp_path, task, HEADER, FINGERPRINT, outcomes(task))
    info = rebuild_tables(tmp_path, Official(30, 0))
    assert not info.complete
    make_pending(tmp_path, plan, made_sizes(clips))
    assert rebuild_tables(tmp_path).complete


def test_programs_and_settings_are_not_mixed_unasked(folder):
    record = next(iter(scan_records(folder).records.values()))
    replace(record, fingerprint="another").save(folder)
    with pytest.raises(UserError, match="encoded by different programs"):
        rebuild_tables(folder)
    info = rebuild_tables(folder, allow_mixed=True)
    assert info.fingerprints == ("another", FINGERPRINT)
    other = replace(record.header, settings={"short_side": 128})
    replace(record, header=other).save(folder)
    with pytest.raises(UserError, match="encoded by different programs"):
        rebuild_tables(folder)


def test_class_lists_are_never_mixed(folder):
    record = next(iter(scan_records(folder).records.values()))
    replace(record, header=replace(record.header, classes=("x",))).save(folder)
    with pytest.raises(UserError, match="two class lists"):
        rebuild_tables(folder, allow_mixed=True)


def test_shards_of_two_plans_are_refused(folder):
    clips = made_clips(30, absent=[6])
    plan = plan_shards(clips, 30, HEADER)
    name = scan_records(folder).records.keys() - {"all-00000"}
    assert name
    task = plan.task("all-00000", made_sizes(clips))
    write_shard(folder, task, HEADER, FINGERPRINT, outcomes(task))
    with pytest.raises(UserError, match=r"row \d+ stands in more than one shard"):
        rebuild_tables(folder)


def test_a_damaged_record_stops_the_tables(folder):
    name = next(iter(scan_records(folder).records))
    path = shard_file(folder, name, "json")
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UserError, match=f"record {name}.* is damaged"):
        rebuild_tables(folder)


def test_nothing_to_tabulate(tmp_path):
    with pytest.raises(UserError, match="no finished shard"):
        rebuild_tables(tmp_path)


def test_all_refused_still_gives_tables(tmp_path):
    store = made_store(tmp_path / "custom", 5, refused=range(5))
    assert len(store) == 0
    assert store.split("train1").shape == (0,)
    assert reject_counts(tmp_path / "custom") == {"unreadable": 5}


def test_a_disk_that_fills_up_while_tables_are_written_is_one_line(folder, monkeypatch):
    from shards import atomic

    before = (folder / "frames.arrow").read_bytes()

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(UserError, match="no space left"):
        patch.setattr(atomic.os, "write", full)
        rebuild_tables(folder)
    assert (folder / "frames.arrow").read_bytes() == before
    assert not list(folder.glob(".*"))
