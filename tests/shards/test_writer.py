"""Shards on disk: bytes, foreign readers, and death in the middle of a write."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from manifests.errors import UserError
from shards import atomic
from shards.atomic import remove_stale_temps
from shards.plan import plan_shards
from shards.recorded import scan_records
from shards.tables import rebuild_tables
from shards.writer import write_shard
from tests.shards.made import (
    FINGERPRINT,
    HEADER,
    encode,
    made_clips,
    made_sizes,
    make_pending,
    outcomes,
    painted,
)


def decode(mjpg: bytes, sizes: list[int]) -> list[bytes]:
    """The five-line decoder of shards/README.md."""
    frames, start = [], 0
    for size in sizes:
        frames.append(mjpg[start : start + size])
        start += size
    return frames


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """One shard of nine clips: its folder and its task."""
    folder = tmp_path_factory.mktemp("one")
    clips = made_clips(9)
    task = plan_shards(clips, 10, HEADER).task("all-00000", made_sizes(clips))
    write_shard(folder, task, HEADER, FINGERPRINT, outcomes(task))
    return folder, task


def tar_of(folder: Path) -> Path:
    return folder / "shards" / "all-00000.tar"


def check_sample(key: str, sidecar: dict, label: int, mjpg: bytes) -> None:
    """Hold one sample, however it was read, against the clip it was painted as."""
    row = int(key[:6])
    assert sidecar["key"] == key
    assert sidecar["row"] == row
    assert sidecar["class_id"] == label == row % 4
    assert sidecar["class_name"] == HEADER.classes[label]
    frames = decode(mjpg, sidecar["frame_sizes"])
    assert b"".join(frames) == mjpg
    numbers = [painted(frame) for frame in frames]
    assert numbers == [(row, number) for number in sidecar["source_frames"]]


class TestForeignReaders:
    def test_tar_extracts_it(self, one, tmp_path):
        subprocess.run(["tar", "xf", tar_of(one[0]), "-C", tmp_path], check=True)
        names = sorted(path.name for path in tmp_path.iterdir())
        assert names == sorted(
            f"{clip.key}.{ext}" for clip in one[1].clips for ext in ("cls", "json", "mjpg")
        )
        for clip in one[1].clips:
            sidecar = json.loads((tmp_path / f"{clip.key}.json").read_bytes())
            label = int((tmp_path / f"{clip.key}.cls").read_text())
            check_sample(clip.key, sidecar, label, (tmp_path / f"{clip.key}.mjpg").read_bytes())

    def test_it_is_plain_ustar_without_time_or_owner(self, one):
        with tarfile.open(tar_of(one[0])) as tar:
            members = tar.getmembers()
        assert [m.name for m in members] == sorted(m.name for m in members)
        for member in members:
            assert member.type == tarfile.REGTYPE  # no PAX or GNU extension anywhere
            assert not member.pax_headers
            assert (member.mtime, member.uid, member.gid, member.uname) == (0, 0, 0, "")
            assert len(member.name) <= 100

    def test_webdataset(self, one):
        import webdataset

        samples = webdataset.WebDataset(str(tar_of(one[0])), shardshuffle=False).decode()
        seen = 0
        for clip, sample in zip(one[1].clips, samples, strict=True):
            assert sample["__key__"] == clip.key
            check_sample(clip.key, sample["json"], sample["cls"], sample["mjpg"])
            seen += 1
        assert seen == 9

    @pytest.mark.parametrize("streaming", [True, False])
    def test_hugging_face_webdataset(self, one, tmp_path, monkeypatch, streaming):
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        import datasets

        files = {"train": [str(tar_of(one[0]))]}
        data = datasets.load_dataset(
            "webdataset", data_files=files, split="train", streaming=streaming, cache_dir=tmp_path
        )
        seen = 0
        for clip, sample in zip(one[1].clips, data, strict=True):
            check_sample(clip.key, sample["json"], sample["cls"], sample["mjpg"])
            assert sample["json"]["splits"] == {s: s in clip.splits for s in HEADER.splits}
            seen += 1
        assert seen == 9

    def test_dali_reads_it_by_our_index(self, one):
        from nvidia.dali import fn, pipeline_def

        @pipeline_def(batch_size=9, num_threads=1, device_id=None)
        def pipeline():
            return tuple(
                fn.readers.webdataset(
                    paths=[str(tar_of(one[0]))],
                    index_paths=[str(tar_of(one[0]).with_suffix(".idx"))],
                    ext=["mjpg", "json", "cls"],
                    missing_component_behavior="error",
                )
            )

        pipe = pipeline()
        pipe.build()
        mjpg, sidecars, labels = pipe.run()
        for i, clip in enumerate(one[1].clips):
            sidecar = json.loads(bytes(sidecars.at(i)))
            check_sample(clip.key, sidecar, int(bytes(labels.at(i))), bytes(mjpg.at(i)))

    def test_the_index_is_the_one_dali_makes(self, one, tmp_path):
        made = tmp_path / "made.idx"
        tool = Path(sys.executable).with_name("wds2idx")
        subprocess.run([tool, tar_of(one[0]), made], check=True, capture_output=True)
        assert made.read_bytes() == tar_of(one[0]).with_suffix(".idx").read_bytes()


class TestBytes:
    def test_equal_clips_give_equal_bytes(self, one, tmp_path):
        folder, task = one
        write_shard(tmp_path, task, HEADER, FINGERPRINT, outcomes(task))
        for path in (folder / "shards").iterdir():
            assert (tmp_path / "shards" / path.name).read_bytes() == path.read_bytes()

    def test_the_longest_key_and_largest_class_fit(self, tmp_path):
        clips = made_clips(1)
        clips = clips.set_column(1, "key", [["000000_" + "x" * 73]])
        task = plan_shards(clips, 10, HEADER).task("all-00000", made_sizes(clips))
        write_shard(tmp_path, task, HEADER, FINGERPRINT, outcomes(task))
        with tarfile.open(tar_of(tmp_path)) as tar:
            assert [len(m.name) for m in tar] == [84, 85, 85]

    def test_nothing_but_jpegs_enters(self, one, tmp_path):
        task = one[1]
        good = encode(task.clips[0])
        cut = type(good)(**{**vars(good), "frames": (*good.frames[:-1], good.frames[-1][:-1])})
        with pytest.raises(ValueError, match="not a whole JPEG"):
            write_shard(tmp_path, task, HEADER, FINGERPRINT, [cut])
        assert list((tmp_path / "shards").iterdir()) == []

    @pytest.mark.parametrize("change", [lambda o: o[1:], lambda o: o[:-1], lambda o: o[::-1]])
    def test_outcomes_must_be_those_of_the_task(self, one, tmp_path, change):
        given = list(outcomes(one[1], refused=[4]))
        with pytest.raises(ValueError, match=r"shorter|instead of|in place of"):
            write_shard(tmp_path, one[1], HEADER, FINGERPRINT, change(given))
        assert list((tmp_path / "shards").iterdir()) == []

    def test_all_refused_is_a_record_without_a_tar(self, one, tmp_path):
        task = one[1]
        write_shard(tmp_path, task, HEADER, FINGERPRINT, outcomes(task))
        write_shard(tmp_path, task, HEADER, FINGERPRINT, outcomes(task, refused=range(9)))
        assert [path.name for path in (tmp_path / "shards").iterdir()] == ["all-00000.json"]
        record = scan_records(tmp_path).records["all-00000"]
        assert (record.tar, record.idx, len(record.clips), len(record.rejects)) == (
            None,
            None,
            0,
            9,
        )

    def test_rejects_keep_the_order_of_the_rest(self, one, tmp_path):
        record = write_shard(
            tmp_path, one[1], HEADER, FINGERPRINT, outcomes(one[1], refused=[0, 5])
        )
        assert record.clips["row"].to_pylist() == [1, 2, 3, 4, 6, 7, 8]
        assert [reject.row for reject in record.rejects] == [0, 5]
        with tarfile.open(tar_of(tmp_path)) as tar:
            assert len(tar.getmembers()) == 21


class TestDisk:
    def test_a_failing_decoder_leaves_the_old_shard(self, one, tmp_path):
        task = one[1]
        write_shard(tmp_path, task, HEADER, FINGERPRINT, outcomes(task))
        before = scan_records(tmp_path).identity

        def failing():
            yield encode(task.clips[0])
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            write_shard(tmp_path, task, HEADER, FINGERPRINT, failing())
        assert scan_records(tmp_path).identity == before
        assert len(list((tmp_path / "shards").iterdir())) == 3

    @pytest.mark.parametrize("after", [0, 3, 9, 10, 11])
    def test_a_full_disk_is_one_line_and_nothing_half_written(
        self, one, tmp_path, monkeypatch, after
    ):
        task = one[1]
        left = [after]
        write = atomic.os.write

        def full(fd: int, data: memoryview) -> int:
            if not left[0]:
                raise OSError(28, "No space left on device")
            left[0] -= 1
            return write(fd, data)

        with monkeypatch.context() as patch, pytest.raises(UserError, match="no space left"):
            patch.setattr(atomic.os, "write", full)
            write_shard(tmp_path, task, HEADER, FINGERPRINT, outcomes(task))
        assert scan_records(tmp_path).records == {}
        assert not [p for p in (tmp_path / "shards").iterdir() if p.name.startswith(".")]

    def test_killed_at_any_moment_and_run_again_gives_the_same_set(self, tmp_path):
        """SIGKILL at ten random moments; what has a record is whole at each of them."""
        clips = made_clips(60)
        plan = plan_shards(clips, 6, HEADER)
        calm, killed = tmp_path / "calm", tmp_path / "killed"
        start = time.monotonic()
        self.run_writer(calm).wait()
        once = time.monotonic() - start
        chance = random.Random(10)
        for _ in range(10):
            with self.run_writer(killed, slow=True) as process:
                process.stdout.readline()  # it has started to write
                time.sleep(chance.uniform(0, once / 4))
                process.send_signal(signal.SIGKILL)
                process.wait()
            self.check_finished(calm, killed)
        remove_stale_temps(killed / "shards")
        make_pending(killed, plan, made_sizes(clips))
        assert scan_records(calm).identity == scan_records(killed).identity
        names = sorted(path.name for path in (calm / "shards").iterdir())
        assert sorted(path.name for path in (killed / "shards").iterdir()) == names
        self.check_finished(calm, killed)
        assert rebuild_tables(calm) == rebuild_tables(killed)

    def run_writer(self, folder: Path, *, slow: bool = False) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-m", "tests.shards.make_set", str(folder)]
        words += ["--slow"] if slow else []
        root = Path(__file__).resolve().parents[2]
        return subprocess.Popen(words, cwd=root, stdout=subprocess.PIPE)

    def check_finished(self, calm: Path, killed: Path) -> None:
        for name in scan_records(killed).records:
            for extension in ("tar", "idx", "json"):
                file = f"shards/{name}.{extension}"
                assert (killed / file).read_bytes() == (calm / file).read_bytes()
