"""Pictures in memory: shrinking them, and encoding them as what a shard stores.

PyAV, decord and folders of frames come this way; ffmpeg scales and encodes by itself.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

Pixels = npt.NDArray[np.uint8]


def resized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """RGB pixels (H, W, 3) in another (width, height), by area."""
    if size == pixels.shape[1::-1]:
        return np.ascontiguousarray(pixels)
    smaller: Pixels = cv2.resize(np.ascontiguousarray(pixels), size, interpolation=cv2.INTER_AREA)
    return smaller


def encode_jpeg(pixels: Pixels, quality: int) -> bytes:
    """A baseline 4:2:0 JPEG in BT.601, full range. ``quality`` is mjpeg's: 3 is libjpeg's 85."""
    jpeg: bytes = simplejpeg.encode_jpeg(
        pixels, quality=max(5, 100 - 5 * quality), colorspace="RGB", colorsubsampling="420"
    )
    return jpeg
