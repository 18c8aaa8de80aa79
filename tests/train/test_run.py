"""Whole runs: what they write, what they refuse, and that a written adapter is what was tested."""

from __future__ import annotations

import pytest

from manifests.classes import load_classes
from manifests.descriptions import find_descriptions
from tests.train.launching import adapter, launch, log, result
from train.checkpoint import digest

SHORT = ("few-shot", "--dataset", "toy", "--shots", "2", "--epochs", "3", "--batch", "24")


def places(world) -> list[str]:
    return ["--shards", str(world.shards), "--models", str(world.models)]


@pytest.fixture(scope="module")
def done(world, tmp_path_factory):
    """A finished short run and its folder."""
    out = tmp_path_factory.mktemp("runs") / "msta"
    words = [*SHORT, *places(world), "--eval-every", "1", "--validation", "1", "--out", str(out)]
    code, text, errors = launch(words)
    assert code == 0, errors
    return out, text


def test_a_run_writes_its_figures_and_what_they_rest_on(done, world):
    out, text = done
    found = result(out)
    last = found["selections"][0]
    assert "evaluated 48 of 48" in text
    assert [item["rule"] for item in found["selections"]] == [
        "last",
        "best-on-test",
        "best-on-validation",
    ]
    assert last["epoch"] == 3 and found["training"]["updates"] == len(log(out)) == 6
    test = last["tests"][0]
    assert (test["evaluated"], test["of"], test["classes"], test["displacement"]) == (48, 48, 24, 0)
    assert 100 * sum(row["correct"] for row in test["per_class"]) / 48 == pytest.approx(
        test["top1"]
    )
    own = [find_descriptions("toy", world.shards, kind, 2) for kind in ("spatial", "temporal")]
    names = load_classes("toy").names
    assert found["training"]["descriptions"] == {one.kind: one.digest(names) for one in own if one}
    assert found["recipe"]["optim"]["epochs"] == 3 and found["versions"]["torch"]
    best = max(
        (item for item in found["selections"] if item["rule"] == "best-on-test"),
        key=lambda item: item["epoch"],
    )
    assert best["tests"][0]["top1"] >= test["top1"]


def test_every_selection_has_its_confusion_pictures(done):
    out, _ = done
    names = {path.name for path in out.glob("confusion-*.svg")}
    rules = ("last", "best-on-test", "best-on-validation")
    assert names == {f"confusion-{r}-{t}.svg" for r in rules for t in ("test", "validation")}
    for selection in result(out)["selections"]:
        drawn = (out / f"confusion-{selection['rule']}-test.svg").read_text()
        test = selection["tests"][0]
        assert f"top-1 {test['top1']:.2f}" in drawn
        for row in test["per_class"]:
            assert f">{row['name']}  {row['correct']}/{row['videos']}<" in drawn


def test_both_parts_of_the_loss_are_logged(done):
    lines = log(done[0])
    assert lines[0]["lr"] == 0.0
    assert all(line["loss"] == pytest.approx(line["ce"] + line["cc"], rel=1e-5) for line in lines)
    assert all(line["ce"] > 0 and 0 <= line["cc"] <= 4 for line in lines)


def test_the_written_adapter_is_the_tested_one(done, world, tmp_path):
    out, _ = done
    words = [*SHORT[:5], "--batch", "24", *places(world), "--epochs", "0"]
    words += ["--adapter", str(out / "adapter-last.safetensors"), "--out", str(tmp_path / "again")]
    code, _, errors = launch(words)
    assert code == 0, errors
    started = result(tmp_path / "again")["training"]["started_from"]
    assert started == digest(adapter(out)) and not result(out)["training"]["started_from"]
    mine = result(tmp_path / "again")["selections"][0]["tests"][0]
    theirs = result(out)["selections"][0]["tests"][0]
    assert mine["per_class"] == theirs["per_class"] and mine["top5"] == theirs["top5"]


