"""Real small video files: H.264 .mp4, MPEG-4 .avi and VP9 .webm, and broken ones.

One thread and bit-exact muxing, so the same pixels give the same bytes on one machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import av
import numpy as np

FPS = 12

Damage = Literal["", "empty", "page", "cut"]

#: Container -> (codec, pixel format, codec options). The formats real benchmarks come in.
CODECS: dict[str, tuple[str, str, dict[str, str]]] = {
    # Without the macroblock tree, whose vector code gives pictures this small other bytes now and
    # then, from memory it never wrote.
    ".mp4": ("libx264", "yuv420p", {"preset": "veryfast", "crf": "18", "x264-params": "mbtree=0"}),
    ".avi": ("mpeg4", "yuv420p", {"qmin": "2", "qmax": "3"}),
    ".webm": ("libvpx-vp9", "yuv420p", {"deadline": "realtime", "cpu-used": "8", "crf": "24"}),
}

_PAGE = (
    b"<!DOCTYPE html><html><head><title>429</title></head><body>Too many requests</body></html>\n"
)


def write_film(path: Path, frames: np.ndarray) -> None:
    """Encode uint8 RGB frames (frames, height, width, 3) into the container its suffix names."""
    codec, pixels, options = CODECS[path.suffix]
    # faststart puts the index of an .mp4 first, so that half a file still opens: a real case.
    muxing = {"fflags": "+bitexact", "movflags": "+faststart"}
    with av.open(
        str(path), "w", options=muxing if path.suffix == ".mp4" else {"fflags": "+bitexact"}
    ) as film:
        stream: Any = film.add_stream(codec, rate=FPS, options=options)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixels
        stream.thread_count = 1
        stream.codec_context.flags |= int(av.codec.context.Flags.bitexact)
        for picture in frames:
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        film.mux(stream.encode())


def spoil(path: Path, damage: Damage) -> None:
    """Break a finished file the way downloads break: nothing in it, an error page, or cut short."""
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "page":
        path.write_bytes(_PAGE)
    elif damage == "cut":
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
