"""Cost ratios: what is compared, how, and the whole command on small towers."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from prep.commands.bench_training import CostReport
from prep.processes import ask
from train.bench.child import peak_bytes
from train.bench.compare import PAPER, ratio, take_turns, training
from train.bench.pipelines import Load, Pipeline, Step, build_step

SMALL = Load(backbone="nano", batch=2, benchmark="toy")
ADAPTED = Pipeline("adapted", "train", "msta", 32, (2, 3))


def test_the_paper_s_two_settings() -> None:
    assert PAPER == {"128/8-12": (128, (8, 12)), "256/1-12": (256, (1, 12))}


def test_ratios_are_of_one_round_each() -> None:
    """A slow round counts once for both sides."""
    clock = {"a": [1.0, 10.0, 1.2], "b": [2.0, 20.0, 2.0]}
    times = {name: [{"seconds": s, "cpu": 3.0} for s in took] for name, took in clock.items()}
    assert ratio(times, "a", "b") == 0.5
    assert ratio(times, "a", "b", "cpu") == 1.0


class Counted:
    """Stands for a process: counts its turns."""

    def __init__(self, name: str, order: list[str]) -> None:
        self.name, self._order = name, order

    def ask(self, order: str) -> dict[str, float]:
        assert order == "steps 4"
        self._order.append(self.name)
        return {"seconds": float(len(self._order)), "cpu": 1.0}


def test_turns_are_taken_in_another_order_each_round() -> None:
    order: list[str] = []
    found = [Counted(name, order) for name in "abc"]
    seconds = take_turns(found, rounds=3, steps=4)  # type: ignore[arg-type]
    assert order == [*"abc", *"bca", *"cab"]
    assert {name: len(times) for name, times in seconds.items()} == {"a": 3, "b": 3, "c": 3}


def test_peak_memory_counts_what_is_known() -> None:
    """A layer whose every byte can be told: weights, optimiser, input, output, gradients."""
    module = torch.nn.Linear(512, 256, bias=False)
    optimizer = torch.optim.AdamW(module.parameters(), foreach=False)
    x = torch.randn(1024, 512)

    def run() -> None:
        module(x).sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    run()
    weight, output = 4 * 512 * 256, 4 * 1024 * 256
    lasting = 3 * weight  # and its two moments
    found = peak_bytes(Step(run, module, optimizer), "cpu")
    # On the way back the weight's gradient is there, and the output may be.
    assert lasting + weight <= found <= lasting + weight + output + 4 * weight


def test_steps_train_what_they_say_and_infer_the_same_either_way() -> None:
    for method in ("full", "msta"):
        step = build_step(replace(ADAPTED, method=method), SMALL)  # type: ignore[arg-type]
        before = [p.clone() for p in step.module.parameters()]
        step.run()
        step.run()
        changed = sum(
            not torch.equal(a, b) for a, b in zip(before, step.module.parameters(), strict=True)
        )
        assert changed > 0 and step.optimizer is not None
        trained = sum(p.requires_grad for p in step.module.parameters())
        assert changed <= trained
    inferred = replace(ADAPTED, work="infer")
    whole = build_step(replace(inferred, published=True), SMALL).run()
    torch.testing.assert_close(build_step(inferred, SMALL).run(), whole, atol=1e-4, rtol=1e-3)


def test_text_steps_have_the_same_gradients_at_any_length() -> None:
    gradients = []
    for published, context in ((False, 77), (True, 32), (True, 77)):
        words = Pipeline("t", "text", "msta", 32, (2, 3), published, context)
        step = build_step(words, SMALL)
        kept: dict[str, torch.Tensor] = {}
        step.module.zero_grad = lambda kept=kept, step=step: kept.update(  # type: ignore[method-assign,misc]
            {k: p.grad.clone() for k, p in step.module.named_parameters() if p.grad is not None}
        )
        step.run()
        gradients.append(kept)
    assert gradients[0]
    for other in gradients[1:]:
        assert other.keys() == gradients[0].keys()
        for name, value in gradients[0].items():
            torch.testing.assert_close(other[name], value, atol=1e-3, rtol=1e-3, msg=name)


def test_one_part_of_the_measurement() -> None:
    adapters = {"32/2-3": (32, (2, 3))}
    found = training(SMALL, 1, adapters)
    assert found.keys() >= {"train_step_ratio", "memory_ratio", "process_ratio"}
    for key in ("train_step_ratio", "memory_ratio", "process_ratio"):
        assert found[key].keys() == adapters.keys() and found[key]["32/2-3"] > 0
    assert found["memory_ratio"]["32/2-3"] < 1
    assert found["memory_bytes"]["full"] < found["process_bytes"]["full"]


@pytest.mark.slow
def test_the_whole_measurement() -> None:
    """As `prep bench --train` starts it, on the smallest towers."""
    words = {"rounds": 1, "adapters": {"32/2-3": [32, [2, 3]]}, "backbone": "nano"}
    found = ask("train.bench", {**words, "benchmark": "toy"}, heard=True)
    for key in ("train_step_ratio", "inference_ratio", "text_ratio", "memory_ratio"):
        assert found[key].keys() == {"32/2-3"}
        if key != "memory_ratio":
            assert found["cpu_ratios"][key].keys() == {"32/2-3"}
    assert found["load"]["classes"] == 24 and found["load"]["frames"] == 8
    text = CostReport(found).text()
    assert "24 classes" in text and text.count("\n") == 16


def test_a_pipeline_that_cannot_run_is_one_line() -> None:
    words = {"rounds": 0, "backbone": "nano", "benchmark": "toy"}
    done = subprocess.run(
        [sys.executable, "-m", "train.bench", json.dumps(words)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "--rounds 0: at least 1" in json.loads(done.stdout)["error"]