def test_a_folder_that_holds_a_run_is_refused_and_a_finished_run_is_told_again(done, world):
    out, text = done
    words = [*SHORT, *places(world), "--eval-every", "1", "--validation", "1", "--out", str(out)]
    code, _, errors = launch(words)
    assert code == 1 and "--resume" in errors and len(errors.splitlines()) == 1
    before = adapter(out)
    code, again, _ = launch([*words, "--resume"])
    assert code == 0 and again == text
    assert all((adapter(out)[name] == tensor).all() for name, tensor in before.items())
    code, _, errors = launch([*words, "--resume", "--lr", "0.5"])
    assert code == 1 and "optim.lr" in errors


def test_tensorboard_has_the_figures_of_the_log(world, tmp_path):
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    out = tmp_path / "followed"
    words = [*SHORT[:5], "--batch", "24", "--epochs", "1", *places(world), "--tensorboard"]
    code, _, errors = launch([*words, "--out", str(out)])
    assert code == 0, errors
    events = accumulators.EventAccumulator(str(out / "run")).Reload()
    for name in ("loss", "ce", "cc", "lr", "clips_per_second", "data_wait"):
        seen = [(event.step, event.value) for event in events.Scalars(name)]
        assert seen == [(line["update"], pytest.approx(line[name])) for line in log(out)]
    assert len(log(out)) == 2


def test_zero_shot_trains_nothing(world, tmp_path):
    words = ["few-shot", "--dataset", "toy", "--method", "zero-shot", *places(world)]
    words += ["--throughput", "--shots", "2", "--out", str(tmp_path / "zero")]
    code, text, errors = launch(words)
    assert code == 0, errors
    assert "evaluated 48 of 48" in text
    measured = result(tmp_path / "zero")["throughput"]
    assert measured["batch"] >= 1 and measured["videos_per_second"] > 0
    assert result(tmp_path / "zero")["selections"][0]["adapter"] is None


def test_descriptions_are_asked_for_by_name_and_can_be_done_without(world, tmp_path):
    words = ["full-supervised", "--dataset", "custom", "--shards", str(world.captions)]
    words += ["--models", str(world.models), "--backbone", "nano", "--size", "48"]
    words += ["--short-side", "48", "--batch", "32", "--epochs", "1", "--views", "1x1"]
    words += ["--blocks", "1", "3", "--mid", "32", "--out", str(tmp_path / "own")]
    code, _, errors = launch(words)
    assert code == 1 and len(errors.splitlines()) == 1
    assert "spatial" in errors and "--consistency none" in errors
    assert not (tmp_path / "own").exists()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["few-shoot"], 2, "few-shot"),
        (["few-shot", "--shotz", "2"], 2, "--shots"),
        (["few-shot", "--shots", "many"], 2, "many"),
        (["few-shot", "--dataset", "nothing"], 2, "kinetics400"),
        (["few-shot", "--method", "mstb"], 2, "msta"),
        (["few-shot", "--shards", "/nowhere"], 1, "prep shard --dataset toy"),
        (["few-shot", "--models", "/nowhere"], 1, "prep demo"),
        (["few-shot", "--subset", "absent"], 1, "prep subset"),
        (["few-shot", "--shots", "99"], 1, "99"),
        (["few-shot", "--adapter", "absent.safetensors"], 1, "absent.safetensors"),
        (["few-shot", "--batch", "1000"], 1, "1000"),
        (["few-shot", "--size", "40"], 1, "48"),
        (["few-shot", "--blocks", "2", "9"], 1, "9"),
    ],
)
def test_a_wrong_word_is_told_in_one_line_and_leaves_nothing(world, tmp_path, words, code, told):
    extra = [] if words[0] == "few-shoot" else places(world)
    if words[0] == "few-shot" and "--shots" not in words:
        extra += ["--shots", "2"]
    out = tmp_path / "out"
    found, _, errors = launch([words[0], *extra, "--out", str(out), *words[1:]])
    assert found == code, errors
    assert told in errors and "Traceback" not in errors
    assert code == 2 or len(errors.splitlines()) == 1
    assert not out.exists()


def test_a_loss_that_is_no_number_stops_with_step_and_rows(world, tmp_path):
    words = [*SHORT, *places(world), "--lr", "1e30", "--warmup-epochs", "0"]
    code, _, errors = launch([*words, "--out", str(tmp_path / "nan")])
    assert code == 1 and "is no number" in errors and "rows of the batch [" in errors
    assert "Traceback" not in errors
