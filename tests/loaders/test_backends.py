"""Pixels: both backends against a slow reference written out, and against each other."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import simplejpeg
import torch

from loaders.colour import LUMA
from loaders.cpu import CpuBackend
from loaders.plan import Planner, StepPlan
from loaders.views import TestViews as FixedViews
from loaders.views import TrainViews
from shards.subsets import split_subset

CPU = torch.device("cpu")
LEVEL = 1 / 57
"""One level of 255, normalised (the deviations are 57 to 58)."""

VIEWS = {
    "train": TrainViews(size=64),
    "train-clip-statistics": TrainViews(size=48, statistics="clip", jitter_p=1, grey_p=0.5),
    "centre": FixedViews(size=64, short_side=73),
    "multi-view": FixedViews(size=64, clips=2, crops=3, frames=4),
}


def planner(store, views, batch=4) -> Planner:
    subset = split_subset(store, "train1")
    return Planner(store, subset, views, batch, seed=5, rank=0, world=1)


def backend_of(kind: str, plans: Planner, device: torch.device = CPU):
    """A backend by name; skips the test where DALI, an extra, is not installed."""
    return CpuBackend(plans, device, 2) if kind == "cpu" else _dali().DaliBackend(plans, device, 2)


def _dali():
    pytest.importorskip("nvidia.dali", reason="NVIDIA DALI is an extra")
    return importlib.import_module("loaders.dali")


def pixels_of(backend, plans: Planner, steps: int = 2) -> list[tuple[StepPlan, np.ndarray]]:
    """The first batches of epoch 1 of a backend, which is closed then."""
    made = [
        (plan, clips.numpy())
        for plan, clips in backend.run(plans.step(1, step) for step in range(steps))
    ]
    backend.close()
    return made


def bilinear(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resize float (h, w, 3) by the two nearest pixels each way, centres of pixels aligned."""
    for axis, size in ((0, height), (1, width)):
        n = image.shape[axis]
        place = np.clip((np.arange(size) + 0.5) * n / size - 0.5, 0, n - 1)
        low = np.floor(place).astype(int)
        high = np.minimum(low + 1, n - 1)
        weight = np.expand_dims(place - low, [a for a in range(3) if a != axis])
        image = image.take(low, axis) * (1 - weight) + image.take(high, axis) * weight
    return image


def reference(store, plan: StepPlan, size: int) -> np.ndarray:
    """A batch in float64, frame by frame, straight from the words of the plan."""
    batch = []
    for i in range(len(plan.rows)):
        x, y, w, h = plan.geometry.boxes[i]
        clip = []
        for jpeg in store.read_frames(int(plan.clips[i]), plan.frames[i].ravel().tolist()):
            frame = simplejpeg.decode_jpeg(jpeg, "RGB").astype(np.float64)[y : y + h, x : x + w]
            frame = bilinear(frame, *plan.geometry.resized[i].tolist())
            clip.append(frame[:, ::-1] if plan.geometry.flips[i] else frame)
        views = np.stack(clip)
        matrix = plan.colours.affine(i, float(views.mean(axis=(0, 1, 2)) @ LUMA))
        for x, y in plan.geometry.windows[i]:
            part = views[:, y : y + size, x : x + size] @ matrix[:, :3].T + matrix[:, 3]
            part = np.clip(part, *plan.colours.limits)
            batch.append(part.reshape(*plan.frames[i].shape, size, size, 3))
    return np.moveaxis(np.concatenate(batch), -1, 2)


def one_level(plan: StepPlan, views: int) -> np.ndarray:
    """What a level of 255 in every pixel can become by the colours of each view, (B * V,)."""
    colours = plan.colours
    own = np.abs(colours.matrix).sum(axis=2)
    mean = np.abs(colours.about_mean)[:, None] / colours.deviation
    return (own + mean).max(axis=1).repeat(views // len(plan.rows)) + 1e-4


@pytest.mark.parametrize("views", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("kind", ["cpu", "dali"])
def test_pixels_are_those_of_the_reference(texture_store, views, kind):
    """8-bit rounding after the resize is all that is lost: less than a level before colours."""
    plans = planner(texture_store, views)
    for plan, found in pixels_of(backend_of(kind, plans), plans):
        expected = reference(texture_store, plan, views.size)
        assert found.shape == expected.shape and found.dtype == np.float32
        distance = np.abs(found - expected)
        assert (distance.max(axis=(1, 2, 3, 4)) <= one_level(plan, len(found))).all()
        assert distance.mean() < 0.4 * LEVEL


@pytest.mark.parametrize("views", VIEWS.values(), ids=VIEWS)
def test_backends_agree(texture_store, views):
    """One plan, two decoders and resizers: at most a level of 8 bits apart before colours."""
    plans = planner(texture_store, views)
    ours = pixels_of(backend_of("cpu", plans), plans)
    theirs = pixels_of(backend_of("dali", plans), plans)
    for (plan, one), (other_plan, other) in zip(ours, theirs, strict=True):
        assert plan.rows.tolist() == other_plan.rows.tolist()
        assert (plan.frames == other_plan.frames).all()
        distance = np.abs(one - other)
        assert (distance.max(axis=(1, 2, 3, 4)) <= one_level(plan, len(one))).all()
        assert distance.mean() < 0.25 * LEVEL


@pytest.mark.parametrize("views", VIEWS.values(), ids=VIEWS)
def test_colours_on_a_device_are_those_in_threads(texture_store, views):
    """The path of a GPU, run here on the CPU, from the same 8-bit pictures."""
    dali, plans = _dali(), planner(texture_store, views, 3)
    rng = np.random.default_rng(0)
    for step in range(3):
        plan = plans.step(0, step)
        work = dali._work(plan)
        shape = (len(work.clips), views.size, views.size, 3)
        pictures = [rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(views.crops)]
        crops = [torch.from_numpy(picture) for picture in pictures]
        backend = dali.DaliBackend(plans, CPU, 1)
        in_threads = backend._painted(work, crops)
        backend.close()
        there = dali.coloured(crops, work.places, plan)
        torch.testing.assert_close(there, in_threads, atol=1e-4, rtol=1e-4)


def test_each_frame_is_decoded_once(texture_store, monkeypatch):
    """Views that share frames, and clips of fewer frames than wanted, decode none twice."""
    views = FixedViews(size=64, clips=3, crops=3)
    plans = planner(texture_store, views)
    decoded = []
    decode = simplejpeg.decode_jpeg
    monkeypatch.setattr(
        simplejpeg,
        "decode_jpeg",
        lambda data, *rest, **more: decoded.append(data) or decode(data, *rest, **more),
    )
    [(plan, _)] = pixels_of(backend_of("cpu", plans), plans, 1)
    distinct = sum(len(np.unique(frames)) for frames in plan.frames)
    assert len(decoded) == distinct < plan.frames.size


@pytest.mark.gpu
def test_a_gpu_makes_the_same_batches(texture_store):
    """nvJPEG's pixels are not libjpeg-turbo's, so the mean alone is held to a bound."""
    for views in VIEWS.values():
        plans = planner(texture_store, views)
        ours = pixels_of(backend_of("cpu", plans), plans)
        backend = backend_of("dali", plans, torch.device("cuda"))
        theirs = list(backend.run(plans.step(1, step) for step in range(2)))
        for (plan, one), (other_plan, other) in zip(ours, theirs, strict=True):
            assert plan.rows.tolist() == other_plan.rows.tolist()
            assert other.device.type == "cuda"
            assert np.abs(one - other.cpu().numpy()).mean() < 2 * LEVEL
        backend.close()
