"""Frame choice: the followed code's own figures, and ranges that hold for any clip."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loaders.sampling import nearest_stored, random_test_frames, training_frames
from loaders.sampling import test_frames as centred_frames

counts = st.integers(1, 5000)
sizes = st.integers(1, 40)


@pytest.fixture(scope="module")
def samplers(oracles):
    return json.loads((oracles / "frame_sampling.json").read_text())


def test_centres_are_those_of_the_followed_code(samplers):
    for case in samplers["segment_center"]:
        found = centred_frames(np.array([case["total"]]), case["T"], 1)
        assert found.ravel().tolist() == case["indices"], case


def test_random_frames_are_those_of_the_followed_code(samplers):
    """Its draws, integers below the length of a segment, given to our rule as uniform ones."""
    for case in samplers["segment_random_seeded"]:
        n, t = case["total"], case["T"]
        state, length = np.random.RandomState(case["numpy_seed"]), max(n // t, 1)
        offsets = np.stack([state.randint(length, size=t) for _ in range(case["views"])])
        draws = (offsets + 0.5) / length
        found = training_frames(np.full(case["views"], n), draws)
        assert found.ravel().tolist() == case["indices"], case


@given(st.lists(counts, min_size=1, max_size=8), sizes, st.integers(0, 2**32 - 1))
def test_one_random_frame_in_each_segment(totals, t, seed):
    draws = np.random.default_rng(seed).random((len(totals), t))
    for n, frames in zip(totals, training_frames(np.array(totals), draws), strict=True):
        assert 0 <= frames.min() <= frames.max() < n
        length = n // t
        if length:
            assert (frames // length == np.arange(t)).all()


@given(st.lists(counts, min_size=1, max_size=8), sizes, st.integers(1, 6))
def test_clips_lie_at_their_phases(totals, t, k):
    found = centred_frames(np.array(totals), t, k)
    assert found.shape == (len(totals), k, t)
    for n, frames in zip(totals, found, strict=True):
        assert 0 <= frames.min() <= frames.max() < n
        # Phase by phase inside segment by segment: K T frames as evenly spread as can be.
        gaps = np.diff(frames.T.ravel(), prepend=-1)[1:]
        assert set(gaps.tolist()) <= {n // (k * t), n // (k * t) + 1}


def test_several_random_clips_are_those_of_the_followed_code(samplers):
    """Its draws run on from clip to clip, as ours do within a video."""
    for case in samplers["segment_random_seeded"]:
        n, t, k = case["total"], case["T"], case["views"]
        state, length = np.random.RandomState(case["numpy_seed"]), max(n // t, 1)
        offsets = np.stack([state.randint(length, size=t) for _ in range(k)])
        found = random_test_frames(np.array([n]), (offsets[None] + 0.5) / length)
        assert found.shape == (1, k, t)
        assert found.ravel().tolist() == case["indices"], case


@given(st.data())
def test_the_nearest_stored_frame_is_found(data):
    clips = data.draw(st.lists(st.sets(st.integers(0, 300), min_size=1), min_size=1, max_size=5))
    stored = [np.array(sorted(clip), np.uint32) for clip in clips]
    t = data.draw(st.integers(1, 6))
    some = st.lists(st.integers(0, 320), min_size=t, max_size=t)
    wanted = np.array([data.draw(some) for _ in clips])
    ends = np.cumsum([len(clip) for clip in stored])
    begins = ends - [len(clip) for clip in stored]
    found = nearest_stored(np.concatenate(stored), begins, ends, wanted)
    for clip, want, position in zip(stored, wanted, found, strict=True):
        expected = np.abs(clip.astype(int)[None, :] - want[:, None]).argmin(axis=1)
        assert position.tolist() == expected.tolist()
