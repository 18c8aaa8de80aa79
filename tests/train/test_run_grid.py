"""Every method on every task, on two processes under `accelerate launch`, a few updates each."""

from __future__ import annotations

import itertools
import json
import math
import os
import signal
from pathlib import Path

import pytest

from tests.train.launching import adapter, finish, launch, log, result, start, wait_for_updates
from tests.train.toy_set import same
from train.methods import METHODS
from train.recipes.records import TASKS

pytestmark = pytest.mark.slow

LIMIT_S = 600  # for all runs of the grid together
SCRIPT = str(Path(__file__).with_name("grid_script.py"))
TUNED = tuple(task for task in TASKS if task != "pretrain")
KINDS = ("both", "spatial", "temporal", "none")
# Every method with every kind of consistency, each pair on one of the tasks.
GRID = [
    (task, method, KINDS[(TUNED.index(task) + METHODS.index(method)) % len(KINDS)])
    for task, method in itertools.product(TUNED, METHODS)
]
UPDATES = {"few-shot": 6, "base-novel": 2, "zero-shot": 4, "full-supervised": 8}
VIDEOS = {
    "few-shot": {"test": 48},
    "base-novel": {"base": 24, "novel": 24},
    "zero-shot": {"novel": 24},
    "full-supervised": {"test": 48},
}
ADDED = tuple(method for method in METHODS if method not in ("full", "zero-shot"))
KILLED = ("few-shot", "lora", "--dropout", "0.2")


def words(world, task: str, method: str, *more: str) -> list[str]:
    places = ["--shards", str(world.shards), "--models", str(world.models)]
    found = [task, "--dataset", "toy", "--method", method, *places, "--batch", "16"]
    found += ["--shots", "2"] if task in ("few-shot", "base-novel") else []
    return [*found, *(["--epochs", "2"] if method != "zero-shot" else []), *more]


@pytest.fixture(scope="module")
def grid(world, tmp_path_factory) -> Path:
    """Folder of the runs, named `task-method`, and of one more that a killed run is held to."""
    base = tmp_path_factory.mktemp("grid")
    lines = [
        words(world, task, method, "--out", str(base / f"{task}-{method}"), "--consistency", kind)
        for task, method, kind in GRID
    ]
    lines.append(words(world, *KILLED, "--out", str(base / "undisturbed")))
    for method in ADDED:
        written = base / f"few-shot-{method}" / "adapter-last.safetensors"
        again = words(world, "few-shot", method, "--adapter", str(written))
        lines.append([*again, "--epochs", "0", "--out", str(base / f"again-{method}")])
    listed = base / "lines.json"
    listed.write_text(json.dumps(lines))
    code, _, errors = finish(start([str(listed)], ranks=2, script=SCRIPT), LIMIT_S)
    assert code == 0, errors
    return base


@pytest.mark.parametrize(("task", "method", "kind"), GRID)
def test_a_run_trains_and_tests(grid, task, method, kind):
    out = grid / f"{task}-{method}"
    found, lines = result(out), log(out)
    assert found["machine"]["processes"] == 2 and found["method"] == method
    tests = {test["target"]: test for test in found["selections"][0]["tests"]}
    assert {name: test["of"] for name, test in tests.items()} == VIDEOS[task]
    assert all(test["evaluated"] == test["of"] for test in tests.values())
    trained = found["training"]["trainable_parameters"]
    if method == "zero-shot":
        assert (lines, trained, list(out.glob("*.safetensors"))) == ([], 0, [])
        return
    assert len(lines) == found["training"]["updates"] == UPDATES[task]
    assert all(math.isfinite(line["loss"]) for line in lines)
    assert ("cc" in lines[0]) == (kind != "none")
    assert sum(tensor.numel() for tensor in adapter(out).values()) == trained > 0


def test_every_method_meets_every_kind_of_consistency():
    assert {(method, kind) for _, method, kind in GRID} == set(itertools.product(METHODS, KINDS))


@pytest.mark.parametrize("method", ADDED)
def test_the_written_adapter_is_the_tested_one(grid, method):
    mine, theirs = (
        result(grid / name)["selections"][0]["tests"][0]
        for name in (f"again-{method}", f"few-shot-{method}")
    )
    assert mine["per_class"] == theirs["per_class"] and mine["top5"] == theirs["top5"]


def test_a_killed_run_goes_on_to_the_same_bits(world, grid, tmp_path):
    out = tmp_path / "killed"
    line = words(world, *KILLED, "--out", str(out), "--save-steps", "1")
    process = start(line, ranks=2)
    wait_for_updates(out, 3, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert list((out / "state").glob("step-*")) and not (out / "result.json").exists()
    code, _, errors = launch([*line, "--resume"], ranks=2)
    assert code == 0, errors
    assert same(adapter(out), adapter(grid / "undisturbed"))
    whole = [line["loss"] for line in log(grid / "undisturbed")]
    assert [line["loss"] for line in log(out)] == whole
