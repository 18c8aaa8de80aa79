"""Small sets for the loaders: frames of one flat colour that says which they are, and textures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import simplejpeg

from loaders.views import DEVIATION, MEAN
from shards.info import Official
from shards.plan import plan_shards, shards_to_make
from shards.recorded import scan_records, sizes_on_disk
from shards.schema import Clip, EncodedClip
from shards.store import ShardStore
from shards.tables import rebuild_tables
from shards.writer import write_shard
from tests.shards.made import FINGERPRINT, HEADER, made_clips, made_sizes

STEP = 5
"""Levels between the greens of two neighbouring source frames: more than JPEG loses."""


def store_of(folder: Path, n: int, encode: Callable[[Clip], EncodedClip]) -> ShardStore:
    """A set of n clips in shards of seven, each encoded by ``encode``."""
    clips = made_clips(n)
    plan, sizes = plan_shards(clips, 7, HEADER), made_sizes(clips)
    pending = shards_to_make(
        plan, scan_records(folder).records, sizes, sizes_on_disk(folder), FINGERPRINT
    )
    for item in pending.make:
        task = plan.task(item.shard, sizes)
        write_shard(folder, task, HEADER, FINGERPRINT, (encode(clip) for clip in task.clips))
    rebuild_tables(folder, Official(n, 0))
    return ShardStore.open(folder)


def stored_numbers(row: int) -> tuple[int, ...]:
    """Source frames that are stored: all of them in one clip of three, else every third."""
    return tuple(range(0, source_count(row), 1 if row % 3 == 0 else 3))


def source_count(row: int) -> int:
    """From 1 to 48 source frames; one clip in four has fewer than eight."""
    return 1 + row if row % 4 == 0 and row < 7 else 9 + row * 7 % 40


def flat(clip: Clip) -> EncodedClip:
    """Frames of one colour each: red and blue say the clip, green the source frame."""
    size = (64 + 16 * (clip.row % 5), 96 - 16 * (clip.row % 4))
    numbers, count = stored_numbers(clip.row), source_count(clip.row)
    return _encoded(clip, size, lambda n: np.array(colour_of(clip.row, n)), numbers, count)


def colour_of(row: int, number: int) -> tuple[int, int, int]:
    """Colour of a source frame of a flat clip; no two frames of a set share one."""
    return 8 * (row % 32), STEP * number, 200 - 16 * (row // 32)


def read_flat(pixels: np.ndarray, statistics: str = "imagenet") -> tuple[int, int]:
    """(row modulo 32, source frame) of a normalised view (3, S, S) of a flat frame."""
    levels = pixels.mean(axis=(1, 2)) * DEVIATION[statistics] + MEAN[statistics]
    return round(levels[0] / 8), round(levels[1] / STEP)


def texture(clip: Clip) -> EncodedClip:
    """Coloured shapes that move and brighten, in landscape, portrait and square frames."""
    rng = np.random.default_rng(clip.row)
    width, height = [(170, 128), (128, 160), (128, 128), (227, 128)][clip.row % 4]
    field = rng.integers(0, 256, (12, 20, 3), dtype=np.uint8)
    big = cv2.resize(field, (width + 60, height), interpolation=cv2.INTER_CUBIC)

    def picture(number: int) -> np.ndarray:
        part = big[:, number : number + width].astype(np.float64)
        return part * (0.6 + 0.4 * number / 48)

    numbers, count = stored_numbers(clip.row), source_count(clip.row)
    return _encoded(clip, (width, height), picture, numbers, count)


def film(clip: Clip, frames: np.ndarray) -> EncodedClip:
    """A clip of given frames, uint8 (T, H, W, 3), all of them stored."""
    numbers = tuple(range(len(frames)))
    height, width = frames.shape[1:3]
    return _encoded(clip, (width, height), lambda number: frames[number], numbers, len(frames))


def _encoded(
    clip: Clip,
    size: tuple[int, int],
    picture: Callable[[int], np.ndarray],
    numbers: tuple[int, ...],
    count: int,
) -> EncodedClip:
    frames = []
    for number in numbers:
        image = np.broadcast_to(picture(number), (size[1], size[0], 3)).clip(0, 255)
        pixels = np.ascontiguousarray(np.rint(image).astype(np.uint8))
        frames.append(
            simplejpeg.encode_jpeg(pixels, quality=92, colorsubsampling="420", fastdct=False)
        )
    return EncodedClip(
        clip=clip,
        frames=tuple(frames),
        source_frames=numbers,
        source_frame_count=count,
        fps=25.0,
        width=size[0],
        height=size[1],
    )
