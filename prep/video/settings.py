"""How clips are encoded and how long a file may take; what identifies the bytes that come out.

``EncodeSettings.as_json`` goes into the header of a set: equal values, equal plan.
``fingerprint`` names the programs behind the bytes: two sets with equal settings and fingerprint
hold the same JPEGs, bit for bit. The processor's family is part of it, its generation is not:
decoding, scaling and encoding run in their bit-exact modes, which give the same bytes with SSE2 as
with AVX-512.
"""

from __future__ import annotations

import hashlib
import math
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, get_args

from manifests.errors import UserError
from prep.video.ffmpeg import build_of, encode_flags, ffmpeg_binary
from prep.video.frames import SEGMENTS, auto_budget, views

Decoder = Literal["ffmpeg", "decord", "pyav", "frames"]

#: Raise it when a change in this package changes stored bytes.
_REVISION = 1


@dataclass(frozen=True)
class EncodeSettings:
    """What is stored of a clip. UserError names the first value that cannot be.

    ``frames``: "auto" (the benchmark's budget), "all", or the most frames to store of a clip.
    ``short_side``: pixels of the shorter side at most; smaller videos are never enlarged.
    ``quality``: quantiser of ffmpeg's mjpeg encoder, 2 (best, largest) to 31.
    ``decoder``: what turns the file into frames; "ffmpeg" is the one to trust, "frames" is for
    folders of frames that were extracted already.
    ``fps``: frames a second of such folders, where it is known.
    """

    frames: Literal["auto", "all"] | int = "auto"
    short_side: int = 256
    quality: int = 3
    decoder: Decoder = "ffmpeg"
    fps: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.frames, str):
            if self.frames not in ("auto", "all"):
                raise UserError(f"frames {self.frames!r} is none of auto, all or a whole number")
        elif self.frames < 1:
            raise UserError(f"cannot store {self.frames} frames of a clip: at least 1")
        if not 8 <= self.short_side <= 4096:
            raise UserError(f"short side {self.short_side} is out of range: 8 to 4096 pixels")
        if not 2 <= self.quality <= 31:
            raise UserError(f"quality {self.quality} is out of range: 2 (best) to 31")
        if self.decoder not in get_args(Decoder):
            raise UserError(f"unknown decoder {self.decoder!r}: use {', '.join(get_args(Decoder))}")
        if self.fps is not None and self.decoder != "frames":
            raise UserError(
                "--fps is for folders of frames, videos tell their own: say --from-frames"
            )
        if self.fps is not None and not 0 < self.fps < math.inf:
            raise UserError(f"--fps {self.fps:g}: frames a second, above 0")

    def budget(self, benchmark: str) -> int | None:
        """The most frames to store of a clip of this benchmark, None for all of them."""
        if self.frames == "auto":
            return auto_budget(benchmark)
        return None if self.frames == "all" else int(self.frames)

    def as_json(self, benchmark: str) -> dict[str, Any]:
        """The settings as JSON values, "auto" resolved for the benchmark."""
        return {
            "frames": self.budget(benchmark) or "all",
            "segments": SEGMENTS,
            "views": views(benchmark),
            "short_side": self.short_side,
            "quality": self.quality,
            "decoder": self.decoder,
            **({"fps": self.fps} if self.decoder == "frames" else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EncodeSettings:
        """The settings that the header of a set speaks of."""
        return cls(
            frames=data["frames"],
            short_side=data["short_side"],
            quality=data["quality"],
            decoder=data["decoder"],
            fps=data.get("fps"),
        )


def chosen_decoder(decoder: Decoder, from_frames: bool) -> Decoder:
    """What makes the frames; UserError when a decoder of videos is named for folders of frames."""
    if from_frames and decoder != "ffmpeg":
        raise UserError(f"--decoder {decoder} is for videos: leave it out with --from-frames")
    return "frames" if from_frames else decoder


@dataclass(frozen=True)
class Limits:
    """``cpu_seconds``: CPU time that one pass over one file may take."""

    cpu_seconds: float = 600.0

    def __post_init__(self) -> None:
        if not self.cpu_seconds > 0:
            raise UserError(f"a limit of {self.cpu_seconds} CPU seconds refuses every file")


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError as error:
        raise UserError(f"{name} is not installed: run `pip install {name}`") from error


def fingerprint(settings: EncodeSettings) -> str:
    """What makes the bytes, in one short line. UserError when the program for it is missing."""
    if settings.decoder == "ffmpeg":
        name, build = build_of(ffmpeg_binary())
        maker = f"ffmpeg {name}"
    else:
        names = ["opencv-python-headless", "simplejpeg"]
        names = names if settings.decoder == "frames" else ["av", *names]
        names += ["decord"] if settings.decoder == "decord" else []
        maker, build = settings.decoder, " ".join(f"{name} {_installed(name)}" for name in names)
    said = f"{_REVISION} {build} {encode_flags(settings.short_side, settings.quality)}"
    return f"{maker} {hashlib.sha256(said.encode()).hexdigest()[:12]} {platform.machine()}"
