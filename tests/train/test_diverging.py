"""When a loss that is a number has run away."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from train.diverging import WINDOW, Divergence


def first_told(watch: Divergence, losses: list[float]) -> int | None:
    """Place of the first loss that something was said of."""
    return next((i for i, loss in enumerate(losses) if watch.told(loss)), None)


def test_a_whole_window_above_the_limit_is_needed():
    losses = [2.0] * WINDOW + [5.0] * WINDOW
    assert first_told(Divergence(2.0), losses) == 2 * WINDOW - 1
    assert first_told(Divergence(2.0), losses[:-1]) is None
    assert first_told(Divergence(2.5), losses) is None


def test_one_spike_is_no_divergence():
    assert first_told(Divergence(2.0), [2.0] * 80 + [60.0] + [2.0] * 80) is None


def test_small_losses_may_double():
    """Below 1 a loss of twice its start says nothing."""
    assert first_told(Divergence(2.0), [0.1] * WINDOW + [1.9] * WINDOW) is None
    assert first_told(Divergence(2.0), [0.1] * WINDOW + [2.1] * WINDOW) is not None


def test_nothing_is_said_when_not_asked():
    assert first_told(Divergence(0.0), [1.0] * WINDOW + [1e9] * WINDOW) is None


@given(
    losses=st.lists(st.floats(0, 20), min_size=2 * WINDOW, max_size=3 * WINDOW),
    stop=st.integers(0, WINDOW),
)
def test_a_run_stopped_in_its_first_window_is_judged_by_the_same_start(losses, stop):
    whole, before = Divergence(2.0), Divergence(2.0)
    for loss in losses[:stop]:
        before.told(loss)
    after = Divergence(2.0, before.first)
    found = first_told(after, losses[stop:])
    assert first_told(whole, losses) == (None if found is None else found + stop)
