import numpy as np
import pytest

from prep.toy.appearance import Appearance, shifted, to_pixels
from prep.toy.dice import Dice
from prep.toy.render import render
from prep.toy.world import draw_scene

NOTHING = Appearance(haze=0, tint=0, weave=0, shake=0, noise=0)


@pytest.fixture(scope="module")
def clip():
    return render(draw_scene("moving up", "square", "white", Dice(2, "clip")))


def test_a_shift_of_nothing_changes_nothing(clip):
    np.testing.assert_allclose(shifted(clip, NOTHING, 1, "s"), clip, atol=1e-4)


def test_haze_takes_contrast(clip):
    hazy = shifted(clip, Appearance(haze=0.5, tint=0, weave=0, shake=0, noise=0), 1, "s")
    assert np.ptp(hazy) == pytest.approx(0.5 * np.ptp(clip), rel=1e-3)


def test_shake_moves_whole_frames_by_no_more_than_its_reach(clip):
    shaken = shifted(clip, Appearance(haze=0, tint=0, weave=0, shake=2, noise=0), 1, "s")
    inner = shaken[:, 4:-4, 4:-4]
    side = clip.shape[1]
    moved = 0
    for frame, wanted in zip(clip, inner, strict=True):
        fits = [
            (y, x)
            for y in range(5)
            for x in range(5)
            if np.allclose(frame[2 + y : side - 6 + y, 2 + x : side - 6 + x], wanted, atol=1e-4)
        ]
        assert fits
        moved += (2, 2) not in fits
    assert moved > 5


def test_the_shift_is_drawn_from_seed_and_stream(clip):
    look = Appearance()
    assert np.array_equal(shifted(clip, look, 1, "a"), shifted(clip, look, 1, "a"))
    assert not np.array_equal(shifted(clip, look, 1, "a"), shifted(clip, look, 2, "a"))
    assert not np.array_equal(shifted(clip, look, 1, "a"), shifted(clip, look, 1, "b"))


def test_pixels_are_rounded_and_clipped():
    assert to_pixels(np.array([-5.0, 0.4, 0.6, 300.0])).tolist() == [0, 0, 1, 255]
