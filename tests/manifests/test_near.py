"""The nearest right word in a message."""

from __future__ import annotations

from manifests.near import did_you_mean


def test_the_nearest_alone_is_named_and_only_a_near_one():
    assert did_you_mean("spacial", ("temporal", "spatial")) == "; did you mean spatial?"
    assert did_you_mean("spacial", iter(("mean", "sum"))) == ""
