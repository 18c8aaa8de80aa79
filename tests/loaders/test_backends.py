"""Pixels: both backends against a slow reference, torchvision's rules, and each other."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import simplejpeg
import torch

from loaders.cpu import CpuBackend
from loaders.plan import Planner, StepPlan
from loaders.views import DEVIATION, MEAN, TrainViews
from loaders.views import TestViews as FixedViews
from shards.subsets import split_subset
from tests.loaders.opening import KINDS
from tests.loaders.reference import Mean, batch_of, normalised, our_paint, torchvision_paint

CPU = torch.device("cpu")
LEVEL = 1 / 57
"""One level of 255, normalised (the deviations are 57 to 58)."""

VIEWS = {
    "train": TrainViews(size=64),
    "train-clip-statistics": TrainViews(size=48, statistics="clip", jitter_p=1, grey_p=0.5),
    "train-per-frame": TrainViews(size=64, jitter_p=1, per_frame=True, crop="multi-scale"),
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


def one_level(plan: StepPlan, views: int) -> np.ndarray:
    """What a level of 255 in every pixel can become by the colours of each view, (B * V,)."""
    colours = plan.colours
    own = np.abs(colours.matrix).sum(axis=3)
    mean = np.abs(colours.about_mean)[..., None] / colours.deviation
    return (own + mean).max(axis=(1, 2)).repeat(views // len(plan.rows)) + 1e-4


@pytest.mark.parametrize("views", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("kind", ["cpu", "dali"])
def test_pixels_are_those_of_the_reference(texture_store, views, kind):
    """8-bit rounding after the resize is all that is lost: less than a level before colours."""
    plans = planner(texture_store, views)
    for plan, found in pixels_of(backend_of(kind, plans), plans):
        batch = batch_of(texture_store, plan, views.size, our_paint(plans, 1))
        expected = normalised(batch, views.statistics)
        assert found.shape == expected.shape and found.dtype == np.float32
        distance = np.abs(found - expected)
        assert (distance.max(axis=(1, 2, 3, 4)) <= one_level(plan, len(found))).all()
        assert distance.mean() < 0.4 * LEVEL


JITTERS: dict[str, tuple[dict[str, object], Mean]] = {
    "none": ({"jitter_p": 0.0}, "clip"),
    "brightness": ({"jitter": (0.4, 0.0, 0.0, 0.0)}, "clip"),
    "contrast": ({"jitter": (0.0, 0.4, 0.0, 0.0)}, "clip"),
    "contrast, theirs about each frame's mean": ({"jitter": (0.0, 0.4, 0.0, 0.0)}, "frame"),
    "saturation": ({"jitter": (0.0, 0.0, 0.2, 0.0)}, "clip"),
    "hue": ({"jitter": (0.0, 0.0, 0.0, 0.1)}, "clip"),
    "all but hue": ({"jitter": (0.4, 0.4, 0.2, 0.0)}, "clip"),
    "all four": ({}, "clip"),
    "all four, grey": ({"grey_p": 1.0}, "clip"),
    "all four, per_frame": ({"per_frame": True}, "frame"),
}
"""What is compared with torchvision, and what its contrast is taken about."""


@pytest.mark.parametrize("name", JITTERS)
def test_how_far_real_clips_are_from_torchvision(real_store, name):
    """The table of loaders/README.md, in levels of 255; shown by `pytest -s`."""
    options, mean = JITTERS[name]
    views = TrainViews(**{"size": 112, "jitter_p": 1.0, "grey_p": 0.0, **options})
    plans, rng = planner(real_store, views, batch=16), np.random.default_rng(3)
    paint = torchvision_paint(plans, 1, rng, mean)
    theirs = batch_of(real_store, plans.step(1, 0), views.size, paint)
    columns = []
    for kind in KINDS:
        [(_, found)] = pixels_of(backend_of(kind, plans), plans, 1)
        distance = np.abs(levels(found) - theirs)
        clips = distance.mean(axis=(1, 2, 3, 4))
        columns += [np.median(clips), np.quantile(clips, 0.9), np.quantile(distance, 0.99)]
        assert np.median(clips) < (1.0 if name in ("none", "brightness", "saturation") else 5.0)
    print(f"| {name} |", *(f"{column:.1f} |" for column in columns))


def levels(batch: np.ndarray) -> np.ndarray:
    """A batch (..., 3, S, S) normalised by ImageNet's statistics, back on 0..255."""
    return batch * DEVIATION["imagenet"][:, None, None] + MEAN["imagenet"][:, None, None]


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
        work = dali.numbered(plan)
        shape = (len(work.clips), views.size, views.size, 3)
        pictures = [rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(views.crops)]
        crops = [torch.from_numpy(picture) for picture in pictures]
        backend = dali.DaliBackend(plans, CPU, 1)
        in_threads = backend._painted(work, crops)
        backend.close()
        there = dali.coloured(crops, work.places, plan)
        torch.testing.assert_close(there, in_threads, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ["cpu", "dali"])
def test_each_frame_is_decoded_once(texture_store, monkeypatch, kind):
    """Of the union of all views' frames, none twice: three crops and shared frames cost nothing."""
    views = FixedViews(size=64, clips=3, crops=3)
    plans = planner(texture_store, views)
    decoded: list[int] = []
    decode = simplejpeg.decode_jpeg
    monkeypatch.setattr(
        simplejpeg,
        "decode_jpeg",
        lambda data, *rest, **more: decoded.append(1) or decode(data, *rest, **more),
    )
    if kind == "dali":
        feed = _dali().inputs
        monkeypatch.setattr(
            "loaders.dali.inputs",
            lambda work, jpegs: decoded.extend([1] * len(jpegs)) or feed(work, jpegs),
        )
    [(plan, clips)] = pixels_of(backend_of(kind, plans), plans, 1)
    distinct = sum(len(np.unique(frames)) for frames in plan.frames)
    assert len(decoded) == distinct < plan.frames.size
    assert len(clips) == 9 * len(plan.rows)


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
