"""Which frames of a clip are looked at, by source frame number, and where they are stored.

Rules of the public code that the methods follow (X-CLIP, ViFi-CLIP, OST), for n source frames and
T wanted ones:

* training: one random frame in each of T segments of n // T frames (the last n mod T frames are
  never seen); with fewer frames than segments, frame round(i * n / T) modulo n, without chance;
* test: the centres of T segments of n / T frames, floor(i * n / T + n / 2T). Of K clips, number k
  looks at phase (k + 1/2) / K of every segment, so one clip is the rule before, and K clips are K
  different ones;
* random test, the public code's rule for several clips: the training rule K times over.

A set may store a part of the frames only; then the nearest stored frame stands for each wanted
one, and ``displacement`` says how far away it was.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]


def training_frames(counts: Numbers, draws: npt.NDArray[np.float64]) -> Numbers:
    """Random source frames, int64 (B, T).

    counts: source frames of each clip, int64 (B,), at least 1. draws: uniform in [0, 1), (B, T).
    """
    segments = np.arange(draws.shape[1], dtype=np.int64)
    n = counts[:, None]
    length = n // len(segments)
    random = segments * length + (draws * length).astype(np.int64)
    repeated = np.rint(segments * n / len(segments)).astype(np.int64) % n
    return np.where(length > 0, random, repeated)


def test_frames(counts: Numbers, frames: int, clips: int) -> Numbers:
    """Source frames of K clips over each video, int64 (B, K, T), in exact integer arithmetic."""
    phases = 2 * np.arange(clips, dtype=np.int64)[:, None] + 1
    segments = 2 * clips * np.arange(frames, dtype=np.int64)[None, :]
    return (segments + phases)[None] * counts[:, None, None] // (2 * clips * frames)


def random_test_frames(counts: Numbers, draws: npt.NDArray[np.float64]) -> Numbers:
    """Source frames of K random clips of each video, int64 (B, K, T).

    counts: int64 (B,). draws: uniform in [0, 1), (B, K, T).
    """
    b, k, t = draws.shape
    return training_frames(counts.repeat(k), draws.reshape(b * k, t)).reshape(b, k, t)


def nearest_stored(
    stored: npt.NDArray[np.uint32], begins: Numbers, ends: Numbers, wanted: Numbers
) -> Numbers:
    """Position among the stored frames of its clip of the frame nearest to each wanted one.

    stored: source frame numbers of many clips end to end; those of clip b are
    ``stored[begins[b]:ends[b]]``, ascending, at least one. wanted: int64 (B, ...). Of two frames
    equally near the earlier is taken. All clips are searched at once, by halving.
    """
    shape = (-1,) + (1,) * (wanted.ndim - 1)
    first = begins.reshape(shape)
    low = np.broadcast_to(first, wanted.shape).astype(np.int64)
    high = np.broadcast_to(ends.reshape(shape) - 1, wanted.shape).astype(np.int64)
    for _ in range(int((ends - begins).max(initial=1)).bit_length()):
        middle = (low + high) >> 1
        below = stored[middle] < wanted
        low = np.where(below & (low < high), middle + 1, low)
        high = np.where(below, high, np.maximum(middle, low))
    before = np.maximum(low - 1, first)
    after_distance = np.abs(stored[low].astype(np.int64) - wanted)
    before_distance = np.abs(stored[before].astype(np.int64) - wanted)
    return np.where(before_distance <= after_distance, before, low) - first
