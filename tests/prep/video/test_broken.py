"""The verdict on real broken files, on real odd ones, and on files broken here in the same ways."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from prep.video.outcomes import clip_outcomes
from prep.video.settings import EncodeSettings, Limits
from shards.schema import Clip, EncodedClip, Reject, make_key
from tests.prep.video.films import clip_of, run_ffmpeg, write_film

# Real file -> (verdict, why); "" is stored.
EXPECTED: dict[str, tuple[str, str]] = {
    "derived/empty.mp4": ("unreadable", "no byte in it"),
    "derived/error_page.mp4": ("unreadable", "a web page, no container"),
    "derived/truncated_half.avi": ("truncated", "77 of the 164 frames its header announces"),
    "derived/truncated_half.mp4": ("unreadable", "the index at the end of the file is cut off"),
    "derived/truncated_half.webm": ("truncated", "frames for 1.75 s of the 4.33 s announced"),
    "no_video/amr_nb_1f.3gp": ("no-video-stream", "speech only"),
    "no_video/nasa_13013.mp4.audio.mp3": ("no-video-stream", "a sound file"),
    "no_video/sine-3s-xhe-aac-44khz-mono.mp4": ("no-video-stream", "a sound track only"),
    "odd/av1_video.mkv": ("", "AV1, no frame count in the header"),
    "odd/bbb_sunflower_QCIF_30fps_h263_noaudio_1f.3gp": ("", "one frame of H.263"),
    "odd/bt709_full_range.mp4": ("", "other colours"),
    "odd/h264_10bits.mp4": ("", "ten bits"),
    "odd/h264_white_frame_sar_16_9.mp4": ("", "one frame, pixels that are not square"),
    "odd/h265_video.mp4": ("", "HEVC"),
    "odd/nasa_13013.mp4": ("", "two video streams, the second is larger"),
    "odd/unordered.mov": ("", "times out of order"),
    "odd/video_0.mov": ("", "three frames"),
    "odd/video_180.mov": ("", "turned"),
    "odd/video_90.mov": ("", "turned"),
    "odd/video_colr_nclx_rgb.mp4": ("", "two by two pixels of RGB"),
    "odd/white.mp4": ("", "white, but all of it is there"),
    "partial/av1-clearkey-cbcs-video.mp4": ("encrypted", "decodes to noise without an error"),
    "partial/corrupted.mp4": ("truncated", "from the middle on, frames build on a broken one"),
    "undecodable/bipbop_cbcs_video_init.mp4": ("encrypted", "and without any packet"),
    "undecodable/chunk_out_of_range.mp4": ("unreadable", "its index points out of the file"),
    "undecodable/invalid_userdata.mp4": ("no-frame", "announces 5544 frames, holds none"),
    "undecodable/short-cenc.mp4": ("encrypted", "packets fail to decode because of it"),
}

#: Largest stream of a file where the table beside it speaks of another one.
LARGER_STREAM = {"broken/odd/nasa_13013.mp4": 390}


def outcomes(root: Path, files: list[str], **settings) -> list[EncodedClip | Reject]:
    clips = [
        Clip(row, make_key(row, Path(file).stem, 6), file, file, file, 0, "", None, None, "all", ())
        for row, file in enumerate(files)
    ]
    return list(clip_outcomes(clips, root, EncodeSettings(**settings), Limits(), "custom"))


def table(clips: Path) -> dict[str, dict[str, str]]:
    with (clips / "MANIFEST.csv").open(newline="") as lines:
        return {row["path"]: row for row in csv.DictReader(lines)}


def test_every_broken_file_has_its_verdict(clips):
    rows = table(clips)
    files = [file for file in EXPECTED if f"broken/{file}" in rows]
    assert files
    wrong = []
    for file, got in zip(files, outcomes(clips / "broken", files), strict=True):
        verdict, why = EXPECTED[file]
        if (got.reason if isinstance(got, Reject) else "") != verdict:
            wrong.append((file, why, got if isinstance(got, Reject) else "stored"))
        if isinstance(got, Reject):
            assert got.detail and "/" not in got.detail and "\n" not in got.detail
        else:
            row = rows[f"broken/{file}"]
            frames = LARGER_STREAM.get(f"broken/{file}", int(row["decoded_frames"]))
            assert (got.source_frame_count, got.decode_errors) == (frames, 0), file
    assert not wrong


def test_whatever_is_called_broken_or_odd_meets_no_crash(clips):
    """Any folder of this form: what is no video is refused, what is valid but odd is stored."""
    files = sorted(str(p.relative_to(clips)) for p in (clips / "broken").rglob("*.*"))
    for file, got in zip(files, outcomes(clips, files), strict=True):
        kind = Path(file).parts[1]
        if kind == "odd":
            assert isinstance(got, EncodedClip), got
        elif kind == "no_video":
            assert isinstance(got, Reject) and got.reason == "no-video-stream", file
        else:
            assert isinstance(got, Reject), file


@pytest.mark.parametrize("folder", ["ucf101", "hmdb51", "kinetics400", "ssv2", "activitynet"])
def test_real_clips_are_stored_with_all_their_frames_counted(clips, folder):
    rows = {path: row for path, row in table(clips).items() if path.startswith(f"{folder}/")}
    assert rows
    for path, got in zip(rows, outcomes(clips, list(rows)), strict=True):
        assert isinstance(got, EncodedClip), got
        assert got.source_frame_count == int(rows[path]["decoded_frames"]), path
        assert len(got.frames) == min(200, got.source_frame_count)
        assert got.fps == pytest.approx(float(rows[path]["avg_fps"]), rel=0.01)
        assert got.decode_errors == 0


@pytest.mark.parametrize("decoder", ["pyav", "decord"])
def test_other_decoders_agree_on_real_clips(clips, decoder):
    rows = table(clips)
    files = [p for p in rows if p.startswith(("hmdb51/", "ucf101/", "ssv2/"))]
    files += [f"broken/derived/truncated_half{suffix}" for suffix in (".avi", ".webm")]
    files = [file for file in files if file in rows]
    for got, other in zip(outcomes(clips, files), outcomes(clips, files, decoder=decoder)):  # noqa: B905
        assert type(got) is type(other), other
        if isinstance(got, EncodedClip) and isinstance(other, EncodedClip):
            assert got.source_frames == other.source_frames
            assert got.source_frame_count == other.source_frame_count
            assert (got.width, got.height) == (other.width, other.height)


def verdict(path: Path, **settings) -> str:
    (got,) = clip_outcomes(
        [clip_of(path)], path.parent, EncodeSettings(**settings), Limits(), "custom"
    )
    return got.reason if isinstance(got, Reject) else ""


#: Suffix -> codec and its options.
KINDS = {
    ".avi": ("mpeg4", {}),
    ".mp4": ("libx264", {"preset": "veryfast", "bf": "2"}),
    ".webm": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}),
    ".mkv": ("libx264", {"preset": "veryfast", "g": "12"}),
}


@pytest.mark.parametrize("suffix", KINDS)
@pytest.mark.parametrize("part", [0.3, 0.5, 0.75, 0.97, 1.0])
def test_files_cut_short(tmp_path, suffix, part):
    codec, options = KINDS[suffix]
    path = write_film(tmp_path / f"film{suffix}", 120, (160, 120), codec, options=options)
    if suffix == ".mp4":  # its index first, so that half a file still opens
        path.rename(tmp_path / "late.mp4")
        run_ffmpeg("-i", tmp_path / "late.mp4", "-c", "copy", "-movflags", "+faststart", path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    assert verdict(path) == ("" if part > 0.95 else "truncated")


def test_a_damaged_frame_taints_what_is_built_on_it(tmp_path):
    """One key frame at the start: damage in the middle spoils the rest; near the end, little."""
    path = write_film(tmp_path / "film.mkv", 120, (160, 120), "mpeg4", options={"g": "300"})
    data = path.read_bytes()
    for place, expected in ((0.4, "truncated"), (0.985, "")):
        start = int(len(data) * place)
        damaged = tmp_path / f"damaged_{place}.mkv"
        damaged.write_bytes(data[:start] + bytes(40) + data[start + 40 :])
        (got,) = clip_outcomes([clip_of(damaged)], tmp_path, EncodeSettings(), Limits(), "custom")
        assert (got.reason if isinstance(got, Reject) else "") == expected, got
        if isinstance(got, EncodedClip):
            assert got.decode_errors >= 1


@pytest.mark.parametrize("scheme", ["cenc-aes-ctr"])
def test_encrypted_films(tmp_path, scheme):
    plain = write_film(tmp_path / "plain.mp4", 24)
    secret = tmp_path / "secret.mp4"
    key = "00112233445566778899aabbccddeeff"
    run_ffmpeg(
        *("-i", plain, "-c", "copy", "-encryption_scheme", scheme),
        *("-encryption_key", key, "-encryption_kid", key, secret),
    )
    assert (verdict(plain), verdict(secret)) == ("", "encrypted")


def test_a_cover_picture_is_no_video(tmp_path):
    film = write_film(tmp_path / "film.mp4", 1)
    run_ffmpeg("-i", film, "-frames:v", "1", tmp_path / "cover.png")
    song = tmp_path / "song.m4a"
    run_ffmpeg(
        *("-f", "lavfi", "-i", "sine=duration=1", "-i", tmp_path / "cover.png"),
        *(
            "-map",
            "0",
            "-map",
            "1",
            "-c:a",
            "aac",
            "-c:v",
            "copy",
            "-disposition:v",
            "attached_pic",
        ),
        song,
    )
    assert verdict(song) == "no-video-stream"


def test_a_sound_track_longer_than_the_picture_is_no_damage(tmp_path):
    film = write_film(tmp_path / "film.mkv", 24)
    for suffix in (".mkv", ".mp4"):
        talk = tmp_path / f"talk{suffix}"
        run_ffmpeg(
            *("-i", film, "-f", "lavfi", "-i", "sine=duration=9", "-map", "0:v", "-map", "1:a"),
            *("-c:v", "copy", "-c:a", "aac", talk),
        )
        assert verdict(talk) == ""


def test_a_list_of_addresses_opens_no_other_place(tmp_path):
    film = write_film(tmp_path / "film.mp4", 24)
    for name, text in {
        "list.mp4": f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{film}\n#EXT-X-ENDLIST\n",
        "concat.mp4": f"ffconcat version 1.0\nfile {film.name}\n",
    }.items():
        (tmp_path / name).write_text(text)
        assert verdict(tmp_path / name) == "unreadable"
