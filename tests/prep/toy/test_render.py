import numpy as np
import pytest

from prep.toy.dice import Dice
from prep.toy.render import FIELDS, SIDE, render
from prep.toy.world import FRAMES, SHAPES, draw_scene


def pictures(motion="moving left", shape="circle", colour="white", stream="clip", seed=1):
    return render(draw_scene(motion, shape, colour, Dice(seed, stream)))


def bright(frame):
    """Where the white thing is, as weights."""
    return np.clip(frame.mean(axis=-1) - 120, 0, None)


def test_every_shape_of_the_world_has_a_field():
    assert set(FIELDS) == set(SHAPES)


def test_form_and_range():
    clip = pictures()
    assert clip.shape == (FRAMES, SIDE, SIDE, 3)
    assert clip.dtype == np.float32
    assert clip.min() >= -10 and clip.max() <= 256


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("motion", ["moving left", "moving up", "circling clockwise"])
def test_pixels_follow_the_track(motion, shape):
    scene = draw_scene(motion, shape, "white", Dice(4, "track"))
    clip = render(scene)
    axis = (np.arange(SIDE) + 0.5) / SIDE
    for frame, centre in zip(clip[::5], scene.track.centres[0, ::5], strict=True):
        weight = bright(frame)
        seen = np.array([weight.sum(0) @ axis, weight.sum(1) @ axis]) / weight.sum()
        np.testing.assert_allclose(seen, centre, atol=0.06)


def test_opacity_hides_and_two_things_are_drawn():
    vanishing = pictures("vanishing")
    assert bright(vanishing[0]).sum() > 100 * (bright(vanishing[-1]).sum() + 1)
    apart = bright(pictures("meeting")[0]).max(axis=0) > 60
    edges = np.flatnonzero(np.diff(np.concatenate([[0], apart.astype(int), [0]])))
    assert len(edges) == 4


def test_shapes_differ_by_what_they_cover():
    clips = {shape: pictures("growing", shape)[-1] for shape in SHAPES}
    for one in SHAPES:
        for other in SHAPES:
            if one < other:
                assert np.abs(clips[one] - clips[other]).max(axis=-1).mean() > 5


def test_a_clip_depends_on_its_draws_alone():
    assert np.array_equal(pictures(), pictures())
    assert not np.array_equal(pictures(seed=1), pictures(seed=2))
