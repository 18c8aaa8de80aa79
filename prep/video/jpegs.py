"""JPEGs that stand end to end, cut apart again."""

from __future__ import annotations

_SOI, _EOI = b"\xff\xd8", b"\xff\xd9"
_SOS, _SOF0 = 0xDA, 0xC0


def split_jpegs(stream: bytes) -> list[bytes]:
    """The JPEGs of a stream; a last one that is cut short is left out.

    Segments before the scan are stepped over by their lengths, as their bytes may look like an
    end; in the scan an end cannot be mistaken, as FF is followed by 00 there.
    """
    found, start = [], 0
    while stream.startswith(_SOI, start):
        scan = _scan_start(stream, start)
        end = stream.find(_EOI, scan) if scan else -1
        if end < 0:
            break
        found.append(stream[start : end + 2])
        start = end + 2
    return found


def jpeg_size(jpeg: bytes) -> tuple[int, int]:
    """(width, height) in pixels of a baseline JPEG; ValueError for any other."""
    at = 2
    while at + 9 <= len(jpeg) and jpeg[at] == 0xFF and jpeg[at + 1] != _SOS:
        if jpeg[at + 1] == _SOF0:
            height = int.from_bytes(jpeg[at + 5 : at + 7], "big")
            return int.from_bytes(jpeg[at + 7 : at + 9], "big"), height
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    raise ValueError("no baseline JPEG")


def _scan_start(stream: bytes, start: int) -> int:
    """Place of the first scan of the JPEG that starts here, 0 if it has none."""
    at = start + 2
    while at + 4 <= len(stream) and stream[at] == 0xFF:
        length = int.from_bytes(stream[at + 2 : at + 4], "big")
        if stream[at + 1] == _SOS:
            return at + 2 + length
        at += 2 + length
    return 0
