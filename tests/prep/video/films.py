"""Videos with the number of each frame painted into its pixels, and reading the number again.

The number stands in sixteen blocks, four rows of four, black or white: eleven bits of it and five
that depend on it, so that a picture turned, mirrored or smeared reads as no number at all.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import simplejpeg

from prep.video.ffmpeg import ffmpeg_binary
from shards.schema import Clip, make_key

_SIDE = 4
_NUMBER_BITS, _CHECK_BITS = 11, 5


def painted(number: int, width: int, height: int) -> np.ndarray:
    """A grey picture (height, width) uint8 that shows the number."""
    check = (number * 7 + 3) % (1 << _CHECK_BITS)
    code = number << _CHECK_BITS | check
    bits = [(code >> i) & 1 for i in range(_SIDE * _SIDE)]
    rows = np.arange(height) * _SIDE // height
    columns = np.arange(width) * _SIDE // width
    return np.where(np.array(bits).reshape(_SIDE, _SIDE)[rows][:, columns], 235, 20).astype(
        np.uint8
    )


def number_in(jpeg: bytes) -> int | None:
    """The number that a picture shows; None where it shows none for certain."""
    grey = simplejpeg.decode_jpeg(jpeg, colorspace="GRAY")[..., 0].astype(float)
    height, width = grey.shape
    code = 0
    for i in range(_SIDE * _SIDE):
        row, column = divmod(i, _SIDE)
        block = grey[
            height * row // _SIDE : height * (row + 1) // _SIDE,
            width * column // _SIDE : width * (column + 1) // _SIDE,
        ]
        edge = [max(1, side // 4) if side > 2 else 0 for side in block.shape]
        inner = block[edge[0] : block.shape[0] - edge[0], edge[1] : block.shape[1] - edge[1]]
        level = inner.mean()
        if 90 < level < 165:
            return None
        code |= int(level > 128) << i
    number = code >> _CHECK_BITS
    return number if code & 31 == (number * 7 + 3) % 32 else None


def numbers_in(jpegs: Iterable[bytes]) -> list[int | None]:
    """What each of the pictures shows."""
    return [number_in(jpeg) for jpeg in jpegs]


def write_film(
    path: Path,
    frames: int | Sequence[int] = 24,
    size: tuple[int, int] = (96, 64),
    codec: str = "libx264",
    pixels: str = "yuv420p",
    rate: Fraction | int = 12,
    options: dict[str, str] | None = None,
    ticks: Sequence[int] | None = None,
    aspect: Fraction | None = None,
    rotation: int = 0,
) -> Path:
    """Write a film that shows these numbers (0, 1, ... for a count), one stream, no sound.

    ``ticks`` gives a presentation time in milliseconds for each frame in place of a constant rate;
    ``aspect`` the shape of a pixel, ``rotation`` degrees a player must turn the picture
    counter-clockwise.
    """
    with av.open(str(path), "w") as film:
        stream = add_stream(film, codec, size, pixels, rate, options, aspect)
        if rotation:
            stream.set_display_rotation(rotation)
        write_frames(film, [(stream, numbers_of(frames), size)], ticks, rotation)
    return path


def add_stream(
    film: Any,
    codec: str,
    size: tuple[int, int],
    pixels: str = "yuv420p",
    rate: Fraction | int = 12,
    options: dict[str, str] | None = None,
    aspect: Fraction | None = None,
) -> Any:
    """A video stream of one thread, so that equal films have equal bytes."""
    stream = film.add_stream(codec, rate=rate, options=options or {})
    stream.width, stream.height = size
    stream.pix_fmt = pixels
    stream.thread_count = 1
    if aspect is not None:
        stream.codec_context.sample_aspect_ratio = aspect
    return stream


def write_frames(
    film: Any,
    streams: Sequence[tuple[Any, Sequence[int], tuple[int, int]]],
    ticks: Sequence[int] | None = None,
    rotation: int = 0,
) -> None:
    """Encode (stream, numbers, size) each to its end, stream after stream."""
    turns = rotation // 90
    for stream, numbers, size in streams:
        if ticks is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for place, number in enumerate(numbers):
            shown = painted(number, *(size if turns % 2 == 0 else size[::-1]))
            coded = np.ascontiguousarray(np.rot90(shown, -turns))
            frame = av.VideoFrame.from_ndarray(coded, format="gray")
            if ticks is not None:
                frame.pts, frame.time_base = ticks[place], Fraction(1, 1000)
            film.mux(stream.encode(frame))
        film.mux(stream.encode())


def numbers_of(frames: int | Sequence[int]) -> list[int]:
    """0, 1, ... for a count; the numbers themselves else."""
    return list(range(frames)) if isinstance(frames, int) else list(frames)


def clip_of(path: Path, row: int = 0, start: float | None = None, end: float | None = None) -> Clip:
    """The clip of a file that lies directly in the raw folder."""
    key = make_key(row, path.stem, 6)
    return Clip(row, key, path.stem, path.stem, path.name, 0, "thing", start, end, "all", ())


def run_ffmpeg(*words: str | Path) -> None:
    """Run the ffmpeg that the project uses, quietly; raises where it fails."""
    command = [ffmpeg_binary(), "-nostdin", "-v", "error", "-y", *map(str, words)]
    subprocess.run(command, check=True, capture_output=True)
