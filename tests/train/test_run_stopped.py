"""A run that was stopped at any moment ends with the weights of one that never was."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest
import torch

from tests.train.launching import adapter, finish, launch, log, start, wait_for_updates
from tests.train.toy_set import same

WORDS = ("few-shot", "--dataset", "toy", "--shots", "2", "--epochs", "6", "--batch", "16")


@pytest.fixture(scope="module")
def words(world):
    return [*WORDS, "--shards", str(world.shards), "--models", str(world.models)]


@pytest.fixture(scope="module")
def undisturbed(words, tmp_path_factory):
    """Adapter and losses of a run that nothing disturbed: 18 updates."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    code, _, errors = launch([*words, "--out", str(out)])
    assert code == 0, errors
    return adapter(out), [line["loss"] for line in log(out)]


def test_training_lowers_the_loss(undisturbed):
    _, losses = undisturbed
    assert sum(losses[-5:]) < sum(losses[:5])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_leaves_and_goes_on_to_the_same_bits(words, undisturbed, tmp_path, number):
    out = tmp_path / "stopped"
    process = start([*words, "--out", str(out)])
    wait_for_updates(out, 7, process)
    process.send_signal(number)
    code, _, errors = finish(process)
    assert code == 130 and "--resume" in errors and "Traceback" not in errors
    code, _, errors = launch([*words, "--out", str(out), "--resume"])
    assert code == 0, errors
    weights, losses = undisturbed
    assert same(adapter(out), weights)
    assert [line["loss"] for line in log(out)] == losses


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("seconds", [1.0, 2.0])
def test_a_signal_before_the_first_update_is_one_line(words, tmp_path, number, seconds):
    views = ["--views", "60x3", "--epochs", "0"]  # tested only, for seconds on end
    process = start([*words, *views, "--out", str(tmp_path / "early")])
    time.sleep(seconds)
    process.send_signal(number)
    code, _, errors = finish(process)
    assert code == 130 and f"stopped by {number.name}" in errors
    assert len(errors.splitlines()) == 1


def test_a_run_in_half_precision_goes_on_to_the_same_losses(words, tmp_path):
    found = {}
    for name, stopped in (("whole", False), ("stopped", True)):
        out = tmp_path / name
        line = [*words, "--precision", "bf16", "--out", str(out)]
        if stopped:
            process = start(line)
            wait_for_updates(out, 7, process)
            process.send_signal(signal.SIGTERM)
            assert finish(process)[0] == 130
        code, _, errors = launch([*line, *(["--resume"] if stopped else [])])
        assert code == 0, errors
        found[name] = [entry["loss"] for entry in log(out)], adapter(out)
    assert found["stopped"][0] == pytest.approx(found["whole"][0], rel=2e-2)
    for name, weights in found["whole"][1].items():
        torch.testing.assert_close(found["stopped"][1][name], weights, atol=2e-3, rtol=2e-2)


@pytest.mark.parametrize("updates", [2, 5, 11])
def test_a_killed_run_goes_on_to_the_same_bits(words, undisturbed, tmp_path, updates):
    out = tmp_path / "killed"
    process = start([*words, "--out", str(out), "--save-steps", "2"])
    wait_for_updates(out, updates, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    code, _, errors = launch([*words, "--out", str(out), "--resume"])
    assert code == 0, errors
    weights, losses = undisturbed
    assert same(adapter(out), weights)
    assert [line["loss"] for line in log(out)] == losses


def test_a_state_of_other_words_is_refused(words, tmp_path):
    out = tmp_path / "other"
    process = start([*words, "--out", str(out)])
    wait_for_updates(out, 4, process)
    process.send_signal(signal.SIGTERM)
    finish(process)
    code, _, errors = launch([*words, "--out", str(out), "--resume", "--seed", "9"])
    assert code == 1 and "seed 1 -> 9" in errors
    [state] = (out / "state").glob("step-*/progress.json")
    progress = json.loads(state.read_text())
    state.write_text(json.dumps({**progress, "plan": progress["plan"] + 1}))
    code, _, errors = launch([*words, "--out", str(out), "--resume"])
    assert code == 1 and "another plan version" in errors and len(errors.splitlines()) == 1
