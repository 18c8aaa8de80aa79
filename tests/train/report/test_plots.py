"""Plots: every point lies inside the frame, where its value says."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.report.plots import Series, chart

SVG = "{http://www.w3.org/2000/svg}"
POINTS = st.lists(
    st.tuples(st.integers(1, 10**9).map(float), st.floats(0, 100)), min_size=1, max_size=6
)
FRAME = (64, 460, 20, 368)  # left, right, top, bottom


def marks(svg: str) -> list[tuple[float, float]]:
    """Centres of the marks inside the frame, in the order they are drawn."""
    circles = ElementTree.fromstring(svg).findall(f"{SVG}circle")
    places = [(float(c.attrib["cx"]), float(c.attrib["cy"])) for c in circles]
    return [(x, y) for x, y in places if x <= FRAME[1]]


@given(points=st.lists(POINTS, min_size=1, max_size=10), joined=st.booleans())
def test_points_lie_inside_and_in_the_order_of_their_values(points, joined):
    series = [Series(f"<{index}>", tuple(found)) for index, found in enumerate(points)]
    found = marks(chart(series, "x & more", "y", joined=joined))
    wanted = [point for one in series for point in sorted(one.points)]
    assert len(found) == len(wanted)
    for x, y in found:
        assert FRAME[0] <= x <= FRAME[1] and FRAME[2] <= y <= FRAME[3]
    for axis, sign in ((0, 1), (1, -1)):  # up is less in a picture
        pairs = sorted(zip((w[axis] for w in wanted), (f[axis] for f in found), strict=True))
        placed = [sign * place for _, place in pairs]
        assert all(b >= a - 0.11 for a, b in itertools.pairwise(placed))


def test_one_step_is_as_wide_as_another_of_the_same_ratio():
    svg = chart([Series("a", ((2, 1), (4, 2), (8, 3), (16, 4)))], "clips", "top-1", joined=True)
    xs = [x for x, _ in marks(svg)]
    steps = [b - a for a, b in itertools.pairwise(xs)]
    assert steps == [pytest.approx(steps[0], abs=0.2)] * 3
    texts = set(ElementTree.fromstring(svg).itertext())
    assert {"2", "4", "8", "16", "clips", "top-1", "a"} <= texts


def test_long_names_are_cut_and_whole_in_their_title():
    name = "+ LoRA · " + "rank 256 -> 8 · " * 9
    svg = chart([Series(name, ((1e6, 50.0),))], "x", "y", joined=False)
    texts = list(ElementTree.fromstring(svg).itertext())
    assert name in texts and [text for text in texts if text != name and len(text) > 42] == []
