"""Videos a second at the largest batch that fits."""

from __future__ import annotations

import pytest
import torch
from accelerate import Accelerator
from hypothesis import given
from hypothesis import strategies as st

from train import throughput
from train.methods import build_method, default_options
from train.models.config import SIZES
from train.models.viclip import ViCLIP
from train.recipes.published import SMALL_LOOK
from train.throughput import largest_that_fits, measure

pytestmark = pytest.mark.usefixtures("one_process")


@given(limit=st.integers(0, 3000), most=st.integers(1, 2000))
def test_the_largest_is_found_to_an_eighth(limit, most):
    tried = []

    def fits(size: int) -> bool:
        tried.append(size)
        return size <= limit

    found = largest_that_fits(fits, most)
    best = min(limit, most)
    assert found <= best and best - found <= max(1, found // 8)
    assert (found == 0) == (best == 0)
    assert all(1 <= size <= most for size in tried) and len(tried) < 20


def test_a_device_without_room_gives_the_batch_that_it_has_room_for(monkeypatch):
    method = build_method("zero-shot", ViCLIP(SIZES["nano"], 1), default_options("zero-shot"), 1)
    sizes, encode = [], method.encode_video

    def limited(clips: torch.Tensor) -> torch.Tensor:
        if len(clips) > 5:
            raise torch.OutOfMemoryError("no room")
        sizes.append(len(clips))
        return encode(clips)

    monkeypatch.setattr(method, "encode_video", limited)
    monkeypatch.setattr(throughput, "STEPS", 2)
    ids = torch.randint(1, 500, (3, 9), generator=torch.Generator().manual_seed(0))
    method.train()
    found = measure(method, ids, SMALL_LOOK, "fp32", Accelerator(cpu=True))
    assert found.batch == 5 and found.videos_per_second > 0
    assert sizes[-3:] == [5, 5, 5] and method.training
