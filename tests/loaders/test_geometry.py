"""Boxes and windows: inside the frame, as the rules say, for frames of any size."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loaders.draws import row_uniforms
from loaders.geometry import ATTEMPTS, CROP_SLOTS, random_boxes, training_geometry
from loaders.geometry import test_geometry as fixed_geometry
from loaders.views import TestViews as FixedViews
from loaders.views import TrainViews

sides = st.integers(1, 700)
AREA, ASPECT = (0.08, 1.0), (3 / 4, 4 / 3)


def plain_box(width: int, height: int, draws, area, aspect) -> list[int]:
    """RandomResizedCrop written out for one frame, attempt by attempt."""
    for attempt in range(ATTEMPTS):
        pixels = width * height * (area[0] + draws[attempt] * (area[1] - area[0]))
        low, high = math.log(aspect[0]), math.log(aspect[1])
        ratio = math.exp(low + draws[ATTEMPTS + attempt] * (high - low))
        w, h = round(math.sqrt(pixels * ratio)), round(math.sqrt(pixels / ratio))
        if 0 < w <= width and 0 < h <= height:
            x = math.floor(draws[-2] * (width - w + 1))
            return [x, math.floor(draws[-1] * (height - h + 1)), w, h]
    w, h = width, height
    if width / height < aspect[0]:
        h = max(round(width / aspect[0]), 1)
    elif width / height > aspect[1]:
        w = max(round(height * aspect[1]), 1)
    return [(width - w) // 2, (height - h) // 2, w, h]


@given(
    st.lists(st.tuples(sides, sides), min_size=1, max_size=6),
    st.integers(0, 2**30),
    st.sampled_from([AREA, (0.5, 1.0), (1.0, 1.0), (0.99, 1.0)]),
    st.sampled_from([ASPECT, (1.0, 1.0), (0.5, 2.0), (2.0, 3.0)]),
)
def test_boxes_are_those_of_the_rule_written_out(frames, seed, area, aspect):
    widths, heights = np.array(frames).T
    draws = row_uniforms(seed, 0, "crop", np.arange(len(frames)), CROP_SLOTS)
    boxes = random_boxes(widths, heights, draws, area, aspect)
    for (width, height), box, mine in zip(frames, boxes.tolist(), draws, strict=True):
        x, y, w, h = box
        assert x >= 0 and y >= 0 and w >= 1 and h >= 1
        assert x + w <= width and y + h <= height
        assert box == plain_box(width, height, mine, area, aspect)


def test_crops_have_the_distribution_of_the_rule():
    n = 20_000
    draws = row_uniforms(5, 0, "crop", np.arange(n), CROP_SLOTS + 1)
    views = TrainViews()
    found = training_geometry(np.full(n, 340), np.full(n, 256), draws, views)
    x, y, w, h = found.boxes.T
    share = w * h / (340 * 256)
    assert share.min() > 0.079 and share.max() <= 1
    aspect = w / h
    assert aspect.min() > 0.74 and aspect.max() < 1.35
    # A large box may not fit and be drawn again, so only small ones are evenly drawn.
    small = share < 0.4
    assert abs(np.median(share[small]) - 0.24) < 0.01
    assert abs(np.median(np.log(aspect[small]))) < 0.01
    room = (340 - w) > 50
    assert abs(np.mean(x[room] / (340 - w[room])) - 0.5) < 0.02
    assert abs(np.mean(y[room] / np.maximum(256 - h[room], 1)) - 0.5) < 0.02
    assert abs(found.flips.mean() - 0.5) < 0.015
    assert (found.resized == 224).all() and not found.windows.any()


def multi_scale(width: int, height: int, size: int) -> set[tuple[int, int, int, int]]:
    """All boxes of MultiScaleCrop in a picture, listed one by one."""
    base = min(width, height)
    sides = [int(base * s) for s in (1, 0.875, 0.75, 0.66)]
    sides = [size if abs(s - size) < 3 else s for s in sides]
    boxes = set()
    for i, h in enumerate(sides):
        for j, w in enumerate(sides):
            if abs(i - j) <= 1:
                x, y = (width - w) // 4, (height - h) // 4
                places = [(0, 0), (4 * x, 0), (0, 4 * y), (4 * x, 4 * y), (2 * x, 2 * y)]
                boxes |= {(a, b, w, h) for a, b in places}
    return boxes


@pytest.mark.parametrize("frame", [(340, 256), (256, 256), (256, 455)])
def test_multi_scale_crops_are_those_of_the_followed_code(frame):
    """Where the short side is 256 already, to the pixel, and all of them about equally often."""
    n = 20_000
    draws = row_uniforms(6, 0, "crop", np.arange(n), CROP_SLOTS + 1)
    sides = (np.full(n, side) for side in frame)
    found = training_geometry(*sides, draws, TrainViews(crop="multi-scale"))
    boxes, counts = np.unique(found.boxes, axis=0, return_counts=True)
    assert {tuple(box) for box in boxes.tolist()} == multi_scale(*frame, 224)
    assert (found.resized == 224).all() and abs(found.flips.mean() - 0.5) < 0.015
    assert counts.min() > 300  # of 400, if no two of the 50 choices are one box


@given(sides, sides, st.integers(2, 300), st.integers(0, 2**30))
def test_multi_scale_crops_of_any_frame_lie_in_it(width, height, size, seed):
    """Of a frame of another size they are those of the resized one, carried back."""
    draws = row_uniforms(seed, 0, "crop", np.arange(20), CROP_SLOTS + 1)
    views = TrainViews(crop="multi-scale", size=size)
    boxes = training_geometry(np.full(20, width), np.full(20, height), draws, views).boxes
    x, y, w, h = boxes.T
    assert min(x.min(), y.min()) >= 0 and min(w.min(), h.min()) >= 1
    assert (x + w).max() <= width and (y + h).max() <= height
    short, picture = min(width, height), int(256 / 224 * size)
    pixel = short / picture  # of the resized picture; a side that snaps moves by two of them
    assert min(w.min(), h.min()) > 0.66 * short - 3 * pixel - 1
    assert max(w.max(), h.max()) <= short + 1


@pytest.mark.parametrize(("p", "share"), [(0.0, 0), (1.0, 1)])
def test_flips_can_be_switched_off_and_on(p, share):
    draws = row_uniforms(5, 0, "crop", np.arange(500), CROP_SLOTS + 1)
    side = np.full(500, 64)
    assert training_geometry(side, side, draws, TrainViews(flip=p)).flips.mean() == share


@given(sides, sides, st.sampled_from([1, 3]), st.sampled_from([(32, 36), (224, 256), (8, 8)]))
def test_test_windows_lie_in_the_resized_frame(width, height, crops, sizes):
    size, short = sizes
    views = FixedViews(size=size, short_side=short, crops=crops)
    found = fixed_geometry(np.array([width]), np.array([height]), views)
    w, h = found.resized[0].tolist()
    assert min(w, h) == (short if crops == 1 else size)
    assert abs(w / h - width / height) <= 0.5 * max(w, h) / min(w, h) ** 2 + 0.5 / min(w, h)
    assert found.windows.shape == (1, crops, 2)
    for x, y in found.windows[0].tolist():
        assert 0 <= x <= w - size and 0 <= y <= h - size
    assert found.boxes.tolist() == [[0, 0, width, height]]
    assert not found.flips.any()


@pytest.mark.parametrize(
    ("frame", "crops", "resized", "windows"),
    [
        ((340, 256), 1, [340, 256], [[58, 16]]),
        ((320, 240), 1, [341, 256], [[58, 16]]),
        ((240, 320), 1, [256, 341], [[16, 58]]),
        ((256, 256), 3, [224, 224], [[0, 0], [0, 0], [0, 0]]),
        ((340, 256), 3, [298, 224], [[0, 0], [74, 0], [37, 0]]),
        ((320, 240), 3, [299, 224], [[0, 0], [74, 0], [37, 0]]),
        ((256, 455), 3, [224, 398], [[0, 0], [0, 174], [0, 87]]),
    ],
)
def test_windows_of_the_followed_code(frame, crops, resized, windows):
    """Short side 256 and centre; or short side 224, then first end, last end, middle."""
    found = fixed_geometry(*np.array(frame)[:, None], FixedViews(crops=crops))
    assert found.resized[0].tolist() == resized
    assert found.windows[0].tolist() == windows
