"""Signals: noted while an update runs, obeyed at once else."""

from __future__ import annotations

import signal
from signal import SIGINT, SIGTERM

import pytest

from train.stopping import StoppedError, StopSignals


@pytest.fixture(autouse=True)
def handlers():
    """Other handlers than a run's, there before and after."""

    def other(*_: object) -> None:
        raise AssertionError("the run's own handlers were to be in place")

    before = {number: signal.signal(number, other) for number in (SIGINT, SIGTERM)}
    yield
    found = {number: signal.signal(number, handler) for number, handler in before.items()}
    assert set(found.values()) == {other}


@pytest.mark.parametrize("number", [SIGINT, SIGTERM])
def test_a_signal_is_noted_while_deferred(number):
    with StopSignals() as signals:
        with signals.deferred():
            assert not signals.requested
            signal.raise_signal(number)
            assert signals.requested == signal.Signals(number).name
        assert signals.requested  # the loop acts on it


@pytest.mark.parametrize("number", [SIGINT, SIGTERM])
def test_a_second_one_of_the_kind_ends_at_once(number):
    with StopSignals() as signals, signals.deferred():
        signal.raise_signal(number)
        with pytest.raises(StoppedError, match="--resume"):
            signal.raise_signal(number)


def test_one_of_another_kind_is_noted_too():
    with StopSignals() as signals, signals.deferred():
        signal.raise_signal(SIGINT)
        signal.raise_signal(SIGTERM)
        assert signals.requested == "SIGTERM"


def test_outside_an_update_a_signal_ends_at_once():
    with StopSignals() as signals:
        with signals.deferred():
            pass
        with pytest.raises(StoppedError, match="stopped by SIGTERM"):
            signal.raise_signal(SIGTERM)
        with pytest.raises(StoppedError, match="stopped by SIGINT"):
            signal.raise_signal(SIGINT)


def test_an_error_ends_the_deferral():
    with StopSignals() as signals:
        with pytest.raises(ZeroDivisionError), signals.deferred():
            _ = 1 / 0
        with pytest.raises(StoppedError):
            signal.raise_signal(SIGTERM)
