"""Settings refuse what cannot be, and a fingerprint changes with what changes the bytes."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from pathlib import Path

import pytest

from manifests.errors import UserError
from prep.video import ffmpeg as ffmpeg_module
from prep.video.ffmpeg import decode_command, ffmpeg_binary
from prep.video.request import Request
from prep.video.settings import EncodeSettings, Limits, chosen_decoder, fingerprint
from tests.prep.video.films import write_film


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"frames": "some"}, "auto, all"),
        ({"frames": 0}, "at least 1"),
        ({"short_side": 7}, "8 to 4096"),
        ({"quality": 1}, "2 \\(best\\) to 31"),
        ({"quality": 32}, "2 \\(best\\) to 31"),
        ({"decoder": "gstreamer"}, "ffmpeg, decord, pyav"),
        ({"fps": 25.0}, "say --from-frames"),
        ({"decoder": "frames", "fps": 0.0}, "above 0"),
        ({"decoder": "frames", "fps": float("nan")}, "above 0"),
    ],
)
def test_impossible_settings_are_named(values, words):
    with pytest.raises(UserError, match=words):
        EncodeSettings(**values)


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan")])
def test_impossible_limits_are_named(seconds):
    with pytest.raises(UserError, match="CPU seconds"):
        Limits(cpu_seconds=seconds)


def test_what_is_meant_is_written_down_not_what_was_said():
    assert EncodeSettings().as_json("ucf101") == EncodeSettings(frames=200).as_json("ucf101")
    assert EncodeSettings().as_json("kinetics400")["frames"] == 40
    assert EncodeSettings(frames="all").as_json("ssv2")["frames"] == "all"


@pytest.mark.parametrize(
    "settings",
    [
        EncodeSettings(frames=40, short_side=128, quality=5, decoder="pyav"),
        EncodeSettings(frames="all", decoder="frames"),
        EncodeSettings(frames=9, decoder="frames", fps=29.97),
    ],
)
def test_what_is_written_down_is_read_again(settings):
    written = settings.as_json("ucf101")
    assert EncodeSettings.from_json(written) == settings
    assert ("fps" in written) == (settings.decoder == "frames")


def test_a_decoder_of_videos_is_not_for_frames():
    assert chosen_decoder("pyav", False) == "pyav"
    assert chosen_decoder("ffmpeg", True) == "frames"
    with pytest.raises(UserError, match="--decoder decord is for videos"):
        chosen_decoder("decord", True)


def test_fingerprints_differ_with_what_changes_the_bytes():
    settings = [
        EncodeSettings(),
        EncodeSettings(quality=5),
        EncodeSettings(short_side=128),
        EncodeSettings(decoder="pyav"),
        EncodeSettings(decoder="decord"),
        EncodeSettings(decoder="frames"),
    ]
    prints = [fingerprint(s) for s in settings]
    assert len(set(prints)) == len(prints)
    assert fingerprint(EncodeSettings()) == prints[0]
    assert all(p.endswith(platform.machine()) and len(p) < 120 for p in prints)


def test_without_any_ffmpeg_there_is_one_line(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(
        "imageio_ffmpeg.get_ffmpeg_exe", lambda: (_ for _ in ()).throw(RuntimeError)
    )
    ffmpeg_binary.cache_clear()
    try:
        with pytest.raises(UserError, match="pip install imageio-ffmpeg"):
            ffmpeg_binary()
    finally:
        ffmpeg_binary.cache_clear()


def test_what_is_no_ffmpeg_is_refused(tmp_path):
    fake = tmp_path / "ffmpeg"
    fake.write_text("#!/bin/sh\necho hello\n")
    fake.chmod(0o755)
    with pytest.raises(UserError, match="is no ffmpeg"):
        ffmpeg_module.build_of(str(fake))
    fake.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(UserError, match="does not run"):
        ffmpeg_module.build_of(str(fake))


#: Instruction sets from the oldest processor of this family to the newest.
LEVELS = [
    "mmx+mmxext+sse+sse2",
    "mmx+mmxext+sse+sse2+sse3+ssse3+sse4.1+sse4.2",
    "mmx+mmxext+sse+sse2+sse3+ssse3+sse4.1+sse4.2+avx+avx2+fma3+bmi1+bmi2",
]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="instruction sets of x86-64")
@pytest.mark.parametrize(
    ("suffix", "codec", "size"),
    [
        (".mp4", "libx264", (720, 486)),
        (".avi", "mpeg4", (320, 240)),
        (".webm", "libvpx-vp9", (427, 240)),
    ],
)
def test_processors_of_one_family_give_the_same_bytes(tmp_path, suffix, codec, size):
    """Why the generation of the processor is no part of the fingerprint."""
    film = write_film(tmp_path / f"film{suffix}", 6, size, codec)
    command = decode_command(Request(str(film), 0, None, 256, 3))
    made = {_digest(command, ())} | {_digest(command, ("-cpuflags", level)) for level in LEVELS}
    assert len(made) == 1


def _digest(command: list[str], before: tuple[str, ...]) -> str:
    done = subprocess.run([command[0], *before, *command[1:]], capture_output=True, check=True)
    assert done.stdout
    return hashlib.sha256(done.stdout).hexdigest()


def test_the_command_names_no_way_but_a_local_file():
    command = decode_command(Request("/raw/a.mp4", 0, [1, 5], 256, 3))
    assert "file:/raw/a.mp4" in command
    assert command[command.index("-protocol_whitelist") + 1] == "file"
    assert Path(command[0]).name.startswith("ffmpeg")
