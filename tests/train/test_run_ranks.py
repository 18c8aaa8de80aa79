"""Two processes under `accelerate launch` do what one does with the same global batch."""

from __future__ import annotations

import signal

import pytest
import torch

from tests.train.launching import adapter, finish, launch, log, result, start, wait_for_updates
from tests.train.toy_set import same

WORDS = ("few-shot", "--dataset", "toy", "--shots", "2", "--epochs", "4", "--batch", "16")


@pytest.fixture(scope="module")
def words(world):
    return [*WORDS, "--shards", str(world.shards), "--models", str(world.models)]


@pytest.fixture(scope="module")
def runs(words, tmp_path_factory):
    """Folders of the same run on one and on two ranks."""
    base = tmp_path_factory.mktemp("ranks")
    for ranks in (1, 2):
        # 48 videos in steps of 5 and of 2 x 5: padded on both.
        out = ["--out", str(base / str(ranks)), "--eval-batch", "5"]
        code, _, errors = launch([*words, *out], ranks=ranks)
        assert code == 0, errors
    return base / "1", base / "2"


def test_both_end_with_the_same_weights(runs):
    one, two = adapter(runs[0]), adapter(runs[1])
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, atol=2e-4, rtol=1e-3, msg=name)


def test_both_log_the_same_losses(runs):
    one, two = (
        torch.tensor([[line["ce"], line["cc"], line["lr"]] for line in log(out)]) for out in runs
    )
    torch.testing.assert_close(two, one, atol=1e-4, rtol=1e-4)


def test_both_evaluate_every_video_once_and_alike(runs):
    one, two = (result(out)["selections"][0]["tests"][0] for out in runs)
    assert result(runs[1])["machine"]["processes"] == 2
    assert one["evaluated"] == two["evaluated"] == two["of"] == 48
    assert one["per_class"] == two["per_class"]


def test_two_ranks_stop_together_and_resume_to_the_same_bits(words, runs, tmp_path):
    out = tmp_path / "stopped"
    process = start([*words, "--out", str(out), "--eval-batch", "5"], ranks=2)
    wait_for_updates(out, 5, process)
    process.send_signal(signal.SIGTERM)
    finish(process)
    assert list((out / "state").glob("step-*"))
    code, _, errors = launch([*words, "--out", str(out), "--eval-batch", "5", "--resume"], ranks=2)
    assert code == 0, errors
    assert same(adapter(out), adapter(runs[1]))


def test_pre_training_sees_the_whole_batch_on_each_rank(world, tmp_path):
    losses = []
    for ranks in (1, 2):
        words = ["pretrain", "--dataset", "custom", "--shards", str(world.captions)]
        words += ["--models", str(tmp_path / f"models{ranks}"), "--epochs", "2", "--batch", "32"]
        out = tmp_path / f"run{ranks}"
        code, _, errors = launch([*words, "--out", str(out)], ranks=ranks)
        assert code == 0, errors
        losses.append(torch.tensor([line["contrastive"] for line in log(out)]))
    assert len(losses[0]) == 6
    torch.testing.assert_close(losses[1], losses[0], atol=2e-4, rtol=1e-4)
