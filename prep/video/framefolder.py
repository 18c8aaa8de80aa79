"""The clips of a folder of frames that were extracted already: what is stored, what is refused.

Every image is decoded, as every frame of a video is, so that damage is counted wherever it is::

    series    names -> numbers, gaps                                      -> refusals
    foresee   were all of them readable, which would be stored?
    read      one pass: every image decoded, those foreseen encoded       -> refusals
    choose    frame i of a clip is its i-th readable image; encode what was not foreseen

Gaps and unreadable images count as decode errors; below 90 % of its frames a clip is truncated.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2

from manifests.errors import UserError
from prep.video.jpegs import jpeg_size
from prep.video.pixels import Pixels, encode_jpeg, resized
from prep.video.probe import OF_THE_FILE
from prep.video.refusal import Refused
from prep.video.series import FrameSeries, frame_series, is_image, is_utf8, numbers_within
from prep.video.settings import EncodeSettings, Limits
from prep.video.shape import shown_size
from prep.video.stills import read_still
from prep.video.verdicts import ENOUGH, no_frame_within
from shards.schema import Clip, EncodedClip

#: Numbers of the frames to store of a clip of so many.
Choose = Callable[[int], Sequence[int]]


def folder_clips(
    clips: Sequence[Clip], folder: Path, settings: EncodeSettings, limits: Limits, choose: Choose
) -> dict[int, EncodedClip | Refused]:
    """Outcomes by row of the clips that lie in one folder of frames.

    Raises Refused for the folder as a whole, UserError when the disk fails.
    """
    cv2.setNumThreads(1)
    reader = _Reader(folder, frame_series(_image_names(folder)), settings)
    spans = {
        clip.row: numbers_within(clip.start, clip.end, settings.fps, reader.series.announced)
        for clip in clips
    }
    every = range(len(reader.series.names))
    foreseen = {place for span in spans.values() for place in reader.chosen(every, span, choose)}
    reader.read_all(foreseen, limits)
    return {clip.row: _outcome(clip, spans[clip.row], reader, choose) for clip in clips}


def folder_bytes(folder: str | Path) -> int:
    """Bytes of all images of a folder."""
    with os.scandir(folder) as entries:
        images = [entry for entry in entries if is_image(entry.name) and entry.is_file()]
        return sum(entry.stat().st_size for entry in images)


def _image_names(folder: Path) -> list[str]:
    """Names of the images; those that are no UTF-8 cannot stand in a table and are left out."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if is_image(entry.name) and entry.is_file()]
    except OSError as error:
        raise Refused("unreadable", _failure(folder, error)) from error
    return [name for name in names if name.isascii() or is_utf8(name)]


def _failure(path: Path, error: OSError) -> str:
    """What is wrong with a file or folder; UserError when it is the disk that fails."""
    if error.errno in OF_THE_FILE:
        return str(error.strerror)
    raise UserError(f"cannot read {path}: {error.strerror}; is the disk in order?") from error


@dataclass
class _Reader:
    """Reads the images of a folder, each known by its place in the series."""

    folder: Path
    series: FrameSeries
    settings: EncodeSettings
    readable: list[int] = field(default_factory=list)
    damaged: dict[int, str] = field(default_factory=dict)
    jpegs: dict[int, bytes] = field(default_factory=dict)

    def read_all(self, wanted: Collection[int], limits: Limits) -> None:
        """Decode every image, and encode the wanted ones; Refused when they differ in size."""
        deadline = time.process_time() + limits.cpu_seconds
        size: tuple[int, int] | None = None
        for place, name in enumerate(self.series.names):
            if time.process_time() > deadline:
                raise Refused("time-limit", f"takes more than {limits.cpu_seconds:g} CPU seconds")
            try:
                pixels = self._pixels(place)
            except ValueError as error:
                self.damaged[place] = str(error)
                continue
            height, width = pixels.shape[:2]
            size = size or (width, height)
            if size != (width, height):
                first = f"{size[0]}x{size[1]} ({self.series.names[self.readable[0]]})"
                sizes = f"{first} and {width}x{height} ({name})"
                raise Refused("unreadable", f"images of different sizes: {sizes}")
            self.readable.append(place)
            if place in wanted:
                self.jpegs[place] = self._encode(pixels)

    def jpeg(self, place: int) -> bytes:
        """The frame of a readable image, as it is stored."""
        if place not in self.jpegs:
            self.jpegs[place] = self._encode(self._pixels(place))
        return self.jpegs[place]

    def within(self, places: Sequence[int], span: range) -> Sequence[int]:
        """Those of some ascending places whose numbers lie in a span."""
        first, stop = (
            bisect_left(places, number, key=self.series.numbers.__getitem__)
            for number in (span.start, span.stop)
        )
        return places[first:stop]

    def chosen(self, places: Sequence[int], span: range, choose: Choose) -> list[int]:
        """Those of some ascending places that a clip of a span stores."""
        mine = self.within(places, span)
        return [mine[i] for i in choose(len(mine))]

    def _pixels(self, place: int) -> Pixels:
        path = self.folder / self.series.names[place]
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ValueError(_failure(path, error)) from error
        return read_still(data)

    def _encode(self, pixels: Pixels) -> bytes:
        height, width = pixels.shape[:2]
        size = shown_size(width, height, 1.0, self.settings.short_side)
        return encode_jpeg(resized(pixels, size), self.settings.quality)


def _outcome(clip: Clip, span: range, reader: _Reader, choose: Choose) -> EncodedClip | Refused:
    good = reader.within(reader.readable, span)
    refusal = _verdict(clip, span, reader, len(good))
    if refusal is not None:
        return refusal
    numbers = tuple(choose(len(good)))
    frames = tuple(reader.jpeg(good[i]) for i in numbers)
    width, height = jpeg_size(frames[0])
    return EncodedClip(
        clip=clip,
        frames=frames,
        source_frames=numbers,
        source_frame_count=len(good),
        fps=reader.settings.fps or 0.0,
        width=width,
        height=height,
        decode_errors=len(span) - len(good),
    )


def _verdict(clip: Clip, span: range, reader: _Reader, good: int) -> Refused | None:
    """Why a clip is not fit to be stored; None for one that is."""
    series, fps = reader.series, reader.settings.fps
    if not series.names:
        return Refused("no-frame", "the folder holds no numbered image")
    if not span:
        length = series.announced / (fps or 1.0)
        return no_frame_within(clip, f"the frames end at {length:.2f} s")
    if good and good >= ENOUGH * len(span):
        return None
    return Refused(
        "truncated" if good else "no-frame",
        f"{good} of {len(span)} frames are there and readable{_lost(span, reader)}",
    )


def _lost(span: range, reader: _Reader) -> str:
    """The first frame of a span that is not there, and the first that is damaged."""
    series = reader.series
    there = {series.numbers[place] for place in reader.within(range(len(series.names)), span)}
    gap = next((number for number in span if number not in there), None)
    bad = next((place for place in reader.damaged if series.numbers[place] in span), None)
    words = "" if gap is None else f"; no image has number {gap + series.first}"
    return words if bad is None else f"{words}; {series.names[bad]} is {reader.damaged[bad]}"
