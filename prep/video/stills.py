"""One image file of a folder of frames: from its bytes to pixels, or what is wrong with it.

An image is what its bytes say, whatever its suffix. It is decoded to its end, and a warning of the
decoder counts as damage: a JPEG that is cut short gives a picture with a grey rest otherwise. A PNG
is held to the checksums of its chunks for the same reason. Pictures stand upright: an orientation
noted in an image (EXIF) is applied, as a video's rotation is.
"""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import simplejpeg

from prep.video.pixels import Pixels

_JPEG = b"\xff\xd8"
_PNG = b"\x89PNG\r\n\x1a\n"
_EXIF = b"Exif\0\0"
_HEAD = 1 << 16


def read_still(data: bytes) -> Pixels:
    """RGB pixels (H, W, 3) of a JPEG or PNG; ValueError tells what is wrong with it."""
    if data.startswith(_JPEG):
        pixels: Pixels = simplejpeg.decode_jpeg(data, colorspace="RGB", strict=True)
        # simplejpeg is strict and knows no orientation, OpenCV the other way round.
        return _with_opencv(data) if _EXIF in data[:_HEAD] else pixels
    if data.startswith(_PNG):
        _check_chunks(data)
        return _with_opencv(data)
    raise ValueError("neither JPEG nor PNG" if data else "empty")


def _with_opencv(data: bytes) -> Pixels:
    """Decode with the orientation applied; grey, alpha and 16 bits become three times 8 bits."""
    try:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ValueError("too large to decode") from error
    if found is None:
        raise ValueError("cannot be decoded")
    return np.ascontiguousarray(found[..., ::-1])


def _check_chunks(data: bytes) -> None:
    """Walk over the chunks of a PNG (length, type, content, CRC) up to its end."""
    at = len(_PNG)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 8 + length
        if data[end : end + 4] != struct.pack(">I", zlib.crc32(data[at + 4 : end])):
            raise ValueError("a chunk is damaged")
        if data[at + 4 : at + 8] == b"IEND":
            return
        at = end + 4
    raise ValueError("cut short")
