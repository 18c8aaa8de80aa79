"""Parts of files, files listed twice, files that are no files, names that look like commands."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from manifests.errors import UserError
from prep.video import outcomes as outcomes_module
from prep.video.outcomes import clip_outcomes
from prep.video.settings import EncodeSettings, Limits
from shards.schema import Clip, EncodedClip, Reject
from tests.prep.video.films import clip_of, numbers_in, write_film

FPS = 12


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds, a frame every 1/12 s, B-frames."""
    folder = tmp_path_factory.mktemp("film")
    return write_film(folder / "film.mp4", 120, rate=FPS, options={"bf": "3", "preset": "veryfast"})


def run(clips: list[Clip], root: Path, limits: Limits | None = None, **settings):
    limits = limits or Limits()
    return list(clip_outcomes(clips, root, EncodeSettings(**settings), limits, "custom"))


def parts(film: Path, spans: list[tuple[float | None, float | None]]) -> list[Clip]:
    return [clip_of(film, row, start, end) for row, (start, end) in enumerate(spans)]


def frames_between(start: float | None, end: float | None) -> list[int]:
    """By the rule: the frames whose time t fulfils start <= t < end."""
    return [
        i
        for i in range(120)
        if (start is None or i / FPS >= start) and (end is None or i / FPS < end)
    ]


SPANS = [
    (None, None),
    (0.0, 1.0),
    (1.0, 2.0),
    (0.01, 0.5),
    (2.5, 2.6),
    (3.0, None),
    (None, 0.25),
    (9.9, 30.0),
    (0.0, 100.0),
    (4.0, 9.0),
    (-1.0, 1.0),
]


@pytest.mark.parametrize("frames", ["all", 9])
@pytest.mark.parametrize("decoder", ["ffmpeg", "pyav", "decord"])
def test_parts_of_a_file_hold_exactly_their_frames(film, frames, decoder):
    for span, got in zip(
        SPANS, run(parts(film, SPANS), film.parent, frames=frames, decoder=decoder), strict=True
    ):
        expected = frames_between(*span)
        assert isinstance(got, EncodedClip), (span, got)
        assert got.source_frame_count == len(expected), span
        assert len(got.frames) == len(expected) if frames == "all" else min(len(expected), 9)
        shown = [expected[i] for i in got.source_frames]
        assert numbers_in(got.frames) == shown, span


@pytest.mark.parametrize(
    ("span", "words"),
    [
        ((20.0, 25.0), "20 s"),
        ((5.0, 5.0), "no time"),
        ((5.0, 4.0), "no time"),
        ((5.01, 5.02), "5.01 s"),
        ((None, 0.0), "0 s"),
    ],
)
def test_parts_without_a_frame_are_refused(film, span, words):
    good = (0.0, 1.0)
    refused, kept = run(parts(film, [span, good]), film.parent)
    assert isinstance(refused, Reject) and refused.reason == "no-frame"
    assert words in refused.detail
    assert isinstance(kept, EncodedClip)


