"""Colours come out as they went in, whatever matrix and range the source is written in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import simplejpeg

from prep.video.outcomes import clip_outcomes
from prep.video.settings import EncodeSettings, Limits
from shards.schema import EncodedClip
from tests.prep.video.films import clip_of

PATCHES = np.array(
    [
        [(255, 255, 255), (0, 0, 0), (128, 128, 128), (192, 40, 40)],
        [(40, 180, 40), (40, 60, 200), (200, 190, 40), (180, 60, 190)],
    ],
    dtype=np.uint8,
)
_PATCH = 32

BT709, BT601, BT2020, UNKNOWN, RGB = 1, 5, 9, 2, 0
LIMITED, FULL = 1, 2

#: Weights of red and blue in the luma of each matrix (ITU-R BT.709, BT.601, BT.2020).
WEIGHTS = {BT709: (0.2126, 0.0722), BT601: (0.299, 0.114), BT2020: (0.2627, 0.0593)}

#: name -> (matrix, range, pixel format, what the stream says its matrix is)
SOURCES = {
    "bt709_limited": (BT709, LIMITED, "yuv420p", BT709),
    "bt709_full": (BT709, FULL, "yuvj420p", BT709),
    "bt601_limited": (BT601, LIMITED, "yuv420p", BT601),
    "bt601_full": (BT601, FULL, "yuvj420p", BT601),
    "not_told": (BT601, LIMITED, "yuv420p", UNKNOWN),
    "bt2020_ten_bits": (BT2020, LIMITED, "yuv420p10le", BT2020),
    "bt709_444": (BT709, LIMITED, "yuv444p", BT709),
}


def planes(matrix: int, scale: int, bits: int, halved: bool) -> list[np.ndarray]:
    """Luma and chroma planes of the patches, by the definition of the matrix."""
    red_weight, blue_weight = WEIGHTS[matrix]
    rgb = np.kron(PATCHES.astype(float) / 255, np.ones((_PATCH, _PATCH, 1)))
    red, green, blue = np.moveaxis(rgb, -1, 0)
    luma = red_weight * red + (1 - red_weight - blue_weight) * green + blue_weight * blue
    chroma = [
        (blue - luma) / (2 * (1 - blue_weight)),
        (red - luma) / (2 * (1 - red_weight)),
    ]
    step = 1 << (bits - 8)
    low, luma_span, chroma_span = (0, 255, 255) if scale == FULL else (16, 219, 224)
    out = [(low + luma_span * luma) * step, *((128 + chroma_span * c) * step for c in chroma)]
    thin = 2 if halved else 1
    kept = [out[0], out[1][::thin, ::thin], out[2][::thin, ::thin]]
    top = (1 << bits) - 1
    return [np.clip(np.round(p), 0, top).astype(np.uint8 if bits == 8 else "<u2") for p in kept]


def write_patches(path: Path, name: str) -> None:
    matrix, scale, pixels, told = SOURCES[name]
    made = planes(matrix, scale, 10 if "10" in pixels else 8, "420" in pixels)
    height, width = made[0].shape
    with av.open(str(path), "w") as film:
        stream: Any = film.add_stream("libx264", rate=12, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        stream.thread_count = 1
        context = stream.codec_context
        context.colorspace, context.color_range = told, scale
        frame = av.VideoFrame(width, height, pixels)
        frame.colorspace, frame.color_range = told, scale
        for plane, values in zip(frame.planes, made, strict=True):
            rows = np.zeros((values.shape[0], plane.line_size), np.uint8)
            raw = np.ascontiguousarray(values).view(np.uint8)
            rows[:, : raw.shape[1]] = raw
            plane.update(rows.tobytes()[: plane.buffer_size])
        for number in range(3):
            frame.pts = number
            film.mux(stream.encode(frame))
        film.mux(stream.encode())


def stored_patches(path: Path, decoder: str) -> np.ndarray:
    settings = EncodeSettings(decoder=decoder, quality=2)
    (got,) = clip_outcomes([clip_of(path)], path.parent, settings, Limits(), "custom")
    assert isinstance(got, EncodedClip), got
    picture = simplejpeg.decode_jpeg(got.frames[1]).astype(float)
    inner = slice(_PATCH // 4, 3 * _PATCH // 4)
    rows, columns = PATCHES.shape[:2]
    blocks = picture.reshape(rows, _PATCH, columns, _PATCH, 3)[:, inner][:, :, :, inner]
    return blocks.mean(axis=(1, 3))


@pytest.mark.parametrize("decoder", ["ffmpeg", "pyav", "decord"])
@pytest.mark.parametrize("name", SOURCES)
def test_colours_survive(tmp_path, name, decoder):
    path = tmp_path / f"{name}.mp4"
    write_patches(path, name)
    off = np.abs(stored_patches(path, decoder) - PATCHES)
    assert off.max() <= 4, np.round(off.max(axis=-1), 1)
