"""Learning rates against the followed trainer and the authors' logs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.schedule import lr_at, rate_at


def test_rates_of_the_followed_trainer(oracles: Path) -> None:
    for case in json.loads((oracles / "lr_schedule.json").read_text())["cases"]:
        wanted = case["lr_used_by_each_optimizer_step"]
        found = [used_at(case, update) for update in range(len(wanted))]
        assert found == pytest.approx(wanted, rel=1e-9)


def used_at(case: dict[str, Any], update: int) -> float:
    """Rate of an update of the followed trainer.

    Where it accumulates, the loader's steps count, not the updates: its scheduler is advanced at
    updates alone, with the step of the last batch in them, and batches left over at the end of an
    epoch go into the next one's first update. Our steps are updates however many parts they have.
    """
    steps, parts = case["loader_steps_per_epoch"], case["accumulation"]
    schedule = (case["lr"], case["epochs"], case["warmup_epochs"], steps)
    if parts == 1:
        return lr_at(update, *schedule)
    if update == 0:
        return rate_at(0, *schedule)
    epoch, done = divmod(update - 1, steps // parts)
    return rate_at(epoch * steps + (done + 1) * parts - 1, *schedule)


def test_rates_the_authors_logged(author_logs: Path) -> None:
    """Logged after the scheduler's step, to nine decimals; steps per epoch do not matter."""
    checked = 0
    for name, run in json.loads(author_logs.read_text()).items():
        for epoch, logged in run["lr_first_iteration_of_epoch"].items():
            for steps in (1, 26):
                found = rate_at(
                    int(epoch) * steps, run["lr"], run["epochs"], run["warmup_epochs"], steps
                )
                assert f"{found:.9f}" == f"{logged:.9f}", (name, epoch)
            checked += 1
    assert checked > 0


@given(
    lr=st.floats(1e-6, 1.0),
    epochs=st.integers(1, 60),
    warmup=st.integers(0, 10),
    steps=st.integers(1, 40),
    share=st.floats(0, 1),
)
def test_between_nothing_and_the_peak(
    lr: float, epochs: int, warmup: int, steps: int, share: float
) -> None:
    update = round(share * (epochs * steps - 1))
    rate = lr_at(update, lr, epochs, warmup, steps)
    assert 0 <= rate <= lr * (1 + 1e-12)
    if update > warmup * steps:
        assert rate >= lr / 100 * (1 - 1e-12)
    if warmup and update < 2:
        assert rate == 0
    if not warmup and update < 2:
        assert rate == pytest.approx(lr)


@given(steps=st.integers(1, 30))
def test_rises_then_falls(steps: int) -> None:
    rates = [lr_at(u, 1e-3, 12, 5, steps) for u in range(12 * steps)]
    top = max(range(12 * steps), key=rates.__getitem__)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top + 1 :] == sorted(rates[top + 1 :], reverse=True)
