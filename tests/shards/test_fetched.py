"""Remote sets: the same frames as from the folder, few requests, and errors that say what to do."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.errors import UserError
from shards import fetched
from shards.fetched import CacheSettings, open_shards, whole_tars
from shards.records import shard_file
from shards.remote import Patience, Remote
from shards.store import FrameError, OutOfReachError, ShardStore
from shards.subsets import few_shot, load_subset
from tests.shards.hub import hub_of
from tests.shards.made import made_store
from tests.shards.servers import BUCKET, put, upload

QUICK = Patience(request_s=1.0, attempts=3, pause_s=0.02)
ONCE = Patience(request_s=0.5, attempts=1)


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """Thirty clips in five shards, with a subset beside them."""
    store = made_store(tmp_path_factory.mktemp("set") / "custom", 30)
    few_shot(store, 2, "train1", 1).save(store.folder)
    return store


@pytest.fixture(scope="module")
def place(local, s3_url):
    """The same set in a bucket."""
    upload(s3_url, local.folder, "plain/custom")
    return f"s3://{BUCKET}/plain"


@pytest.fixture
def kept(tmp_path):
    return CacheSettings(tmp_path / "cache")


def all_frames(store: ShardStore) -> list[list[bytes]]:
    return [store.read_frames(i, range(int(n))) for i, n in enumerate(store.frame_counts)]


def remote_store(place, kept, patience=QUICK) -> ShardStore:
    return open_shards(place, "custom", kept, patience)


def test_the_same_frames_one_request_a_clip(local, place, s3, kept):
    store = remote_store(place, kept)
    assert store.identity == local.identity and store.split("train1").any()
    assert load_subset(store, "few-shot-train1-2-seed1").rows.tolist()
    opened = len(s3.log)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: store.read_frames(i, [0, 1, 0]), range(len(store))))
    assert found == [local.read_frames(i, [0, 1, 0]) for i in range(len(local))]
    assert len(s3.log) - opened == len(store) == len({r.span for r in s3.reads(".tar")})
    assert all_frames(store) == all_frames(local)
    assert len(s3.log) - opened == len(store), "kept clips are not asked for again"


def test_tables_come_once_for_all_ranks_of_a_machine(place, s3, kept):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: remote_store(place, kept), range(4)))
    for name in ("frames.arrow", "samples.parquet"):
        assert len(s3.reads(name)) == 1


def test_whole_tars_where_more_than_a_quarter_is_wanted(local, place, s3, kept, monkeypatch):
    monkeypatch.setattr(fetched, "BLOCK", 4096)
    store = remote_store(place, kept)
    first = np.flatnonzero(store.layout.shard_of == 0)
    few = np.flatnonzero(store.layout.shard_of == 1)[:1]
    store.tars.want(np.concatenate([first, few]), blocks=False)
    for i in [*first.tolist(), *few.tolist()]:
        assert store.read_frames(i, [0]) == local.read_frames(i, [0])
    size = store.info.shards[0].bytes
    whole, single = (
        s3.reads(f"{store.info.shards[0].name}.tar"),
        s3.reads(f"{store.info.shards[1].name}.tar"),
    )
    assert len(whole) == -(-size // 4096) and sum(r.bytes for r in whole) == size
    assert [r.bytes for r in single] == [store.layout.span(few[0])[1]]


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(1, 100)), max_size=20))
def test_a_quarter_is_the_border(shards):
    wanted, sizes = (np.array([s[k] for s in shards], dtype=np.int64) for k in (0, 1))
    expected = [n for n, (want, size) in enumerate(shards) if 4 * want > size]
    assert whole_tars(wanted, sizes).tolist() == expected


def test_two_processes_fetch_nothing_twice(local, place, s3, kept):
    """Two stores of one cache, as two ranks have them, at once on the same clips."""
    stores = [remote_store(place, kept) for _ in range(2)]
    opened, start = len(s3.log), threading.Barrier(8)

    def read(worker: int) -> list[bytes]:
        start.wait()
        return [stores[worker % 2].read_frames(i, [0])[0] for i in range(10)]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(read, range(8)))
    assert all(frames == found[0] for frames in found)
    assert len(s3.log) - opened == 10


@pytest.mark.parametrize("fault", [500, 503, "cut", "stall"])
def test_a_server_that_fails_now_and_then_changes_nothing(local, place, s3, kept, fault):
    store = remote_store(place, kept)
    failed: set[tuple[int, int]] = set()

    def once(request):
        if request.span is None or request.span in failed:
            return None
        failed.add(request.span)
        return fault

    s3.fault = once
    reads = 2 if fault == "stall" else 5
    for i in range(reads):
        assert store.read_frames(i, [0, 1]) == local.read_frames(i, [0, 1])
    assert len(failed) == reads


@pytest.mark.parametrize(
    ("fault", "words"),
    [(503, "3 attempts"), (500, "3 attempts"), ("close", "3 attempts"), ("cut", "3 attempts"),
     ("stall", "no answer within 1 s"), (403, "credentials")],
)  # fmt: skip
def test_a_server_that_fails_for_good_is_one_line(place, s3, kept, fault, words):
    store = remote_store(place, kept)
    s3.fault = lambda request: fault
    with pytest.raises(OutOfReachError) as caught:
        store.read_frames(3, [1])
    message = str(caught.value)
    for word in (
        "custom: frame 1 of clip 000003_clip_3 in shard all-0000",
        "s3://",
        words,
        "--resume",
    ):
        assert word in message, message
    assert "\n" not in message
    s3.fault = lambda request: None
    assert len(store.read_frames(3, [1])) == 1


def test_opening_while_the_server_fails_is_one_line(place, s3, kept):
    s3.fault = lambda request: 503
    with pytest.raises(UserError, match=r"^s3://sets/plain/custom/dataset.json: .*3 attempts"):
        remote_store(place, kept)
    s3.fault = lambda request: None
    with pytest.raises(UserError, match=r"no shards at s3://sets/elsewhere/custom: upload"):
        remote_store(f"s3://{BUCKET}/elsewhere", kept)


def test_a_kept_file_that_goes_or_rots_is_fetched_again(local, place, s3, kept):
    store = remote_store(place, kept)
    store.tars.want(np.arange(len(store)), blocks=False)
    before = all_frames(store)
    tar = shard_file(store.folder, store.shard_of(0), "tar")
    tar.unlink()
    assert all_frames(store) == before and tar.is_file()
    tar.write_bytes(bytes(tar.stat().st_size))
    asked = len(s3.log)
    assert all_frames(store) == before == all_frames(local)
    assert len(s3.log) - asked == (store.layout.shard_of == store.layout.shard_of[0]).sum()


def test_a_cache_that_is_removed_as_a_whole_is_filled_again(local, place, s3, kept):
    store = remote_store(place, kept)
    assert store.read_frames(0, [0])
    shutil.rmtree(kept.folder)
    assert all_frames(store) == all_frames(local)


@pytest.mark.parametrize("change", ["flip", "cut"])
@pytest.mark.parametrize("whole", [True, False])
def test_damage_at_the_source_is_named(local, s3, s3_url, kept, change, whole):
    name = f"damaged-{change}-{whole}"
    upload(s3_url, local.folder, f"{name}/custom")
    last = int(np.argmax(np.where(local.layout.shard_of == 0, local.layout.offsets, -1)))
    tar = bytearray(shard_file(local.folder, local.shard_of(last), "tar").read_bytes())
    offset, size = local.layout.span(last)
    if change == "flip":
        tar[offset + size - 1] ^= 1
    else:
        del tar[offset + size - 1 :]
    put(f"{s3_url}/{BUCKET}/{name}/custom/shards/{local.shard_of(last)}.tar", bytes(tar))
    store = remote_store(f"s3://{BUCKET}/{name}", kept)
    if whole:
        store.tars.want(np.arange(len(store)), blocks=False)
    position = int(store.frame_counts[last]) - 1
    assert store.read_frames(last, [0]) == local.read_frames(last, [0])
    with pytest.raises(FrameError, match=rf"frame {position} of clip {store.layout.key(last)} in .*"
                       r"prep verify --dataset custom --repair` where .* upload"):  # fmt: skip
        store.read_frames(last, [position])


def test_a_missing_tar_is_named_at_once(local, s3, s3_url, kept):
    upload(s3_url, local.folder, "partly/custom")
    store = remote_store(f"s3://{BUCKET}/partly", kept)
    s3.fault = lambda request: 404 if request.path.endswith(".tar") else None
    asked = len(s3.log)
    with pytest.raises(FrameError, match=r"frame 0 of clip 000000_clip_0 .*upload"):
        store.read_frames(0, [0])
    assert len(s3.log) - asked <= 2


def test_tables_of_another_state_are_refused(local, s3, s3_url, kept, tmp_path):
    other = made_store(tmp_path / "custom", 30, refused=[3])
    upload(s3_url, local.folder, "mixed/custom")
    put(
        f"{s3_url}/{BUCKET}/mixed/custom/frames.arrow",
        (other.folder / "frames.arrow").read_bytes(),
    )
    with pytest.raises(UserError, match=r"mixed/custom/frames.arrow is damaged or of another"):
        remote_store(f"s3://{BUCKET}/mixed", kept)


def test_a_cache_too_small_for_a_tar_takes_clips_one_by_one(local, place, s3, tmp_path):
    largest = max(local.layout.span(i)[1] for i in range(len(local)))
    kept = CacheSettings(tmp_path / "cache", limit=2 * largest)
    store = remote_store(place, kept)
    store.tars.want(np.arange(len(store)), blocks=False)
    for _ in range(2):
        assert all_frames(store) == all_frames(local)
        files = list(kept.folder.glob("*/*/clips/*.mjpg"))
        assert 0 < sum(path.stat().st_size for path in files) <= kept.limit
    store.tars.want(np.arange(len(store)), blocks=True)
    with pytest.raises(OutOfReachError, match=r"--cache-gb"):
        store.read_frames(0, [0])


def test_the_store_goes_to_another_process(local, place, s3, kept):
    store = pickle.loads(pickle.dumps(remote_store(place, kept)))
    assert store.read_frames(2, [0]) == local.read_frames(2, [0])


def test_over_http(local, place, s3, kept):
    store = remote_store(f"{s3.url}/{BUCKET}/plain", kept)
    assert all_frames(store) == all_frames(local)
    s3.fault = lambda request: 503
    with pytest.raises(UserError, match=r"503 .*3 attempts"):
        remote_store(f"{s3.url}/{BUCKET}/plain", kept)


def test_other_addresses_are_refused():
    with pytest.raises(UserError, match=r"ftp://.*s3://, "):
        Remote("ftp://host/sets", ONCE)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(
        fetched.Remote.__init__.__globals__["importlib"].util, "find_spec", lambda name: None
    )
    with pytest.raises(UserError, match=r"actionshards\[remote\]"):
        Remote("s3://bucket/sets", ONCE)


def test_tars_that_come_soon_are_fetched_before_they_are_read(local, place, s3, kept):
    store = remote_store(place, kept)
    clips = np.arange(len(store))
    store.tars.soon(clips)  # none is fetched whole yet
    store.tars.want(clips, blocks=True)
    asked = len(s3.reads(".tar"))
    store.tars.soon(clips)
    store.tars._thread.join(20)
    assert len(s3.reads(".tar")) - asked == len(store.info.shards)
    s3.fault = lambda request: 503
    assert all_frames(store) == all_frames(local)


def test_fetching_ahead_in_vain_is_told_by_the_read(place, s3, kept):
    store = remote_store(place, kept)
    store.tars.want(np.arange(len(store)), blocks=True)
    s3.fault = lambda request: 503
    store.tars.soon(np.array([0]))
    store.tars._thread.join(20)
    with pytest.raises(OutOfReachError, match="3 attempts"):
        store.read_frames(0, [0])
    s3.fault = lambda request: None
    assert store.read_frames(0, [0])


def test_over_the_hub(local, kept):
    """In a process of its own: huggingface_hub reads its address once, when it is imported."""
    words = f"""
