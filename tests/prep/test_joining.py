"""Which clip a line means: each benchmark's readings, and plain equality everywhere else."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.classes import class_list, load_classes
from prep.joining import Catalogue, join
from prep.published import PublishedList


def catalogue(benchmark: str, names: list[str], videos: list[str] | None = None) -> Catalogue:
    classes = class_list("custom", ["a"]) if benchmark == "custom" else load_classes(benchmark)
    return Catalogue(
        benchmark,
        classes,
        pa.array(names, pa.string()),
        pa.array(names if videos is None else videos, pa.string()),
        np.zeros(len(names), np.int64),
    )


def met(lines: list[str], *args: object) -> list[list[str]]:
    """Names of the clips that each line means."""
    clips = catalogue(*args)
    hits = join(PublishedList("list", "", "names", tuple(lines)), clips)
    found = [[] for _ in lines]
    for line, clip in zip(hits.lines.tolist(), hits.clips.tolist(), strict=True):
        found[line].append(clips.names[clip].as_py())
    assert hits.found(len(lines)).tolist() == [bool(names) for names in found]
    return found


@pytest.mark.parametrize(
    ("benchmark", "line", "names"),
    [
        (
            "ucf101",
            "HandstandPushups/v_HandstandPushups_g01_c01.avi",
            ["v_HandStandPushups_g01_c01"],
        ),
        ("ucf101", "v_HandStandPushups_g01_c0", []),
        ("hmdb51", "kick/A(1)!&[x]~;@+#.avi", ["A(1)!&[x]~;@+#"]),
        ("hmdb51", "a(1)!&[x]~;@+#.avi", []),
        ("kinetics400", "train/-bcdefghijk_000007_000017.mp4", ["-bcdefghijk_000007_000017"]),
        ("kinetics400", "-bcdefghijk_7_17", ["-bcdefghijk_000007_000017"]),
        ("kinetics400", "-bcdefghijk.mp4", ["-bcdefghijk_000007_000017"]),
        ("kinetics400", "-Bcdefghijk.mp4", []),
        ("kinetics400", "_bcdefghijk.mp4", []),  # of two clips, nobody's
        ("kinetics400", "_bcdefghijk_000020_000030", ["_bcdefghijk_000020_000030"]),
        ("ssv2", "videos/78687.webm", ["78687"]),
        ("ssv2", "7868", []),
        ("activitynet", "v_-aaaaaaaaaa.mkv", ["-aaaaaaaaaa_0", "-aaaaaaaaaa_1"]),
        ("activitynet", "root//-aaaaaaaaaa", ["-aaaaaaaaaa_0", "-aaaaaaaaaa_1"]),
        ("activitynet", "v_-aaaaaaaaaa_1", ["-aaaaaaaaaa_1"]),
        ("activitynet", "-aaaaaaaaaa_2", []),
        ("custom", "kitchen/1.mp4", ["kitchen/1.mp4"]),
        ("custom", "elsewhere/2.mp4", ["kitchen/2.mp4"]),
        ("custom", "elsewhere/1.mp4", []),  # two clips are called so
    ],
)
def test_readings(benchmark, line, names):
    clips = {
        "ucf101": (["v_HandStandPushups_g01_c01"],),
        "hmdb51": (["A(1)!&[x]~;@+#"],),
        "kinetics400": (
            [
                "-bcdefghijk_000007_000017",
                "_bcdefghijk_000010_000020",
                "_bcdefghijk_000020_000030",
            ],
        ),
        "ssv2": (["78687"],),
        "activitynet": (["-aaaaaaaaaa_0", "-aaaaaaaaaa_1"], ["-aaaaaaaaaa"] * 2),
        "custom": (["kitchen/1.mp4", "hall/1.mp4", "kitchen/2.mp4"],),
    }[benchmark]
    assert met([line], benchmark, *clips) == [names]


def test_repeated_lines_and_a_name_listed_twice():
    assert met(["1", "2", "1"], "ssv2", ["1", "1"]) == [["1"], [], ["1"]]


def test_nothing_to_look_in():
    assert met(["1"], "ssv2", []) == [[]]
    assert met(["-bcdefghijk_000007_000017"], "kinetics600", []) == [[]]


_STEM = st.text("aAbB1_-!()&;+@[]~#'", min_size=1, max_size=5)


@given(
    names=st.lists(_STEM, max_size=20, unique=True),
    lines=st.lists(
        st.tuples(st.sampled_from(["", "x/", "a b/c/"]), _STEM, st.sampled_from(["", ".avi"])),
        min_size=1,
        max_size=20,
    ),
)
def test_names_to_the_letter(names, lines):
    """Folder and suffix mean nothing, all else everything."""
    found = met(["".join(line) for line in lines], "hmdb51", names)
    assert found == [[stem] if stem in names else [] for _, stem, _ in lines]


_ID = st.text("aB-_", min_size=11, max_size=11)
_CLIP = st.tuples(_ID, st.integers(0, 99), st.integers(1, 10))


@given(clips=st.lists(_CLIP, max_size=8, unique=True), others=st.lists(_CLIP, max_size=3))
def test_kinetics(clips, others):
    """A name with times means that clip; an id alone means the clip of that video, if one."""
    names = [f"{video}_{start:06}_{start + length:06}" for video, start, length in clips]
    for video, start, length in clips + others:
        name = f"{video}_{start:06}_{start + length:06}"
        expected = [name] if name in names else []
        for line in (f"val/x y/{name}.mp4", f"{video}_{start}_{start + length}"):
            assert met([line], "kinetics400", names) == [expected]
        of_video = [name for name in names if name[:11] == video]
        alone = of_video if len(of_video) == 1 else []
        assert met([f"{video}.mp4"], "kinetics400", names) == [alone]
