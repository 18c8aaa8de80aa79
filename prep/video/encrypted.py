"""Is a video track of an MP4 or MOV file encrypted? Its boxes say so, whatever a decoder makes of
it: some decoders return frames of noise for encrypted packets without an error.

The name of an encrypted video's sample description is ``encv``::

    moov > trak > mdia > minf > stbl > stsd > encv
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_WAY = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
_STSD_HEADER = 8
_NAMES = (b"encv", b"drmi")


def holds_encrypted_track(path: Path) -> bool:
    """Whether any video track of the file names an encrypted sample description."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            return any(name in _NAMES for name in _descriptions(file, 0, size, _WAY))
    except OSError:
        return False  # the decoder meets the same error and tells it


def _descriptions(file: BinaryIO, start: int, stop: int, way: tuple[bytes, ...]) -> Iterator[bytes]:
    """Names of the boxes at the end of the way, in every branch."""
    for name, begin, end in _boxes(file, start, stop):
        if not way:
            yield name
        elif name == way[0]:
            inside = begin + (_STSD_HEADER if name == b"stsd" else 0)
            yield from _descriptions(file, inside, end, way[1:])


def _boxes(file: BinaryIO, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """(name, first byte of the content, end) of each box between two places of the file."""
    while start + 8 <= stop:
        file.seek(start)
        header = file.read(16)
        if len(header) < 8:
            return
        size, name = struct.unpack(">I4s", header[:8])
        inside = start + 8
        if size == 1 and len(header) == 16:
            size, inside = struct.unpack(">Q", header[8:])[0], start + 16
        end = stop if size == 0 else min(stop, start + size)
        if end < inside:
            return
        yield name, inside, end
        start = end
