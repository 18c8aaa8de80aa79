"""The published path draws and computes what its source says."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from loaders.views import DEVIATION, MEAN, TrainViews
from prep.bench.published import _box, _turned, augmented, decoded

PLAIN = TrainViews(frames=3, size=32, flip=0.0, jitter_p=0.0, grey_p=0.0)


def test_without_chances_it_is_resize_and_normalisation() -> None:
    frames = torch.full((3, 40, 60, 3), 100, dtype=torch.uint8)
    found = augmented(frames, PLAIN)
    wanted = (100 - MEAN["imagenet"]) / DEVIATION["imagenet"]
    assert found.shape == (3, 3, 32, 32)
    assert torch.allclose(found, torch.tensor(wanted).float()[:, None, None].expand_as(found))


def test_flip_turns_left_and_right() -> None:
    views = TrainViews(
        frames=1, size=256, flip=1.0, jitter_p=0.0, grey_p=0.0,
        crop_area=(1.0, 1.0), crop_aspect=(1.0, 1.0),
    )  # fmt: skip
    frames = torch.arange(256, dtype=torch.uint8).expand(1, 3, 256, 256).permute(0, 2, 3, 1)
    found = augmented(frames, views)
    assert found[0, 0, 0, 0] > found[0, 0, 0, -1]


def test_grey_leaves_no_colour() -> None:
    views = TrainViews(frames=2, size=16, flip=0.0, jitter_p=1.0, grey_p=1.0)
    torch.manual_seed(1)
    frames = torch.randint(0, 256, (2, 30, 40, 3), dtype=torch.uint8)
    back = augmented(frames, views) * torch.tensor(DEVIATION["imagenet"]).float()[:, None, None]
    back += torch.tensor(MEAN["imagenet"]).float()[:, None, None]
    assert torch.allclose(back[:, 0], back[:, 1], atol=1e-3)
    assert torch.allclose(back[:, 0], back[:, 2], atol=1e-3)


@given(
    st.tuples(*[st.integers(0, 255)] * 3),
    st.floats(-0.5, 0.5),
)
def test_hue_turns_as_in_hsv(pixel: tuple[int, int, int], turn: float) -> None:
    hue, saturation, value = colorsys.rgb_to_hsv(*(x / 255 for x in pixel))
    wanted = [255 * x for x in colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value)]
    found = _turned(torch.tensor(pixel, dtype=torch.float32).view(1, 3, 1, 1), turn)
    assert found.flatten().tolist() == pytest.approx(wanted, abs=0.05)


@given(st.integers(8, 400), st.integers(8, 400), st.integers(0, 2**31))
def test_boxes_lie_inside_the_picture(height: int, width: int, seed: int) -> None:
    torch.manual_seed(seed)
    top, left, h, w = _box(height, width, TrainViews())
    assert 0 <= top <= top + h <= height
    assert 0 <= left <= left + w <= width
    assert min(h, w) >= 1


def test_frames_come_from_their_segments(toy_root) -> None:
    pytest.importorskip("decord", reason="decord has no build for this machine")
    from decord import VideoReader

    file = next(path for path in sorted(toy_root.rglob("*.mp4")) if "broken" not in path.name)
    every = VideoReader(str(file)).get_batch(range(len(VideoReader(str(file))))).asnumpy()
    segments = np.array_split(np.arange(len(every)), 4) if len(every) % 4 == 0 else None
    found = decoded(str(file), (None, None), 4)
    assert found.shape == (4, *every.shape[1:])
    for number, frame in enumerate(found):
        places = [i for i, whole in enumerate(every) if (whole == frame).all()]
        low, high = len(every) * number // 4, -(-len(every) * (number + 1) // 4)
        assert any(low <= i < high for i in places), (segments, places)
