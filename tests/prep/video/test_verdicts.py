"""The rules of truncation, without any video: what is announced against what was decoded."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prep.video.passes import Pass
from prep.video.probe import PacketTimes, Probe
from prep.video.refusal import Refused
from prep.video.soundness import Soundness
from prep.video.verdicts import Span, check_clip, clip_span, frame_rate
from tests.prep.video.films import clip_of

WHOLE = clip_of(Path("film.mp4"))


def announced(frames: int = 100, packets: int | None = None, **changes) -> Probe:
    """Ten frames a second, a tick a millisecond; everything it announces is there."""
    shown = frames if packets is None else packets
    times = PacketTimes(
        pts=tuple(100 * i for i in range(shown)),
        durations=(100,) * shown,
        hidden=0,
        encrypted=False,
        reached=shown / 10,
    )
    probe = Probe(
        stream=0,
        codec="h264",
        time_base=Fraction(1, 1000),
        start=Fraction(0),
        fps=10.0,
        announced_frames=frames,
        stream_end=frames / 10,
        file_end=frames / 10,
        reached=shown / 10,
        packets=times,
    )
    return replace(probe, **changes)


def decoded(frames: int, **changes) -> Pass:
    return replace(Pass(tuple(100 * i for i in range(frames)), {}, 0), **changes)


def verdict(probe: Probe, frames: Pass, damage: Soundness | None = None, clip=WHOLE) -> str:
    try:
        check_clip(clip, clip_span(clip, probe, frames.pts), probe, frames, damage)
    except Refused as refused:
        return refused.reason
    return ""


@given(st.integers(1, 3000), st.data())
def test_a_file_needs_nine_tenths_of_what_it_announces(frames, data):
    there = data.draw(st.integers(1, frames))
    got = verdict(announced(frames, packets=there), decoded(there))
    if there >= 0.9 * frames:
        assert got == ""
    if there < 0.9 * (frames - 1):
        assert got == "truncated"


@pytest.mark.parametrize("frames", [2, 3, 10, 82, 243])
def test_one_frame_less_than_announced_is_no_damage(frames):
    """As in every header of HMDB51; there the length is one frame too long, too."""
    probe = announced(frames, packets=frames - 1)
    lone = replace(probe, stream_end=None, file_end=None)
    assert verdict(lone, decoded(frames - 1)) == ""
    if frames >= 10:
        assert verdict(probe, decoded(frames - 1)) == ""


def test_at_a_variable_rate_only_the_length_counts():
    probe = announced(0, packets=50, stream_end=10.0)
    assert verdict(probe, Pass(tuple(195 * i for i in range(50)), {}, 0)) == ""
    assert verdict(probe, Pass(tuple(100 * i for i in range(50)), {}, 0)) == "truncated"


def test_the_length_of_the_file_counts_when_no_stream_reaches_it():
    probe = announced(0, packets=50, stream_end=None, file_end=10.0)
    assert verdict(probe, decoded(50)) == "truncated"
    assert verdict(replace(probe, reached=9.5), decoded(50)) == ""


@pytest.mark.parametrize(("frames", "expected"), [(100, ""), (91, ""), (80, "truncated")])
def test_packets_that_give_no_frame(frames, expected):
    probe = announced(0, packets=100, stream_end=None, file_end=None)
    assert verdict(probe, decoded(frames)) == expected


def test_packets_of_single_fields_are_half_frames():
    probe = announced(0, packets=200, stream_end=None, file_end=None)
    assert verdict(probe, decoded(100, interlaced=True)) == ""
    assert verdict(probe, decoded(100, interlaced=False)) == "truncated"
    assert verdict(probe, decoded(60, interlaced=True)) == "truncated"


@pytest.mark.parametrize(("unsound", "expected"), [(1, ""), (10, ""), (11, "truncated")])
def test_frames_built_on_damage_do_not_count(unsound, expected):
    probe = announced(100)
    sound = tuple(i < 100 - unsound for i in range(100))
    bad = tuple(i == 100 - unsound for i in range(100))
    damage = Soundness(probe.packets.pts, sound, bad)
    assert verdict(probe, decoded(100), damage) == expected
    if not expected:
        assert check_clip(WHOLE, Span(0, 100), probe, decoded(100), damage) == 1


def test_damage_outside_a_part_is_none_of_its_own():
    probe = announced(100)
    sound = tuple(i < 50 for i in range(100))
    damage = Soundness(probe.packets.pts, sound, tuple(i == 50 for i in range(100)))
    first, second = clip_of(Path("f.mp4"), 0, 0.0, 5.0), clip_of(Path("f.mp4"), 1, 5.0, 10.0)
    assert verdict(probe, decoded(100), damage, first) == ""
    assert verdict(probe, decoded(100), damage, second) == "truncated"


@given(st.floats(-2, 12), st.floats(-2, 12))
def test_a_part_holds_the_frames_of_its_time(start, end):
    clip = clip_of(Path("f.mp4"), 0, start, end)
    span = clip_span(clip, announced(100), decoded(100).pts)
    inside = [i for i in range(100) if start <= i / 10 < end]
    assert list(range(span.first, span.first + span.count)) == inside


def test_no_frame_of_a_whole_file():
    assert verdict(announced(100, packets=0), decoded(0)) == "no-frame"
    problem = decoded(0, problem="Decoder not found")
    assert verdict(announced(100), problem) == "unreadable"


def test_the_rate_is_the_announced_one_unless_the_frames_say_otherwise():
    assert frame_rate(Span(0, 100), announced(100), decoded(100)) == 10.0
    slow = Pass(tuple(250 * i for i in range(100)), {}, 0)
    assert frame_rate(Span(0, 100), announced(100), slow) == pytest.approx(4.0)
    assert frame_rate(Span(0, 1), announced(1), decoded(1)) == 10.0
    assert frame_rate(Span(0, 9), announced(9), Pass((None,) * 9, {}, 0)) == 10.0
