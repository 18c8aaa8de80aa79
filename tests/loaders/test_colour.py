"""Colours: one affine map against the steps written out, and against torchvision's own rules."""

from __future__ import annotations

import colorsys
import itertools
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loaders.colour import COLOUR_SLOTS, LUMA, Colours, plain_colours, training_colours
from loaders.draws import row_uniforms
from loaders.views import DEVIATION, MEAN, TrainViews

STEPS = ("brightness", "contrast", "saturation", "hue")
unit = st.floats(0, 1, exclude_max=True, width=32)


def natural(seed: int, shape: tuple[int, int, int] = (4, 32, 40)) -> np.ndarray:
    """A clip of smooth coloured fields, float64 (T, H, W, 3) on 0..255."""
    rng = np.random.default_rng(seed)
    small = rng.normal(128, 60, (shape[0], 5, 6, 3))
    frames = [cv2.resize(f, shape[2:0:-1], interpolation=cv2.INTER_CUBIC) for f in small]
    return np.clip(np.stack(frames), 0, 255)


def factors_of(draws: np.ndarray, views: TrainViews) -> dict[str, float]:
    """The factors that six draws stand for, by the words of TrainViews."""
    if draws[0] >= views.jitter_p:
        return dict.fromkeys(STEPS[:3], 1.0) | {"hue": 0.0}
    spread = {s: (2 * d - 1) * x for s, d, x in zip(STEPS, draws[1:5], views.jitter, strict=True)}
    return {step: spread[step] + (step != "hue") for step in STEPS}


def applied(colours: Colours, clip: np.ndarray) -> np.ndarray:
    """What the map makes of a clip, back on 0..255, as a backend does it."""
    matrix = colours.affine(0, float(clip.mean(axis=(0, 1, 2)) @ LUMA)).astype(np.float64)
    out = clip @ matrix[:, :3].T + matrix[:, 3]
    if colours.cut[0]:
        out = np.clip(out, *colours.limits)
    return out * colours.deviation + colours.mean


def turned(clip: np.ndarray, hue: float) -> np.ndarray:
    """A turn about the axis of greys by Rodrigues' formula, pixel by pixel."""
    axis, angle = np.ones(3) / np.sqrt(3), 2 * np.pi * hue
    along = (clip @ axis)[..., None] * axis
    return along + np.cos(angle) * (clip - along) + np.sin(angle) * np.cross(axis, clip)


def uncut(clip: np.ndarray, factors: dict[str, float], order: tuple[str, ...]) -> np.ndarray:
    """The four steps one after another in floats, none cut, about the mean of the clip."""
    for step in order:
        f = factors[step]
        if step == "brightness":
            clip = f * clip
        elif step == "contrast":
            clip = f * clip + (1 - f) * (clip @ LUMA).mean()
        elif step == "saturation":
            clip = f * clip + (1 - f) * (clip @ LUMA)[..., None]
        else:
            clip = turned(clip, f)
    return clip


def torchvision_like(
    clip: np.ndarray, factors: dict[str, float], order: tuple[str, ...]
) -> np.ndarray:
    """torchvision's rules, frame by frame: cut and rounded to 8 bits after every step, HSV hue."""
    luma = np.array([0.2989, 0.587, 0.114])
    frames = []
    for frame in np.rint(clip):
        for step in order:
            f = factors[step]
            if step == "brightness":
                frame = f * frame
            elif step == "contrast":
                frame = f * frame + (1 - f) * (frame @ luma).mean()
            elif step == "saturation":
                frame = f * frame + (1 - f) * (frame @ luma)[..., None]
            elif f:
                hsv = cv2.cvtColor((frame / 255).astype(np.float32), cv2.COLOR_RGB2HSV)
                hsv[..., 0] = (hsv[..., 0] + 360 * f) % 360
                frame = 255.0 * cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
            frame = np.floor(np.clip(frame, 0, 255))
        frames.append(frame)
    return np.stack(frames)


@given(st.lists(unit, min_size=6, max_size=6), st.integers(0, 50))
def test_any_order_of_the_steps_is_the_one_map(draws, seed):
    views = TrainViews(grey_p=0)
    draws, clip = np.array(draws), natural(seed)
    colours = training_colours(draws[None], views)
    factors = factors_of(draws, views)
    for order in itertools.permutations(STEPS[:3]):
        expected = np.clip(uncut(clip, factors, (*order, "hue")), 0, 255)
        np.testing.assert_allclose(applied(colours, clip), expected, atol=2e-3)


@given(st.lists(unit, min_size=6, max_size=6), st.integers(0, 50))
def test_grey_is_the_luma_of_the_rest(draws, seed):
    draws, clip = np.array(draws), natural(seed)
    grey = applied(training_colours(draws[None], TrainViews(grey_p=1)), clip)
    np.testing.assert_allclose(grey, np.repeat(grey[..., :1], 3, axis=-1), atol=1e-3)
    views = TrainViews(grey_p=0)
    expected = uncut(clip, factors_of(draws, views), STEPS) @ LUMA
    np.testing.assert_allclose(grey[..., 0], np.clip(expected, 0, 255), atol=2e-3)


