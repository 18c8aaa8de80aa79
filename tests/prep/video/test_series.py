"""Which images of a folder are its frames, in what order, and which lie in a part of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prep.video.refusal import Refused
from prep.video.series import frame_series, numbers_within


@pytest.mark.parametrize(
    "name", ["img_{:05d}.jpg", "image_{:05d}.jpeg", "{:06d}.JPG", "frame_{}.png", "v.1_{:03d}.PNG"]
)
def test_frames_are_in_order_of_their_numbers(name):
    series = frame_series([name.format(number) for number in (10, 2, 1, 3, 100)])
    assert series.names == tuple(name.format(number) for number in (1, 2, 3, 10, 100))
    assert series.numbers == (0, 1, 2, 9, 99)
    assert (series.first, series.announced) == (1, 100)


def test_they_count_from_0_or_from_1():
    assert frame_series(["0.jpg", "1.jpg"]).numbers == (0, 1)
    assert frame_series(["1.jpg", "2.jpg"]).numbers == (0, 1)
    assert frame_series(["31.jpg", "32.jpg"]).numbers == (30, 31)
    assert frame_series([]).announced == 0


def test_what_is_no_frame():
    files = ["thumb.jpg", "img_00001.txt", "flow_x_00001.jpg", "flow_y_00001.jpg", "x_1.jpg"]
    assert frame_series(files).names == ()
    assert frame_series([*files, "img_00001.jpg"]).names == ("img_00001.jpg",)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["cam1_0001.jpg", "cam2_0001.jpg"], "images of 2 series.*cam1_0001.jpg, cam2_0001.jpg"),
        (["1.jpg", "01.jpg"], "two images of one number: 01.jpg, 1.jpg"),
        (["img_1.jpg", "img_1.png"], "two images of one number"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(files, words):
    with pytest.raises(Refused, match=words) as refusal:
        frame_series(files)
    assert refusal.value.reason == "unreadable"


@given(st.sets(st.integers(0, 10**6), min_size=1), st.integers(1, 8))
def test_numbers_ascend_from_the_first_one(numbers, digits):
    series = frame_series(f"img_{number:0{digits}d}.jpg" for number in numbers)
    assert [number + series.first for number in series.numbers] == sorted(numbers)
    assert series.first == (0 if 0 in numbers else 1)
    assert series.announced == max(numbers) + 1 - series.first


Seconds = st.none() | st.floats(0, 50)


@given(Seconds, Seconds, st.floats(0.1, 240), st.integers(0, 3000))
def test_a_part_has_the_frames_whose_time_lies_in_it(start, end, fps, announced):
    within = {
        number
        for number in range(announced)
        if (start is None or start <= number / fps) and (end is None or number / fps < end)
    }
    assert set(numbers_within(start, end, fps, announced)) == within


def test_parts_want_a_rate():
    assert numbers_within(None, None, None, 7) == range(7)
    with pytest.raises(ValueError, match="without a rate"):
        numbers_within(1.0, None, None, 7)
