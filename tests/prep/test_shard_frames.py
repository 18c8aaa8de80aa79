"""`--from-frames`: folders of extracted frames through every command that reads raw folders."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path

import pytest
import simplejpeg

from shards.recorded import scan_records
from shards.records import shard_file
from shards.store import ShardStore
from tests.prep.commands.said import refused as refused_words
from tests.prep.commands.said import said
from tests.prep.runs import Made, file_hashes, refused, shard, start, words
from tests.prep.video.films import numbers_in, write_film
from tests.prep.video.test_framefolder import write_frames

CLIPS, FRAMES = 30, 24
FRAMED = ("--from-frames", "--workers", "2")


def folder_of(number: int) -> str:
    return f"class{number % 3}/clip.{number:02d}"


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    """Thirty folders of frames that show their numbers, and a list that names their films."""
    root = tmp_path_factory.mktemp("frames") / "raw"
    lines = ["path,class,split"]
    for number in range(CLIPS):
        write_frames(root / folder_of(number), range(FRAMES), shift=number)
        lines.append(f"{folder_of(number)}.mp4,class{number % 3},train")
    (root / "list.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="module")
def calm(raw, tmp_path_factory) -> Made:
    """The set that one undisturbed run makes of them."""
    return shard("custom", raw, tmp_path_factory.mktemp("calm"), "--from-frames", "--workers", "1")


def test_every_folder_is_a_clip_and_every_image_a_frame(calm, raw):
    assert calm.code == 0
    assert calm.report["clips"] == {
        "official": CLIPS,
        "stored": CLIPS,
        "refused": 0,
        "missing": 0,
    }
    assert calm.report["settings"]["decoder"] == "frames"
    assert calm.report["settings"]["fps"] is None
    assert calm.report["fingerprint"].startswith("frames ")
    table = calm.tables["samples.parquet"]
    for row in table.to_pylist():
        number = int(row["file"][-2:])
        assert row["file"] == folder_of(number)
        assert (row["frames"], row["source_frame_count"], row["fps"]) == (FRAMES, FRAMES, 0.0)
    store = ShardStore.open(calm.folder)
    files = store.samples(["file"])["file"].to_pylist()
    for row, file in enumerate(files):
        first = int(file[-2:])
        jpegs = store.read_frames(row, range(FRAMES))
        assert numbers_in(jpegs) == list(range(first, first + FRAMES))


def test_records_know_the_bytes_of_the_images(calm, raw):
    for record in scan_records(calm.folder).records.values():
        for file, size in record.inputs.items():
            assert size == sum(image.stat().st_size for image in (raw / file).iterdir())


@pytest.mark.parametrize("more", [("--workers", "3"), ("--workers", "2", "--frames", "auto")])
def test_the_number_of_workers_changes_nothing(calm, raw, tmp_path, more):
    made = shard("custom", raw, tmp_path, "--from-frames", *more)
    assert made.files == calm.files
    assert made.report["identity"] == calm.report["identity"]


def test_killed_and_run_again(calm, raw, tmp_path):
    run = start(f"{tmp_path.name}-frames", words("custom", raw, tmp_path, *FRAMED))
    folder = tmp_path / "custom" / "shards"
    while run.process.poll() is None and not list(folder.glob("*.json")):
        time.sleep(0.005)
    run.process.send_signal(signal.SIGKILL)
    run.process.communicate()
    assert run.survivors() == []
    made = shard("custom", raw, tmp_path, *FRAMED)
    assert made.files == calm.files
    assert shard("custom", raw, tmp_path, *FRAMED).report["shards"]["made"] == 0


def test_what_has_changed_since_is_made_again(calm, raw, tmp_path):
    root = Path(shutil.copytree(raw, tmp_path / "raw"))
    out = tmp_path / "out"
    shutil.copytree(calm.folder, out / "custom")
    (root / folder_of(4) / "img_00003.jpg").unlink()
    report = shard("custom", root, out, *FRAMED).report
    assert report["shards"]["made"] == 1
    assert report["clips"]["stored"] == CLIPS


def test_repair_gives_the_same_bytes(calm, raw, tmp_path):
    folder = Path(shutil.copytree(calm.folder, tmp_path / "custom"))
    name = next(iter(scan_records(folder).records))
    tar = shard_file(folder, name, "tar")
    tar.write_bytes(tar.read_bytes()[:-2000])
    found = said(
        "verify", "--dataset", "custom", "--shards", tmp_path, "--root", raw, "--repair", "--json"
    )
    assert (found.code, found.json["whole"]) == (0, True)
    assert file_hashes(folder) == calm.files


def test_videos_and_frames_do_not_mix_unasked(raw, calm, tmp_path):
    films = tmp_path / "films"
    lines = ["path,class,split"]
    for number in range(CLIPS):
        path = films / f"{folder_of(number)}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        if number < 3:
            write_film(path, range(number, number + FRAMES))
        lines.append(f"{folder_of(number)}.mp4,class{number % 3},train")
    (films / "list.csv").write_text("\n".join(lines) + "\n")
    out = tmp_path / "out"
    shutil.copytree(calm.folder, out / "custom")
    line = refused("custom", films, out)
    assert "decoder frames (now ffmpeg)" in line
    assert "--remake" in line
    assert file_hashes(out / "custom") == calm.files
    made = shard("custom", films, tmp_path / "other")
    assert made.code == 0
    assert "decoder ffmpeg (now frames)" in refused("custom", raw, tmp_path / "other", *FRAMED)
    # One shard format: the frames of a film and of its folder have the same numbers.
    rows = [
        {row["name"]: row["source_frame_count"] for row in m.tables["samples.parquet"].to_pylist()}
        for m in (made, calm)
    ]
    assert rows[0].items() <= rows[1].items()


def test_another_rate_is_another_setting(calm, raw, tmp_path):
    shutil.copytree(calm.folder, tmp_path / "custom")
    assert "fps None (now 25.0)" in refused("custom", raw, tmp_path, *FRAMED, "--fps", "25")
    made = shard("custom", raw, tmp_path, *FRAMED, "--fps", "25", "--remake")
    assert set(made.tables["samples.parquet"]["fps"].to_pylist()) == {25.0}


def test_scan_and_plan(calm, raw, tmp_path):
    root = Path(shutil.copytree(raw, tmp_path / "raw"))
    shutil.rmtree(root / folder_of(7))
    (root / "extra" / "clip").mkdir(parents=True)
    out = ("--out", tmp_path / "missing.csv")
    words = ("--dataset", "custom", "--root", root, "--from-frames")
    report = said("scan", *words, *out, "--json").json
    assert report["clips"] == {
        "have": CLIPS - 1,
        "expected": CLIPS,
        "missing": 1,
        "unexpected": 1,
    }
    assert report["unexpected"] == ["extra/clip"]
    found = said("plan", *words, "--out", tmp_path / "out", "--sample", "100", "--json").json
    images = list(root.rglob("*.jpg"))
    assert found["raw"] == {
        "files": CLIPS - 1,
        "bytes": sum(path.stat().st_size for path in images),
    }
    assert sum(probed["frames"] for probed in found["sample"]) == len(images)
    assert not (tmp_path / "out").exists()


BENCHMARKS = {
    "ucf101": (
        "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01",
        "testlist01.txt",
        "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi\r\n",
    ),
    "hmdb51": ("smile/a_(b)_smile.c_0", "smile_test_split1.txt", "a_(b)_smile.c_0.avi 1 \n"),
    "ssv2": ("20bn/1420", "test.json", '[{"id": "1420"}]'),
    "kinetics400": (
        "val/air_drumming/-aB_c_000003_000013",
        "val.csv",
        "label,youtube_id,time_start,time_end,split\nair drumming,-aB_c,3,13,val\n",
    ),
    "activitynet": (
        "v_-a",
        "activity_net.v1-3.min.json",
        '{"database": {"-a": {"subset": "training", "annotations": '
        '[{"segment": [0.5, 1.5], "label": "Archery"}]}}}',
    ),
    "toy": ("videos/a/x", "toy_clips.csv", "name,class,split\nx,circle moving left,train\n"),
}


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_every_layout(tmp_path, benchmark):
    clip, file, text = BENCHMARKS[benchmark]
    root = tmp_path / "raw"
    write_frames(root / clip, range(24), "image_{:05d}.png")
    (root / "lists").mkdir()
    (root / "lists" / file).write_bytes(text.encode())
    if benchmark == "hmdb51":
        complete_hmdb51(root / "lists")
    more = ("--fps", "12") if benchmark == "activitynet" else ()
    made = shard(benchmark, root, tmp_path / "out", *FRAMED, *more)
    assert made.code == 0, made.error
    (row,) = made.tables["samples.parquet"].to_pylist()
    assert row["file"] == clip
    assert row["source_frame_count"] == (12 if more else 24)
    assert row["fps"] == (12.0 if more else 0.0)
    assert refused(benchmark, root, tmp_path / "other").count("--from-frames") == 1


SEGMENTS = [
    (0.5, 1.5, "Archery"),
    (1.5, 99.0, "Zumba"),  # past the end: the frames there are
    (1.0, 1.0, "Zumba"),  # empty
    (2.5, 3.0, "Archery"),  # begins behind the end
    (0.5, 1.5, "Archery"),  # told twice
]


@pytest.mark.parametrize("framed", [False, True])
def test_segments_of_activitynet(tmp_path, framed):
    """Two seconds of twelve frames each, several segments and classes in one video."""
    root = tmp_path / "raw"
    root.mkdir()
    if framed:
        write_frames(root / "v_-a", range(24))
    else:
        write_film(root / "v_-a.mp4", 24)
    marks = [{"segment": [start, end], "label": label} for start, end, label in SEGMENTS]
    database = {"-a": {"subset": "training", "annotations": marks}}
    (root / "activity_net.v1-3.min.json").write_text(json.dumps({"database": database}))
    more = ("--from-frames", "--fps", "12") if framed else ()
    made = shard("activitynet", root, tmp_path / "out", "--max-reject-ratio", "1", *more)
    assert made.code == 0
    assert "no frame to cut: 1" in "".join(made.report["notes"])
    stored = [
        (row["name"], row["class_name"]) for row in made.tables["samples.parquet"].to_pylist()
    ]
    assert stored == [("-a_0", "Archery"), ("-a_1", "Zumba")]
    store = ShardStore.open(made.folder)
    assert numbers_in(store.read_frames(0, range(12))) == list(range(6, 18))
    assert numbers_in(store.read_frames(1, range(6))) == list(range(18, 24))
    rejects = made.tables["rejects.parquet"].to_pylist()
    assert [(row["name"], row["reason"], row["detail"]) for row in rejects] == [
        ("-a_2", "no-frame", "from 1 s to 1 s there is no time"),
        ("-a_3", "no-frame", "no frame from 2.5 s to 3 s: the frames end at 2.00 s"),
        ("-a_4", "listed-twice", "as row 0"),
    ]


def complete_hmdb51(lists: Path) -> None:
    """Lists of the other classes: a split is fifty-one files."""
    from manifests.classes import load_classes

    for name in load_classes("hmdb51").names:
        path = lists / f"{name}_test_split1.txt"
        if not path.exists():
            path.write_text(f"{name}_clip.avi 0 \n")


def test_mistakes_are_one_line(raw, tmp_path):
    words = ("--dataset", "custom", "--root", raw, "--out", tmp_path)
    assert "--decoder pyav is for videos" in refused_words(
        "shard", *words, "--from-frames", "--decoder", "pyav"
    )
    assert "say --from-frames" in refused_words("plan", *words, "--fps", "25")
    assert "--fps 0: frames a second, above 0" in refused_words(
        "shard", *words, "--from-frames", "--fps", "0"
    )
    part = tmp_path / "part.csv"
    part.write_text(f"path,class,start,end\n{folder_of(0)},a,0.5,1\n{folder_of(1)},b,,\n")
    line = refused_words("shard", *words, "--annotations", part, "--from-frames")
    assert "seconds of a video are told for 1 clip of custom" in line
    assert "--fps" in line
    (tmp_path / "films" / "a").mkdir(parents=True)
    (tmp_path / "films" / "a" / "1.mp4").touch()
    line = refused_words("scan", "--dataset", "ssv2", "--root", tmp_path / "films", "--from-frames")
    assert "holds no folder of images; videos, such as a/1.mp4, go in without --from-frames" in line


def test_refused_folders_are_counted(raw, tmp_path):
    root = Path(shutil.copytree(raw, tmp_path / "raw"))
    for image in sorted((root / folder_of(0)).iterdir()):
        image.unlink()
    for image in sorted((root / folder_of(1)).iterdir())[5:10]:
        image.unlink()
    path = root / folder_of(2) / "img_00002.jpg"
    grey = simplejpeg.decode_jpeg(path.read_bytes(), colorspace="GRAY")
    path.write_bytes(simplejpeg.encode_jpeg(grey[:32].copy(), colorspace="GRAY"))
    made = shard("custom", root, tmp_path / "out", *FRAMED, "--max-reject-ratio", "0.2")
    assert made.code == 0
    rejects = {row["file"]: row["reason"] for row in made.tables["rejects.parquet"].to_pylist()}
    assert rejects == {
        folder_of(0): "no-frame",
        folder_of(1): "truncated",
        folder_of(2): "unreadable",
    }
    assert made.report["clips"]["stored"] == CLIPS - 3
