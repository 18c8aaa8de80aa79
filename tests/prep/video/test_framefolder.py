"""Clips out of folders of frames: each image shows its number, what is stored is read again."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg

from manifests.errors import UserError
from prep.video.outcomes import Outcome, clip_outcomes
from prep.video.settings import EncodeSettings, Limits
from prep.video.stills import read_still
from shards.schema import EncodedClip, Reject
from tests.prep.video.films import clip_of, numbers_in, painted, write_film

SIZE = (96, 64)


def jpeg(number: int, size: tuple[int, int] = SIZE) -> bytes:
    grey = np.ascontiguousarray(painted(number, *size))
    return simplejpeg.encode_jpeg(grey[..., None], 95, colorspace="GRAY")


def png(number: int) -> bytes:
    return cv2.imencode(".png", painted(number, *SIZE))[1].tobytes()


def write_frames(
    folder: Path, numbers: Iterable[int], name: str = "img_{:05d}.jpg", shift: int = 0
) -> Path:
    """Write images that show their number from 0, plus a shift; their files count from 1."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        paint = png if name.endswith("png") else jpeg
        (folder / name.format(number + 1)).write_bytes(paint(number + shift))
    return folder


def outcome(folder: Path, start=None, end=None, cpu=60.0, **settings) -> Outcome:
    clip = clip_of(folder, start=start, end=end)
    encode = EncodeSettings(decoder="frames", **settings)
    (found,) = clip_outcomes([clip], folder.parent, encode, Limits(cpu), "custom")
    return found


def stored(folder: Path, **words) -> EncodedClip:
    found = outcome(folder, **words)
    assert isinstance(found, EncodedClip), found
    return found


def refusal(folder: Path, **words) -> Reject:
    found = outcome(folder, **words)
    assert isinstance(found, Reject), found
    assert str(folder.parent) not in found.detail
    return found


@pytest.mark.parametrize("name", ["img_{:05d}.jpg", "{}.JPEG", "frame_{:04d}.png"])
def test_frame_i_is_image_i(tmp_path, name):
    found = stored(write_frames(tmp_path / "v.1", range(24), name))
    assert numbers_in(found.frames) == list(range(24))
    assert found.source_frames == tuple(range(24))
    assert (found.source_frame_count, found.decode_errors, found.fps) == (24, 0, 0.0)
    assert (found.width, found.height) == SIZE


@pytest.mark.parametrize("frames", ["auto", "all", 9])
def test_frames_and_film_are_numbered_alike(tmp_path, frames):
    film = write_film(tmp_path / "film.mp4", 230)
    settings = EncodeSettings(frames=frames)
    (of_film,) = clip_outcomes([clip_of(film)], tmp_path, settings, Limits(), "custom")
    assert isinstance(of_film, EncodedClip)
    of_frames = stored(write_frames(tmp_path / "film", range(230)), frames=frames, fps=12.0)
    assert of_frames.source_frames == of_film.source_frames
    assert numbers_in(of_frames.frames) == numbers_in(of_film.frames)
    assert of_frames.source_frame_count == of_film.source_frame_count
    assert (of_frames.fps, of_frames.width, of_frames.height) == (12.0, *SIZE)


@pytest.mark.parametrize(("start", "end"), [(0.5, 1.25), (None, 1.0), (1.5, None), (1.0, 99.0)])
def test_parts_have_the_frames_of_the_film(tmp_path, start, end):
    film = write_film(tmp_path / "film.mp4", 36)
    clip = clip_of(film, start=start, end=end)
    (of_film,) = clip_outcomes([clip], tmp_path, EncodeSettings(), Limits(), "custom")
    assert isinstance(of_film, EncodedClip)
    folder = write_frames(tmp_path / "film", range(36))
    of_frames = stored(folder, start=start, end=end, fps=12.0)
    assert numbers_in(of_frames.frames) == numbers_in(of_film.frames)
    assert of_frames.source_frames == of_film.source_frames


def test_gaps_and_damage_are_errors(tmp_path):
    folder = write_frames(tmp_path / "v", set(range(60)) - {0, 20, 21})
    (folder / "img_00031.jpg").write_bytes(jpeg(30)[:-40])
    (folder / "img_00041.jpg").write_bytes(b"<html>")
    kept = [n for n in range(60) if n not in (0, 20, 21, 30, 40)]
    found = stored(folder)
    assert numbers_in(found.frames) == kept
    assert found.source_frames == tuple(range(55))
    assert (found.source_frame_count, found.decode_errors) == (55, 5)
    few = stored(folder, frames=9)
    assert [kept[i] for i in few.source_frames] == numbers_in(few.frames)


def test_too_many_of_them_are_refused(tmp_path):
    folder = write_frames(tmp_path / "v", range(7, 60))
    (folder / "img_00010.jpg").write_bytes(b"")
    found = refusal(folder)
    assert found.reason == "truncated"
    assert found.detail == (
        "52 of 60 frames are there and readable; no image has number 1; img_00010.jpg is empty"
    )


def test_a_clip_counts_its_own_damage_alone(tmp_path):
    folder = write_frames(tmp_path / "v", set(range(60)) - {50, 51, 52})
    assert stored(folder, end=4.0, fps=12.0).decode_errors == 0
    assert refusal(folder, start=4.0, fps=12.0).reason == "truncated"


