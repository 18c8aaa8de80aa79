"""Which images of a folder are the frames of a clip, and in what order: pure functions of names.

::

    img_00001.jpg  image_00001.jpg  000001.jpg  frame_0001.png  frame10.JPEG

The number before the suffix counts, however many digits it has. Frames are counted from 0 or from
1, as every extractor does; a number that is not there is a *gap*, also at the front. Optical flow
that lies beside the frames (``flow_x_00001.jpg``, ``x_0001.jpg``) is no frame.
"""

from __future__ import annotations

import itertools
import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

from prep.video.refusal import Refused

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
_NUMBERED = re.compile(r"(?P<prefix>.*?)(?P<number>\d{1,18})\.[a-z]+", re.IGNORECASE)
_FLOW = re.compile(r"flow.*|[xy][_-]?", re.IGNORECASE)


@dataclass(frozen=True)
class FrameSeries:
    """Frames of a folder: file names, and their numbers from 0, ascending, gaps left out.

    ``first`` is what the first frame's file is, or would be, numbered: 0 or 1.
    """

    names: tuple[str, ...]
    numbers: tuple[int, ...]
    first: int

    @property
    def announced(self) -> int:
        """Frames up to the last number, gaps included."""
        return self.numbers[-1] + 1 if self.numbers else 0


def is_image(name: str) -> bool:
    """Whether a file bears the suffix of an image."""
    return name.lower().endswith(IMAGE_SUFFIXES)


def is_utf8(name: str) -> bool:
    """Whether a file's name is text; the bytes of some are none, and no table takes those."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def frame_series(files: Iterable[str]) -> FrameSeries:
    """Put the images of a folder in order.

    Raises Refused for images of several series, or two of one number: nothing tells which is meant.
    """
    found: dict[str, list[tuple[int, str]]] = {}
    for name in sorted(files):
        match = _NUMBERED.fullmatch(name) if is_image(name) else None
        if match and not _FLOW.fullmatch(match["prefix"]):
            found.setdefault(match["prefix"].lower(), []).append((int(match["number"]), name))
    if len(found) > 1:
        firsts = ", ".join(sorted(images[0][1] for images in found.values())[:3])
        raise Refused("unreadable", f"images of {len(found)} series in one folder: {firsts}")
    images = sorted(image for series in found.values() for image in series)
    for (number, name), (following, other) in itertools.pairwise(images):
        if number == following:
            raise Refused("unreadable", f"two images of one number: {name}, {other}")
    first = min(1, images[0][0]) if images else 0
    return FrameSeries(
        tuple(name for _, name in images), tuple(number - first for number, _ in images), first
    )


def numbers_within(
    start: float | None, end: float | None, fps: float | None, announced: int
) -> range:
    """Numbers of the frames whose time n / fps, in seconds, fulfils start <= n / fps < end."""
    if start is None and end is None:
        return range(announced)
    if fps is None:
        raise ValueError("a part in seconds of frames without a rate")
    numbers = range(announced)
    first = 0 if start is None else bisect_left(numbers, start, key=lambda n: n / fps)
    stop = announced if end is None else bisect_left(numbers, end, key=lambda n: n / fps)
    return range(first, max(first, stop))
