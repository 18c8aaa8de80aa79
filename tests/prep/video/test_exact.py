"""What is stored as frame i is source frame i, for every decoder and every kind of file.

Each film shows the number of each of its frames in its pixels; the JPEGs are read again.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest
import simplejpeg

from prep.video.jpegs import jpeg_size
from prep.video.outcomes import clip_outcomes
from prep.video.settings import EncodeSettings, Limits
from shards.schema import EncodedClip
from tests.prep.video.films import (
    add_stream,
    clip_of,
    numbers_in,
    run_ffmpeg,
    write_film,
    write_frames,
)

DECODERS = ("ffmpeg", "pyav", "decord")

B_FRAMES = {"bf": "3", "b-pyramid": "none", "b_strategy": "0", "g": "30", "preset": "veryfast"}
VP9 = {"deadline": "realtime", "cpu-used": "8"}

#: Milliseconds: uneven steps, and a jump every ten frames.
UNEVEN = [40 * i + 11 * (i % 3) + 700 * (i // 10) for i in range(40)]


def two_streams(path: Path) -> Path:
    """The second stream is the larger one; the first shows numbers from 600."""
    with av.open(str(path), "w") as film:
        small = add_stream(film, "libx264", (64, 48))
        large = add_stream(film, "libx264", (96, 64))
        write_frames(film, [(small, range(600, 620), (64, 48)), (large, list(range(30)), (96, 64))])
    return path


# What each film is -> (frames, size as stored, how it is made).
FILMS: dict[str, tuple[int, tuple[int, int], Callable[[Path], Path]]] = {
    "mpeg4.avi": (60, (96, 64), lambda p: write_film(p, 60, codec="mpeg4")),
    "mpeg4_b_frames.avi": (
        60,
        (96, 64),
        lambda p: write_film(p, 60, codec="mpeg4", options={"bf": "2"}),
    ),
    "b_frames.mp4": (60, (96, 64), lambda p: write_film(p, 60, options=B_FRAMES)),
    "vp9.webm": (60, (96, 64), lambda p: write_film(p, 60, codec="libvpx-vp9", options=VP9)),
    "uneven.mp4": (40, (96, 64), lambda p: write_film(p, 40, options=B_FRAMES, ticks=UNEVEN)),
    "uneven.webm": (
        40,
        (96, 64),
        lambda p: write_film(p, 40, codec="libvpx-vp9", options=VP9, ticks=UNEVEN),
    ),
    "one_frame.mp4": (1, (96, 64), lambda p: write_film(p, 1)),
    "odd_size.avi": (24, (175, 131), lambda p: write_film(p, 24, (175, 131), "mpeg4")),
    "odd_size.webm": (
        24,
        (175, 131),
        lambda p: write_film(p, 24, (175, 131), "libvpx-vp9", options=VP9),
    ),
    "odd_size_444.mp4": (24, (175, 131), lambda p: write_film(p, 24, (175, 131), pixels="yuv444p")),
    "turned_left.mp4": (24, (80, 120), lambda p: write_film(p, 24, (120, 80), rotation=90)),
    "turned_right.mp4": (24, (80, 120), lambda p: write_film(p, 24, (120, 80), rotation=-90)),
    "upside_down.mp4": (24, (120, 80), lambda p: write_film(p, 24, (120, 80), rotation=180)),
    "wide_pixels.mp4": (
        24,
        (171, 96),
        lambda p: write_film(p, 24, (96, 96), aspect=Fraction(16, 9)),
    ),
    "narrow_pixels.mp4": (
        24,
        (64, 96),
        lambda p: write_film(p, 24, (96, 96), aspect=Fraction(2, 3)),
    ),
    "wide_pixels_turned.mp4": (
        24,
        (72, 96),
        lambda p: write_film(p, 24, (96, 96), aspect=Fraction(4, 3), rotation=90),
    ),
    "ten_bits.mp4": (24, (96, 64), lambda p: write_film(p, 24, pixels="yuv420p10le")),
    "two_streams.mp4": (30, (96, 64), two_streams),
    "two_streams.mkv": (30, (96, 64), two_streams),
    "large.mp4": (12, (384, 256), lambda p: write_film(p, 12, (720, 480))),
    "large_portrait.mp4": (12, (256, 384), lambda p: write_film(p, 12, (480, 720))),
    "long.mp4": (430, (96, 64), lambda p: write_film(p, 430, options=B_FRAMES)),
    "long.avi": (430, (96, 64), lambda p: write_film(p, 430, codec="mpeg4")),
    "long_uneven.mp4": (
        430,
        (96, 64),
        lambda p: write_film(
            p, 430, options=B_FRAMES, ticks=[40 * i + 11 * (i % 3) for i in range(430)]
        ),
    ),
}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for name, (_, _, make) in FILMS.items():
        make(folder / name)
    return folder


def outcomes(folder: Path, names: list[str], **settings) -> list[EncodedClip]:
    clips = [clip_of(folder / name, row) for row, name in enumerate(names)]
    return list(clip_outcomes(clips, folder, EncodeSettings(**settings), Limits(), "custom"))


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("name", FILMS)
def test_stored_frames_are_the_source_frames(films, name, decoder):
    frames, size, _ = FILMS[name]
    (got,) = outcomes(films, [name], decoder=decoder)
    assert isinstance(got, EncodedClip), got
    assert got.source_frame_count == frames
    assert len(got.frames) == min(frames, 200)
    assert numbers_in(got.frames) == list(got.source_frames)
    assert (got.width, got.height) == size
    assert {jpeg_size(jpeg) for jpeg in got.frames} == {size}
    assert got.decode_errors == 0


@pytest.mark.parametrize("decoder", DECODERS)
def test_equal_files_give_equal_bytes(films, decoder):
    names = ["b_frames.mp4", "odd_size.avi"]
    first, second = (outcomes(films, names, decoder=decoder) for _ in range(2))
    assert [clip.frames for clip in first] == [clip.frames for clip in second]


@pytest.mark.parametrize("decoder", DECODERS)
def test_jpegs_are_baseline_with_halved_colours(films, decoder):
    for clip in outcomes(
        films, ["b_frames.mp4", "odd_size_444.mp4", "ten_bits.mp4"], decoder=decoder
    ):
        for jpeg in (clip.frames[0], clip.frames[-1]):
            assert simplejpeg.decode_jpeg_header(jpeg)[2:] == ("YCbCr", "420")
            assert jpeg.startswith(b"\xff\xd8") and jpeg.endswith(b"\xff\xd9")
            assert b"\xff\xc0" in jpeg and b"\xff\xc2" not in jpeg


@pytest.mark.parametrize("frames", ["all", 1, 5, 40, 300])
def test_any_number_of_frames_can_be_kept(films, frames):
    for clip in outcomes(films, ["long.mp4", "long.avi", "vp9.webm"], frames=frames):
        count = clip.source_frame_count
        assert len(clip.frames) == (count if frames == "all" else min(count, frames))
        assert numbers_in(clip.frames) == list(clip.source_frames)


@pytest.mark.parametrize("short_side", [8, 64, 100, 131, 132])
def test_pictures_shrink_to_the_short_side_and_never_grow(films, short_side):
    (clip,) = outcomes(films, ["odd_size.avi"], short_side=short_side)
    height = min(short_side, 131)
    assert (clip.width, clip.height) == (round(175 * height / 131), height)


def test_a_video_that_changes_its_size_midway_keeps_its_frames_and_one_size(tmp_path):
    path = tmp_path / "changing.webm"
    with av.open(str(path), "w") as film:
        stream = add_stream(film, "libvpx-vp9", (96, 64), options=VP9)
        write_frames(film, [(stream, range(20), (96, 64))])
    other = write_film(
        tmp_path / "other.webm", list(range(20, 40)), (192, 128), "libvpx-vp9", options=VP9
    )
    joined = tmp_path / "joined.webm"
    with av.open(str(path)) as one, av.open(str(other)) as two, av.open(str(joined), "w") as film:
        target = film.add_stream_from_template(one.streams.video[0])
        for number, packet in enumerate(p for s in (one, two) for p in s.demux() if p.size):
            packet.stream = target
            packet.pts = packet.dts = number * 83
            film.mux(packet)
    for frames in ("all", 10):
        for decoder in DECODERS[:2]:
            (clip,) = outcomes(tmp_path, ["joined.webm"], frames=frames, decoder=decoder)
            assert isinstance(clip, EncodedClip), clip
            assert clip.source_frame_count == 40
            assert numbers_in(clip.frames) == list(clip.source_frames)
            assert {jpeg_size(jpeg) for jpeg in clip.frames} == {(96, 64)}


def test_a_cut_without_encoding_anew_hides_its_first_frames(tmp_path):
    """The packets before the cut are still there, marked as not to be shown."""
    source = write_film(tmp_path / "whole.mp4", 90, options={**B_FRAMES, "g": "60"})
    cut = tmp_path / "cut.mp4"
    run_ffmpeg("-ss", "2.5", "-i", source, "-c", "copy", cut)
    (clip,) = outcomes(tmp_path, ["cut.mp4"])
    assert isinstance(clip, EncodedClip), clip
    shown = numbers_in(clip.frames)
    assert shown == list(range(shown[0], 90))
    assert 0 < shown[0] <= 30
