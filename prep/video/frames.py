"""Which frames of a clip are stored: a pure function of its length and the benchmark.

A clip of up to ``budget`` frames is stored whole. Of a longer one the frames that tests look at
are stored, and between them, evenly, as many more as the budget allows::

    segment centres      floor(i n / T + n / (2 T))              i = 0 .. T-1, T = 8
    multi-view grid      floor((i + (k + 1/2) / K) n / T)        k = 0 .. K-1

with n frames in the clip, T segments and K clips (views in time) of the benchmark's multi-view
protocol. All arithmetic is in whole numbers.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable

SEGMENTS = 8

_VIEWS = {"hmdb51": 10, "ucf101": 5, "ssv2": 2}
_FEW_FRAMES = ("kinetics400", "kinetics600", "activitynet")


def auto_budget(benchmark: str) -> int:
    """Frames stored of a long clip: 40 (8 centres and 4 x 8 views) for the long benchmarks."""
    return 40 if benchmark in _FEW_FRAMES else 200


def views(benchmark: str) -> int:
    """Clips in time (K) of the benchmark's multi-view protocol."""
    return _VIEWS.get(benchmark, 4)


def centres(count: int, segments: int = SEGMENTS) -> list[int]:
    """Frame in the middle of each of ``segments`` equal parts; repeats when there are too few."""
    return [(2 * i + 1) * count // (2 * segments) for i in range(segments)]


def grid(count: int, clips: int, segments: int = SEGMENTS) -> list[int]:
    """Frames of all ``clips`` test clips, clip k at phase (k + 1/2) / clips of each segment."""
    return [
        (2 * clips * i + 2 * k + 1) * count // (2 * clips * segments)
        for k in range(clips)
        for i in range(segments)
    ]


def choose_frames(count: int, budget: int | None, clips: int) -> tuple[int, ...]:
    """Numbers of the frames to store of a clip of ``count`` frames, ascending.

    ``budget`` is the most frames to store, None for all of them; ``clips`` the views in time of
    the benchmark. The centres come first, then the grid, then what fills the largest gaps; what
    does not fit into the budget as a whole is taken where the gaps are largest.
    """
    if budget is None or count <= budget:
        return tuple(range(count))
    chosen: set[int] = set()
    for layer in (centres(count), grid(count, clips)):
        wanted = chosen | set(layer)
        if len(wanted) > budget:
            return tuple(sorted(chosen | set(_thin(sorted(wanted - chosen), budget - len(chosen)))))
        chosen = wanted
    return tuple(sorted(chosen | set(_fill(sorted(chosen), count, budget - len(chosen)))))


def _thin(numbers: list[int], keep: int) -> list[int]:
    """``keep`` of the numbers, evenly by position."""
    return [numbers[(2 * i + 1) * len(numbers) // (2 * keep)] for i in range(keep)]


def _fill(chosen: Iterable[int], count: int, more: int) -> list[int]:
    """``more`` further frames, each in the middle of the largest gap there then is."""
    edges = [-1, *chosen, count]
    gaps = [(left - right, left, right) for left, right in itertools.pairwise(edges)]
    heapq.heapify(gaps)
    added = []
    for _ in range(more):
        _, left, right = heapq.heappop(gaps)
        middle = (left + right) // 2
        added.append(middle)
        heapq.heappush(gaps, (left - middle, left, middle))
        heapq.heappush(gaps, (middle - right, middle, right))
    return added