def test_parts_of_a_file_that_is_cut_short_stand_for_themselves(tmp_path):
    """What lies before the cut is good, what reaches over it is truncated."""
    film = write_film(tmp_path / "film.avi", 120, (160, 120), "mpeg4")
    data = film.read_bytes()
    film.write_bytes(data[: len(data) // 2])
    spans = [(0.0, 2.0), (2.0, 9.0), (8.0, 9.0), (None, None)]
    got = run(parts(film, spans), tmp_path)
    assert isinstance(got[0], EncodedClip)
    assert numbers_in(got[0].frames) == list(range(24))
    assert [g.reason for g in got[1:]] == ["truncated"] * 3


def test_parts_of_a_file_whose_times_do_not_start_at_zero(tmp_path):
    ticks = [5000 + 1000 * i // FPS for i in range(48)]
    film = write_film(tmp_path / "late.webm", 48, codec="libvpx-vp9", ticks=ticks)
    (got,) = run(parts(film, [(1.0, 2.0)]), tmp_path)
    assert isinstance(got, EncodedClip)
    assert numbers_in(got.frames) == list(range(12, 24))


def test_one_file_is_decoded_once_for_all_its_parts(film, monkeypatch):
    calls = []
    real = outcomes_module.decode
    monkeypatch.setattr(outcomes_module, "decode", lambda *a: calls.append(a[0]) or real(*a))
    assert len(run(parts(film, SPANS), film.parent)) == len(SPANS)
    assert len(calls) == 1


def test_outcomes_come_in_the_order_of_the_clips(film, tmp_path):
    other = write_film(film.parent / "other.mp4", 12)
    clips = [
        clip_of(film, 3, 0.0, 1.0),
        clip_of(other, 4),
        clip_of(film, 7, 1.0, 2.0),
        clip_of(film, 8, 0.0, 1.0),
        clip_of(other, 9),
    ]
    got = run(clips, film.parent)
    assert [g.row if isinstance(g, Reject) else g.clip.row for g in got] == [3, 4, 7, 8, 9]
    assert [g.reason for g in got if isinstance(g, Reject)] == ["listed-twice"] * 2
    assert [g.detail for g in got if isinstance(g, Reject)] == ["as row 3", "as row 4"]


@pytest.mark.parametrize(
    "name", ["-y.mp4", "pipe:0.mp4", "a'b\"c.mp4", "%03d [x];,=\\.mp4", "ä ö\n.mp4", "http:x.mp4"]
)
@pytest.mark.parametrize("decoder", ["ffmpeg", "pyav"])
def test_names_are_names_whatever_they_look_like(tmp_path, name, decoder):
    film = write_film(tmp_path / "plain.mp4", 12)
    film.rename(tmp_path / name)
    (got,) = run([clip_of(tmp_path / name)], tmp_path, decoder=decoder)
    assert isinstance(got, EncodedClip), got
    assert numbers_in(got.frames) == list(range(12))


def test_what_is_no_file_is_refused(tmp_path):
    write_film(tmp_path / "good.mp4", 12)
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "dangling.mp4").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop.mp4").symlink_to(tmp_path / "loop.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    names = ["folder.mp4", "dangling.mp4", "loop.mp4", "pipe.mp4", "absent.mp4", "good.mp4"]
    got = run([clip_of(tmp_path / name, row) for row, name in enumerate(names)], tmp_path)
    assert [g.reason for g in got[:-1] if isinstance(g, Reject)] == ["unreadable"] * 5
    assert isinstance(got[-1], EncodedClip)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_refused(tmp_path):
    film = write_film(tmp_path / "film.mp4", 12)
    film.chmod(0)
    (got,) = run([clip_of(film)], tmp_path)
    assert isinstance(got, Reject)
    assert (got.reason, got.detail) == ("unreadable", "Permission denied")


def test_a_file_that_vanishes_midway_is_refused(tmp_path, monkeypatch):
    film = write_film(tmp_path / "film.mp4", 12)
    real = outcomes_module.probe

    def probe_and_remove(path):
        announced = real(path)
        path.unlink()
        return announced

    monkeypatch.setattr(outcomes_module, "probe", probe_and_remove)
    (got,) = run([clip_of(film)], tmp_path)
    assert isinstance(got, Reject)
    assert got.reason in ("unreadable", "no-frame")


def test_a_failing_disk_is_no_verdict(tmp_path, monkeypatch):
    film = write_film(tmp_path / "film.mp4", 12)
    film.write_bytes(film.read_bytes()[:600])

    def failing(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("prep.video.probe.os.read", failing)
    with pytest.raises(UserError, match="Input/output error"):
        run([clip_of(film)], tmp_path)


def test_equal_refusals_whatever_the_folder(tmp_path):
    """What a refusal says is part of a set's hash: nothing of the place may be in it."""
    told = []
    for place in ("here", "there"):
        folder = tmp_path / place
        folder.mkdir()
        film = write_film(folder / "film.avi", 60, codec="mpeg4")
        film.write_bytes(film.read_bytes()[:4000])
        (folder / "page.mp4").write_text("<html>")
        (folder / "none.mp4").mkdir()
        names = ["film.avi", "page.mp4", "none.mp4", "absent.mp4"]
        told.append(run([clip_of(folder / n, row) for row, n in enumerate(names)], folder))
    assert told[0] == told[1]
    assert all(isinstance(outcome, Reject) for outcome in told[0])