def test_folders_without_frames(tmp_path):
    (tmp_path / "empty").mkdir()
    found = refusal(tmp_path / "empty")
    assert (found.reason, found.detail) == ("no-frame", "the folder holds no numbered image")
    assert refusal(tmp_path / "gone").reason == "unreadable"
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "1.jpg").write_bytes(jpeg(0)[:-9])
    assert refusal(tmp_path / "bad").reason == "no-frame"
    folder = write_frames(tmp_path / "v", range(12))
    assert "the frames end at 1.00 s" in refusal(folder, start=5.0, end=9.0, fps=12.0).detail


def test_names_that_are_no_utf8_are_no_frames(tmp_path):
    folder = write_frames(tmp_path / "v", range(3), "bildfür_{:05d}.jpg")
    with open(os.fsencode(folder) + b"/b\xff_00001.jpg", "wb"):  # noqa: PTH123
        pass
    assert numbers_in(stored(folder).frames) == [0, 1, 2]


def test_images_of_different_sizes_are_refused(tmp_path):
    folder = write_frames(tmp_path / "v", range(12))
    (folder / "img_00008.jpg").write_bytes(jpeg(7, (64, 96)))
    found = refusal(folder)
    assert found.reason == "unreadable"
    assert "different sizes: 96x64 (img_00001.jpg) and 64x96 (img_00008.jpg)" in found.detail


def test_large_images_are_shrunk(tmp_path):
    (tmp_path / "v").mkdir()
    for number in range(3):
        (tmp_path / "v" / f"{number}.jpg").write_bytes(jpeg(number, (720, 480)))
    found = stored(tmp_path / "v")
    assert (found.width, found.height) == (384, 256)
    assert numbers_in(found.frames) == [0, 1, 2]


def test_a_limit_of_time(tmp_path):
    folder = write_frames(tmp_path / "v", range(40))
    assert refusal(folder, cpu=1e-9).reason == "time-limit"


def test_a_failing_disk_is_no_refusal(tmp_path, monkeypatch):
    folder = write_frames(tmp_path / "v", range(3))

    def fail(path):
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(UserError, match=r"img_00001\.jpg: Input/output error; is the disk"):
        outcome(folder)


def oriented(data: bytes, orientation: int) -> bytes:
    """The JPEG or PNG with an orientation noted in it."""
    tag = b"\x12\x01\x03\0\x01\0\0\0" + bytes([orientation, 0, 0, 0])
    exif = b"II*\0\x08\0\0\0\x01\0" + tag + bytes(4)
    if data.startswith(b"\x89PNG"):
        chunk = b"eXIf" + exif
        chunk = struct.pack(">I", len(exif)) + chunk + struct.pack(">I", zlib.crc32(chunk))
        return data[:33] + chunk + data[33:]
    exif = b"Exif\0\0" + exif
    return data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:]


@pytest.mark.parametrize("kind", [".jpg", ".png"])
@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 1), (8, 3)])
def test_a_noted_orientation_is_applied(tmp_path, orientation, turns, kind):
    (tmp_path / "v").mkdir()
    for number in range(4):
        coded = np.ascontiguousarray(np.rot90(painted(number, *SIZE), turns))
        data = cv2.imencode(kind, coded)[1].tobytes()
        (tmp_path / "v" / f"{number}{kind}").write_bytes(oriented(data, orientation))
    found = stored(tmp_path / "v")
    assert numbers_in(found.frames) == [0, 1, 2, 3]
    assert (found.width, found.height) == SIZE


@pytest.mark.parametrize("make", [jpeg, png])
def test_every_cut_is_damage(make):
    data = make(5)
    assert read_still(data).shape == (64, 96, 3)
    for end in range(0, len(data) - 2, max(1, len(data) // 60)):
        with pytest.raises(ValueError, match=r"."):
            read_still(data[:end])


def test_a_changed_byte_of_a_png_is_damage():
    data = bytearray(png(5))
    for place in range(16, len(data) - 12, 7):
        data[place] ^= 4
        with pytest.raises(ValueError, match=r"."):
            read_still(bytes(data))
        data[place] ^= 4


def test_kinds_of_images(tmp_path):
    """Colour, sixteen bits, transparency, and a suffix that is not true."""
    (tmp_path / "v").mkdir()
    grey = painted(0, *SIZE)
    colour = np.dstack([grey] * 3)
    images = [
        cv2.imencode(".png", grey.astype(np.uint16) * 257)[1].tobytes(),
        cv2.imencode(".png", np.dstack([colour, np.full_like(grey, 99)]))[1].tobytes(),
        cv2.imencode(".jpg", colour, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes(),
    ]
    for number, data in enumerate(images):
        (tmp_path / "v" / f"{number}.jpg").write_bytes(data)
    assert numbers_in(stored(tmp_path / "v").frames) == [0, 0, 0]


def test_colours_are_those_of_the_image(tmp_path):
    (tmp_path / "v").mkdir()
    picture = np.full((64, 96, 3), (200, 60, 30), np.uint8)
    data = simplejpeg.encode_jpeg(picture, 95, colorspace="RGB")
    (tmp_path / "v" / "1.jpg").write_bytes(data)
    (tmp_path / "v" / "2.png").write_bytes(cv2.imencode(".png", picture[..., ::-1])[1].tobytes())
    for frame in stored(tmp_path / "v").frames:
        shown = simplejpeg.decode_jpeg(frame, colorspace="RGB").astype(int)
        assert np.abs(shown - picture).max() <= 4