@pytest.mark.parametrize("statistics", ["imagenet", "clip"])
@pytest.mark.parametrize(
    "views", [{"jitter_p": 0.0}, {"jitter": (0.0, 0.0, 0.0, 0.0)}], ids=["never", "no-strength"]
)
def test_without_jitter_it_is_normalisation(views, statistics):
    draws = row_uniforms(1, 0, "colour", np.arange(50), COLOUR_SLOTS)
    found = training_colours(draws, TrainViews(grey_p=0, statistics=statistics, **views))
    plain = plain_colours(50, statistics)
    assert not found.cut.any() and not found.about_mean.any()
    np.testing.assert_allclose(found.matrix, plain.matrix, atol=1e-8)
    clip = natural(1)
    matrix = found.affine(7, 0.0)
    expected = (clip - MEAN[statistics]) / DEVIATION[statistics]
    np.testing.assert_allclose(clip @ matrix[:, :3].T + matrix[:, 3], expected, atol=1e-5)


def test_how_often_and_how_strongly():
    views = TrainViews()
    draws = row_uniforms(2, 0, "colour", np.arange(20_000), COLOUR_SLOTS)
    colours = training_colours(draws, views)
    assert abs((colours.about_mean != 0).mean() - 0.8) < 0.01
    scaled = colours.matrix * colours.deviation[:, None]
    grey = np.abs(scaled - scaled[:, :1]).max(axis=(1, 2)) < 1e-5
    assert abs(grey.mean() - 0.2) < 0.01
    gain = scaled.sum(axis=2)[:, 0]  # what a grey pixel is multiplied by: b c
    assert 0.36 < gain.min() < 0.45 and 1.8 < gain.max() < 1.96


def test_a_third_of_a_turn_makes_red_green():
    """There HSV's turn and ours are one: the channels change places."""
    views = TrainViews(jitter=(0.0, 0.0, 0.0, 0.5), jitter_p=1, grey_p=0)
    colour = np.array([170.0, 90.0, 30.0])
    for draw, expected in [(5 / 6, np.roll(colour, 1)), (1 / 6, np.roll(colour, -1))]:
        colours = training_colours(np.array([[0, 0.5, 0.5, 0.5, draw, 0.9]]), views)
        np.testing.assert_allclose(
            applied(colours, colour[None, None, None])[0, 0, 0], expected, atol=1e-4
        )
        hue, *rest = colorsys.rgb_to_hsv(*colour / 255)
        theirs = colorsys.hsv_to_rgb((hue + draw - 0.5) % 1, *rest)
        np.testing.assert_allclose(np.array(theirs) * 255, expected)


def differences(clips: list[np.ndarray], views: TrainViews) -> np.ndarray:
    """Mean distance, in levels of 255, of each jittered clip from what torchvision's rules give."""
    rng = np.random.default_rng(3)
    found = []
    for row, clip in enumerate(clips):
        draws = row_uniforms(9, 0, "colour", np.array([row]), COLOUR_SLOTS)
        order = tuple(rng.permutation(STEPS))
        theirs = torchvision_like(clip, factors_of(draws[0], views), order)
        found.append(np.abs(applied(training_colours(draws, views), clip) - theirs).mean())
    return np.array(found)


def test_without_jitter_only_rounding_differs():
    still = differences([natural(seed) for seed in range(5)], TrainViews(jitter_p=0, grey_p=0))
    assert still.max() < 0.51


def real_frames(folder: Path) -> list[np.ndarray]:
    """Eight frames, 112 pixels square, of each real video that opens; float64 on 0..255."""
    found = []
    for path in sorted(folder.glob("*/**/*")):
        if path.suffix not in (".mp4", ".avi", ".webm") or "broken" in path.parts:
            continue
        with av.open(str(path)) as container:
            frames = itertools.islice(container.decode(video=0), 0, 64, 8)
            pixels = [frame.to_ndarray(format="rgb24") for frame in frames]
        found.append(np.stack([cv2.resize(f, (112, 112)) for f in pixels]).astype(np.float64))
    return found


def test_how_far_it_is_from_torchvision(clips):
    """The figures of loaders/README.md; shown by `pytest -s`."""
    frames = 3 * real_frames(clips)
    for name, jitter, bound in [
        ("brightness", (0.4, 0.0, 0.0, 0.0), 1.0),
        ("contrast", (0.0, 0.4, 0.0, 0.0), 1.0),
        ("saturation", (0.0, 0.0, 0.2, 0.0), 1.0),
        ("hue", (0.0, 0.0, 0.0, 0.1), 4.0),
        ("all four", (0.4, 0.4, 0.2, 0.1), 5.0),
    ]:
        found = differences(frames, TrainViews(jitter_p=1, grey_p=0, jitter=jitter))
        print(f"{name}: median {np.median(found):.1f}, nine in ten under", end=" ")
        print(f"{np.quantile(found, 0.9):.1f} of 255")
        assert np.median(found) < bound
