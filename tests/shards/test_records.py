"""Records: what is read is what was written, or nothing."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.errors import UserError
from shards.plan import plan_shards
from shards.recorded import remove_shard, scan_records
from shards.records import DamagedRecord, load_record
from shards.writer import write_shard
from tests.shards.made import FINGERPRINT, HEADER, made_clips, made_sizes, made_store, outcomes


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("record")
    clips = made_clips(6, absent=[3])
    task = plan_shards(clips, 10, HEADER).task("all-00000", made_sizes(clips))
    record = write_shard(folder, task, HEADER, FINGERPRINT, outcomes(task, refused=[1]))
    return folder / "shards" / "all-00000.json", record


def test_a_record_comes_back_as_it_went(written):
    path, record = written
    loaded = load_record(path)
    assert loaded.clips.equals(record.clips)
    assert loaded.to_bytes() == record.to_bytes() == path.read_bytes()
    assert loaded.header == HEADER
    assert loaded.rejects == record.rejects
    assert loaded.tar == record.tar
    assert loaded.planned == 6
    assert len(loaded.inputs) == 5
    assert loaded.sha256 == json.loads(path.read_bytes())["sha256"]


def test_a_record_says_what_is_in_the_tar(written):
    path, _ = written
    content = json.loads(path.read_bytes())
    tar = path.with_suffix(".tar").read_bytes()
    assert content["tar"] == {"bytes": len(tar), "sha256": hashlib.sha256(tar).hexdigest()}
    clips = load_record(path).clips.to_pylist()
    assert [clip["row"] for clip in clips] == [0, 2, 4, 5]
    for clip in clips:
        assert sum(clip["frame_sizes"]) == clip["bytes"]
        assert len(clip["frame_sizes"]) == len(clip["source_frames"]) == clip["frames"]
        first = tar[clip["offset"] :][: clip["frame_sizes"][0]]
        assert first.startswith(b"\xff\xd8")
        assert first.endswith(b"\xff\xd9")


@given(st.data())
def test_any_changed_byte_and_any_cut_is_noticed(written, tmp_path_factory, data):
    path, _ = written
    good = path.read_bytes()
    place = data.draw(st.integers(0, len(good) - 1))
    cut = data.draw(st.booleans())
    value = data.draw(st.integers(0, 255).filter(lambda v: v != good[place]))
    bad = good[:place] if cut else good[:place] + bytes([value]) + good[place + 1 :]
    copy = tmp_path_factory.mktemp("bad") / path.name
    copy.write_bytes(bad)
    with pytest.raises(DamagedRecord, match="all-00000"):
        load_record(copy)


def test_a_record_under_another_name_is_damaged(written, tmp_path):
    copy = tmp_path / "all-00001.json"
    copy.write_bytes(written[0].read_bytes())
    with pytest.raises(DamagedRecord, match="that of all-00000"):
        load_record(copy)


def test_a_record_of_another_version_is_refused_not_made_again(written, tmp_path):
    body = (
        written[0].read_bytes().replace(b'"format":1', b'"format":2')[len('{"sha256":"",') + 64 :]
    )
    digest = hashlib.sha256(body).hexdigest().encode()
    (tmp_path / "shards").mkdir()
    later = tmp_path / "shards" / "all-00000.json"
    later.write_bytes(b'{"sha256":"' + digest + b'",' + body)
    with pytest.raises(UserError, match=r"format version 2.* reads version 1") as caught:
        scan_records(tmp_path)
    assert not isinstance(caught.value, DamagedRecord)


def test_identity_is_that_of_all_records(tmp_path):
    one = made_store(tmp_path / "one", 20, per_shard=5)
    two = made_store(tmp_path / "two", 20, per_shard=5)
    three = made_store(tmp_path / "three", 20, per_shard=5, refused=[0])
    assert one.identity == two.identity != three.identity
    scan = scan_records(tmp_path / "one")
    assert scan.identity == one.identity
    assert list(scan.records) == sorted(scan.records)


def test_records_are_read_for_a_few_columns_alone(tmp_path):
    """What is kept of a million clips is what is asked for; the set is known all the same."""
    made_store(tmp_path, 20, per_shard=5)
    whole = scan_records(tmp_path)
    for columns in ((), ("row",), ("row", "frame_sizes")):
        scan = scan_records(tmp_path, columns)
        assert scan.identity == whole.identity
        for name, record in scan.records.items():
            assert set(record.clips.column_names) == set(columns)
            for column in columns:
                assert record.clips[column] == whole.records[name].clips[column]
            assert record.inputs == whole.records[name].inputs


def test_a_bare_record_bears_the_hash_of_the_whole(written):
    path, record = written
    for whole in (record, load_record(path)):
        bare = whole.bare()
        assert bare.sha256 == record.sha256
        assert (bare.clips.column_names, bare.inputs) == (["row"], {})
        assert bare.clips["row"] == record.clips["row"]
        assert bare.rejects == record.rejects


def test_removing_a_shard_takes_all_three_files(tmp_path):
    made_store(tmp_path, 20, per_shard=5)
    name = next(iter(scan_records(tmp_path).records))
    remove_shard(tmp_path, name)
    assert not list((tmp_path / "shards").glob(f"{name}.*"))
    remove_shard(tmp_path, name)
    assert name not in scan_records(tmp_path).records


def test_an_absent_folder_has_no_records(tmp_path):
    scan = scan_records(tmp_path / "none")
    assert (len(scan.records), scan.damaged) == (0, ())


def test_large_numbers_survive(written):
    record = written[1]
    crcs = np.concatenate([np.asarray(c.values) for c in record.clips["frame_crc32"]])
    assert crcs.dtype == np.uint32
    assert crcs.max() > 2**31  # CRCs use all 32 bits
