"""A run that was stopped at any moment ends with the weights of one that never was."""

from __future__ import annotations

import json
import os
import signal

import pytest

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