from pathlib import Path
from manifests.errors import UserError
from shards.fetched import CacheSettings, open_shards
from shards.store import ShardStore
from shards.subsets import list_subsets
kept = CacheSettings(Path({str(kept.folder)!r}))
store = open_shards("hf://datasets/user/name", "custom", kept)
local = ShardStore.open(Path({str(local.folder)!r}))
assert list_subsets(store.folder) == list_subsets(local.folder) != ()
for i in range(len(local)):
    assert store.read_frames(i, [0, 1]) == local.read_frames(i, [0, 1])
for place in ("hf://datasets/user/name/deeper", "hf://datasets/user/other"):
    try:
        open_shards(place, "custom", kept)
    except UserError as error:
        print(error)
"""
    with hub_of(local.folder.parent) as (url, asked):
        done = subprocess.run(
            [sys.executable, "-c", words],
            env={**os.environ, "HF_ENDPOINT": url, "HF_HUB_DISABLE_TELEMETRY": "1"},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    deeper, other = done.stdout.splitlines()
    assert "no shards at hf://datasets/user/name/deeper/custom: upload" in deeper
    assert "no such repository" in other
    tars = [(path, span) for path, span in asked if path.endswith(".tar")]
    assert len(tars) == len(local) and all(span for _, span in tars)
