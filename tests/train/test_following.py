"""Figures one update later: logged in order, refused when no numbers, heard when to stop."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator
from tqdm import tqdm

from manifests.errors import UserError
from train.checkpoint import Progress
from train.diverging import WINDOW, Divergence
from train.following import Follower
from train.stopping import StopSignals
from train.tracking import JSONLines, Pace

pytestmark = pytest.mark.usefixtures("one_process")

BEGIN = Progress(0, 0, 0, {}, "", "", 0, "", 0.0, [])


class Followed:
    """A follower, and what it logs and shows."""

    def __init__(self, folder) -> None:
        self.path = folder / "log.jsonl"
        accelerator = Accelerator(cpu=True, log_with=[JSONLines(self.path)])
        accelerator.init_trackers("run")
        self.signals = StopSignals()
        self.pace = Pace()
        self.line = tqdm(disable=True)
        divergence = Divergence(factor=2.0)
        self.follower = Follower(accelerator, self.signals, self.pace, self.line, divergence)

    def follow(self, update: int, **figures: float) -> bool:
        progress = replace(BEGIN, epoch=update // 10, step=update % 10, update=update)
        found = {name: torch.tensor(value) for name, value in figures.items()}
        rows = torch.tensor([5, 7]) + update
        return self.follower.follow(progress, found, rows, update / 100, 0.0)

    @property
    def log(self) -> list[dict[str, float]]:
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text().splitlines()]


@pytest.fixture
def followed(tmp_path):
    return Followed(tmp_path)


def test_figures_are_logged_one_update_later_each_once(followed):
    for update in range(9, 12):
        assert not followed.follow(update, loss=update / 2, ce=0.25)
        assert len(followed.log) == update - 9
    assert not followed.follower.finish()
    assert not followed.follower.finish()
    found = [
        {key: line[key] for key in ("update", "epoch", "step", "loss", "ce", "lr")}
        for line in followed.log
    ]
    assert found == [
        {"update": u, "epoch": u // 10, "step": u % 10, "loss": u / 2, "ce": 0.25, "lr": u / 100}
        for u in range(9, 12)
    ]
    assert {"clips_per_second", "data_wait"} <= followed.log[0].keys()
    assert followed.pace.clips == 6


def test_a_wish_to_stop_is_heard_one_update_later(followed):
    assert not followed.follow(0, loss=1.0)
    followed.signals.requested = "SIGTERM"
    assert not followed.follow(1, loss=1.0)
    assert followed.follow(2, loss=1.0)
    assert followed.follower.finish()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("late", [True, False])
def test_no_number_is_refused_with_update_and_rows(followed, value, late):
    followed.follow(11, loss=1.0)
    followed.follow(12, loss=1.0, cc=value)
    with pytest.raises(UserError, match="at update 12 ") as told:
        followed.follow(13, loss=1.0) if late else followed.follower.finish()
    text = str(told.value)
    assert "epoch 1, step 2" in text and "is no number" in text and "\n" not in text
    assert "rows of the batch [17, 19]" in text
    assert f"cc {value}" in text
    assert [line["update"] for line in followed.log] == [11]


def test_the_progress_line_has_all_figures(followed):
    shown = io.StringIO()
    followed.follower.line = tqdm(total=3, file=shown, unit="update", ncols=200)
    followed.follow(0, loss=1.5, ce=1.25, cc=0.25)
    followed.follower.finish()
    followed.follower.line.refresh()
    line = shown.getvalue().split("\r")[-1]
    for figure in ("loss=1.5000", "ce=1.2500", "cc=0.2500", "lr=0.00e+00", "clips/s=", "wait=0%"):
        assert figure in line
    assert "1/3" in line


def test_a_loss_that_runs_away_is_refused_with_update_and_rows(followed):
    last = 2 * WINDOW - 1
    for update in range(last + 1):
        followed.follow(update, loss=1.5 if update < WINDOW else 3.1)
    with pytest.raises(UserError) as told:
        followed.follower.finish()
    text = str(told.value)
    assert f"at update {last} (epoch 9, step 9) the loss diverges: 3.100" in text
    assert f"rows of the batch [{last + 5}, {last + 7}]" in text and "\n" not in text
    assert "--diverging 0" in text and followed.log[-1]["update"] == last


def test_figures_of_half_precision_are_followed(followed):
    progress = BEGIN
    figures = {"loss": torch.tensor([1.5], dtype=torch.bfloat16)}
    followed.follower.follow(progress, figures, torch.tensor([1]), 0.0, 0.0)
    followed.follower.finish()
    assert followed.log[0]["loss"] == 1.5
