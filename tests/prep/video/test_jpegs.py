"""A stream of JPEGs is cut where they end, whatever their bytes look like."""

from __future__ import annotations

import numpy as np
import pytest
import simplejpeg
from hypothesis import given
from hypothesis import strategies as st

from prep.video.jpegs import jpeg_size, split_jpegs


def picture(seed: int, width: int, height: int, quality: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return simplejpeg.encode_jpeg(pixels, quality=quality, colorsubsampling="420")


PICTURES = st.builds(
    picture, st.integers(0, 99), st.integers(1, 40), st.integers(1, 40), st.integers(1, 100)
)


@given(st.lists(PICTURES, max_size=6), PICTURES, st.floats(0, 0.999))
def test_whole_pictures_are_found_and_a_cut_one_is_not(pictures, last, part):
    stream = b"".join(pictures)
    assert split_jpegs(stream) == pictures
    assert split_jpegs(stream + last[: int(len(last) * part)]) == pictures


def test_an_end_inside_a_segment_is_no_end():
    whole = picture(0, 16, 16, 90)
    comment = b"\xff\xfe\x00\x06\xff\xd9\xff\xd8"
    tricky = whole[:2] + comment + whole[2:]
    assert split_jpegs(tricky + whole) == [tricky, whole]
    assert jpeg_size(tricky) == (16, 16)


@given(st.integers(1, 300), st.integers(1, 300))
def test_sizes_are_read(width, height):
    assert jpeg_size(picture(0, width, height, 50)) == (width, height)


def test_what_is_no_baseline_jpeg_has_no_size():
    with pytest.raises(ValueError, match="baseline"):
        jpeg_size(b"\xff\xd8\xff\xd9")
