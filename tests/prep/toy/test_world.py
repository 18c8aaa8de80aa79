import numpy as np
import pytest

from prep.toy.dice import Dice, uniforms
from prep.toy.world import COLOURS, FRAMES, MOTIONS, SHAPES, draw_scene

NAMES = tuple(MOTIONS)
TWINS = tuple(zip(NAMES[::2], NAMES[1::2], strict=True))


def scene(motion, stream="one", seed=3):
    return draw_scene(motion, "star", "red", Dice(seed, stream))


def test_draws_lie_in_the_unit_interval_and_are_spread_over_it():
    draws = uniforms(5, "spread", 4000)
    assert draws.min() >= 0 and draws.max() < 1
    assert np.histogram(draws, bins=4, range=(0, 1))[0].min() > 800


def test_streams_and_seeds_share_nothing():
    first = uniforms(1, "a", 50)
    assert np.array_equal(first, uniforms(1, "a", 80)[:50])
    for other in (uniforms(2, "a", 50), uniforms(1, "b", 50)):
        assert not np.isin(first, other).any()


def test_one_of_reaches_every_item():
    dice = Dice(1, "items", 600)
    assert {dice.one_of(SHAPES) for _ in range(600)} == set(SHAPES)


@pytest.mark.parametrize(("forth", "back"), TWINS)
def test_a_motion_begins_where_its_twin_ends(forth, back):
    one, other = scene(forth).track, scene(back).track
    for end, start in ((0, -1), (-1, 0)):
        np.testing.assert_allclose(one.centres[:, end], other.centres[:, start], atol=1e-12)
        assert one.radii[end] == pytest.approx(other.radii[start])
        assert one.opacity[end] == pytest.approx(other.opacity[start])


@pytest.mark.parametrize("motion", NAMES)
def test_things_change_over_time_and_stay_in_the_picture(motion):
    for number in range(30):
        track = scene(motion, f"clip {number}").track
        centres, radii = track.centres, track.radii[None, :, None]
        assert centres.shape[1:] == (FRAMES, 2)
        assert track.radii.shape == track.opacity.shape == (FRAMES,)
        assert (centres + 0.6 * radii <= 1).all() and (centres - 0.6 * radii >= 0).all()
        moved = np.ptp(centres, axis=1).max() + np.ptp(track.radii) + np.ptp(track.opacity)
        assert moved > 0.1


def test_motions_do_what_they_are_called():
    def drift(motion, axis):
        centres = scene(motion).track.centres[0]
        return centres[-1, axis] - centres[0, axis]

    assert drift("moving left", 0) < -0.3 < 0.3 < drift("moving right", 0)
    assert drift("moving up", 1) < -0.3 < 0.3 < drift("moving down", 1)
    assert scene("growing").track.radii[-1] > 2 * scene("growing").track.radii[0]
    assert scene("appearing").track.opacity[0] == 0 and scene("vanishing").track.opacity[-1] == 0
    left, right = scene("meeting").track.centres
    gaps = np.linalg.norm(left - right, axis=-1)
    assert gaps[-1] < gaps[0] / 2
    assert np.all(np.diff(gaps) < 0)


@pytest.mark.parametrize(
    ("motion", "sign"), [("circling clockwise", 1), ("circling counter-clockwise", -1)]
)
def test_circling_turns_one_way(motion, sign):
    centres = scene(motion).track.centres[0]
    steps = np.diff(centres, axis=0)
    # y points downwards, so a positive cross product of successive steps is a turn clockwise.
    turns = steps[:-1, 0] * steps[1:, 1] - steps[:-1, 1] * steps[1:, 0]
    assert (np.sign(turns) == sign).all()


def test_the_same_draws_give_the_same_scene_and_others_another():
    assert scene("growing").paint == scene("growing").paint
    assert scene("growing", seed=1).paint != scene("growing", seed=2).paint
    assert set(COLOURS) >= {scene("growing").colour}
