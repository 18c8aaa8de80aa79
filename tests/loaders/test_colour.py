"""Colours: one affine map against the steps written out one after another."""

from __future__ import annotations

import colorsys
import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loaders.colour import (
    COLOUR_SLOTS,
    FACTORS,
    LUMA,
    Colours,
    plain_colours,
    training_colours,
)
from loaders.cpu import Desk
from loaders.draws import row_uniforms
from loaders.views import DEVIATION, MEAN, TrainViews
from tests.loaders.reference import STEPS, factors_of, stepwise, torchvision_jitter

unit = st.floats(0, 1, exclude_max=True, width=32)


def natural(seed: int, shape: tuple[int, int, int] = (4, 32, 40)) -> np.ndarray:
    """A clip of smooth coloured fields, float64 (T, H, W, 3) on 0..255."""
    rng = np.random.default_rng(seed)
    small = rng.normal(128, 60, (shape[0], 5, 6, 3))
    frames = [cv2.resize(f, shape[2:0:-1], interpolation=cv2.INTER_CUBIC) for f in small]
    return np.clip(np.stack(frames), 0, 255)


def applied(colours: Colours, clip: np.ndarray) -> np.ndarray:
    """What the map makes of a clip, back on 0..255, as a backend does it."""
    maps = colours.affine(0, clip.mean(axis=(1, 2)) @ LUMA).astype(np.float64)
    turns = np.broadcast_to(maps, (len(clip), 3, 4))
    out = np.stack([f @ m[:, :3].T + m[:, 3] for f, m in zip(clip, turns, strict=True)])
    if colours.cut[0]:
        out = np.clip(out, *colours.limits)
    return out * colours.deviation + colours.mean


@given(st.lists(unit, min_size=6, max_size=6), st.integers(0, 50))
def test_any_order_of_the_steps_is_the_one_map(draws, seed):
    views = TrainViews(grey_p=0)
    draws, clip = np.array(draws), natural(seed)
    colours = training_colours(draws[None], views)
    factors = factors_of(draws, views)
    for order in itertools.permutations(STEPS[:3]):
        expected = np.clip(stepwise(clip, factors, (*order, "hue")), 0, 255)
        np.testing.assert_allclose(applied(colours, clip), expected, atol=2e-3)


@given(st.lists(unit, min_size=6, max_size=6), st.integers(0, 50))
def test_grey_is_the_luma_of_the_rest(draws, seed):
    draws, clip = np.array(draws), natural(seed)
    grey = applied(training_colours(draws[None], TrainViews(grey_p=1)), clip)
    np.testing.assert_allclose(grey, np.repeat(grey[..., :1], 3, axis=-1), atol=1e-3)
    views = TrainViews(grey_p=0)
    expected = stepwise(clip, factors_of(draws, views), STEPS) @ LUMA
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
    [matrix] = found.affine(7, np.zeros(4))
    expected = (clip - MEAN[statistics]) / DEVIATION[statistics]
    np.testing.assert_allclose(clip @ matrix[:, :3].T + matrix[:, 3], expected, atol=1e-5)


def test_how_often_and_how_strongly():
    views = TrainViews()
    draws = row_uniforms(2, 0, "colour", np.arange(20_000), COLOUR_SLOTS)
    colours = training_colours(draws, views)
    assert abs((colours.about_mean != 0).mean() - 0.8) < 0.01
    scaled = colours.matrix * colours.deviation[:, None]
    grey = np.abs(scaled - scaled[..., :1, :]).max(axis=(1, 2, 3)) < 1e-5
    assert abs(grey.mean() - 0.2) < 0.01
    gain = scaled.sum(axis=3)[..., 0]  # what a grey pixel is multiplied by: b c
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


@given(st.integers(0, 1000), st.integers(0, 50))
def test_every_frame_has_its_own_map_where_asked(row, seed):
    """Factors, and the mean that contrast is about, are the frame's; the coin is the clip's."""
    views, clip = TrainViews(grey_p=0, per_frame=True), natural(seed)
    [draws] = row_uniforms(1, 0, "colour", np.array([row]), COLOUR_SLOTS)
    frames = np.random.default_rng(seed).random((len(clip), FACTORS))
    found = applied(training_colours(draws[None], views, frames[None]), clip)
    for frame, factors, mine in zip(clip, frames, found, strict=True):
        wanted = factors_of(np.array([draws[0], *factors]), views)
        expected = np.clip(stepwise(frame, wanted), 0, 255)
        np.testing.assert_allclose(mine, expected, atol=2e-3)


def test_torchvisions_hue_is_that_of_colorsys():
    """The rules it is measured by are themselves held against Python's."""
    colours = np.random.default_rng(0).integers(0, 256, (1, 20, 20, 3)).astype(np.float64)
    only_hue = dict.fromkeys(STEPS[:3], 1.0) | {"hue": 0.07}
    for before, after in zip(
        colours.reshape(-1, 3),
        torchvision_jitter(colours, only_hue, ("hue",)).reshape(-1, 3),
        strict=True,
    ):
        hue, *rest = colorsys.rgb_to_hsv(*before / 255)
        expected = np.array(colorsys.hsv_to_rgb((hue + 0.07) % 1, *rest)) * 255.999
        assert np.abs(after - np.floor(expected)).max() <= 1


@given(st.integers(2, 40), st.integers(0, 1000), st.booleans())
def test_a_thread_paints_what_the_map_says(side, seed, cut):
    """Mapped in place, parted into planes and cut, of any side."""
    rng = np.random.default_rng(seed)
    view = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
    colours = rng.normal(size=(3, 4)).astype(np.float32)
    low = np.array([-20.0, -1.0, -300.0], dtype=np.float32)
    high = np.array([100.0, 90.0, 200.0], dtype=np.float32)
    found = np.full((3, side, side), np.nan, dtype=np.float32)
    limits = (low[:, None, None], high[:, None, None]) if cut else None
    Desk().paint(view, colours, limits, found)
    expected = view @ colours[:, :3].T.astype(np.float64) + colours[:, 3]
    if cut:
        expected = np.clip(expected, low, high)
    np.testing.assert_allclose(found, np.moveaxis(expected, 2, 0), atol=1e-3)
