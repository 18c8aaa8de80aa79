"""Result files, their figures, and the choice of the weights they are of."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.errors import UserError
from train.checkpoint import Progress
from train.metrics import ClassScore
from train.results import (
    Evaluation,
    Result,
    Selection,
    Training,
    evaluation,
    load_result,
    save_result,
    summarise,
    versions,
)
from train.selection import best_epoch, newly_best, rules, selections

TEST = Evaluation(
    target="test",
    benchmark="ucf101",
    dataset="d",
    subset="s",
    classes=2,
    epoch=3,
    clips=4,
    crops=3,
    top1=62.5,
    top5=None,
    evaluated=8,
    of=8,
    displacement=1,
    seconds=0.5,
    per_class=(ClassScore("a", 8, 5, 62.5, "b"), ClassScore("b", 0, 0, None, "")),
)
RESULT = Result(
    task="few-shot",
    benchmark="ucf101",
    method="msta",
    seed=1,
    recipe={"seed": 1},
    dataset={"identity": "d", "fingerprint": "f", "classes": "c"},
    backbone="b",
    training=Training("train", "t", 4, 2, 6, 1.5, None, 0.25, 10, 100),
    selections=(Selection("last", 3, "adapter-last.safetensors", (TEST,), {"top1": 62.5}),),
    versions={"torch": "2"},
    machine={"device": "cpu"},
)


def test_a_result_is_read_back_equal(tmp_path):
    path = tmp_path / "result.json"
    save_result(path, RESULT)
    assert load_result(path) == RESULT
    assert json.loads(path.read_text())["format"] == 1
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "3", "{}", '{"format": 2}', '{"format": 1}']
)
def test_what_is_no_result_is_told(tmp_path, text):
    path = tmp_path / "result.json"
    path.write_text(text)
    with pytest.raises(UserError, match="is no result of this version") as told:
        load_result(path)
    assert str(path) in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize("field", ["selections", "training", "task"])
@pytest.mark.parametrize("value", [None, 3, [4], {"a": 1}])
def test_a_damaged_part_is_told(tmp_path, field, value):
    record = {"format": 1, **asdict(RESULT), field: value}
    if field == "task":
        del record["task"]
    path = tmp_path / "result.json"
    path.write_text(json.dumps(record))
    with pytest.raises(UserError, match="is no result of this version"):
        load_result(path)


def test_a_result_of_another_version_is_told(tmp_path):
    path = tmp_path / "result.json"
    path.write_text(json.dumps({"format": 2, **asdict(RESULT)}))
    with pytest.raises(UserError, match="another format"):
        load_result(path)


def test_an_absent_result_is_told(tmp_path):
    with pytest.raises(UserError, match="FileNotFoundError"):
        load_result(tmp_path / "result.json")


def test_the_line_of_a_test():
    assert TEST.line == "test: top-1 62.50 · 2 classes · 4x3 views · evaluated 8 of 8"
    assert ", top-5 90.00 ·" in replace(TEST, top5=90.0).line


def test_a_plain_summary_is_top_1_and_top_5():
    assert summarise("few-shot", [TEST]) == {"top1": 62.5}
    assert summarise("few-shot", [replace(TEST, top5=90.0)]) == {"top1": 62.5, "top5": 90.0}
    validation = replace(TEST, target="validation", top1=1.0)
    assert summarise("few-shot", [validation, TEST]) == {"top1": 62.5}


def test_base_and_novel_have_their_harmonic_mean():
    base, novel = (
        replace(TEST, target="base", top1=68.55),
        replace(TEST, target="novel", top1=53.45),
    )
    found = summarise("base-novel", [base, novel, replace(TEST, target="validation")])
    assert (found["base"], found["novel"], round(found["hm"], 2)) == (68.55, 53.45, 60.07)
    assert list(found) == ["base", "novel", "hm"]


def test_zero_shot_is_the_mean_of_each_benchmarks_splits():
    tests = [
        replace(TEST, target=f"{name} split {i}", benchmark=name, top1=top1)
        for name, values in (("hmdb51", (50.0, 52.0, 57.0)), ("toy", (20.0,)))
        for i, top1 in enumerate(values)
    ]
    found = summarise("zero-shot", tests)
    assert found == {
        "hmdb51": 53.0,
        "hmdb51_std": pytest.approx((26 / 3) ** 0.5),
        "hmdb51_splits": 3,
        "toy": 20.0,
        "toy_std": 0.0,
        "toy_splits": 1,
    }


def test_versions_are_those_installed():
    import torch

    found = versions()
    assert found["torch"] == torch.__version__.split("+")[0] or found["torch"] == torch.__version__
    assert found["python"].startswith("3.")


# the choice of weights


def history(*figures: tuple[int, str, float]) -> list[dict[str, object]]:
    return [
        json.loads(json.dumps(asdict(replace(TEST, epoch=epoch, target=target, top1=top1))))
        for epoch, target, top1 in figures
    ]


def progress(found: list[dict[str, object]], epoch: int, update: int = 60) -> Progress:
    return Progress(epoch, 0, update, {}, "", "", 0, "", 0.0, found)


@given(st.lists(st.sampled_from([10.0, 20.0, 20.5]), min_size=1, max_size=9))
def test_of_equal_epochs_the_first_is_best(values):
    found = history(*((epoch, "test", top1) for epoch, top1 in enumerate(values, start=1)))
    assert best_epoch(found, "test") == 1 + values.index(max(values))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=8))
def test_the_file_last_written_for_a_rule_is_that_of_its_best_epoch(values):
    so_far: list[dict[str, object]] = []
    written = {}
    for epoch, (test, validation) in enumerate(values, start=1):
        so_far += history((epoch, "test", test), (epoch, "validation", validation))
        for rule in newly_best(so_far, epoch):
            written[rule] = epoch
    chosen = {
        item.rule: item.epoch for item in selections("few-shot", progress(so_far, epoch), "file")
    }
    assert chosen == {"last": len(values), **written}


def test_rules_look_at_the_first_target_and_at_validation():
    assert rules([]) == {}
    assert rules(history((1, "base", 1), (1, "novel", 2))) == {"best-on-test": "base"}
    assert rules(history((1, "test", 1), (1, "validation", 2))) == {
        "best-on-test": "test",
        "best-on-validation": "validation",
    }


def test_selections_carry_the_tests_of_their_epoch():
    found = history(
        *((5, "base", 60.0), (5, "novel", 40.0), (10, "base", 50.0), (10, "novel", 70.0))
    )
    last, best = selections("base-novel", progress(found, 10), "adapter-last.safetensors")
    assert (last.rule, last.epoch, last.adapter) == ("last", 10, "adapter-last.safetensors")
    assert (best.rule, best.epoch) == ("best-on-test", 5)
    assert best.adapter == "adapter-best-on-test.safetensors"
    assert [test.top1 for test in last.tests] == [50.0, 70.0]
    assert best.summary == {"base": 60.0, "novel": 40.0, "hm": 48.0}
    assert last.tests[0].per_class == TEST.per_class


def test_without_training_there_is_one_selection_and_no_file():
    (only,) = selections("few-shot", progress(history((0, "test", 5.0)), 0, update=0), None)
    assert (only.rule, only.epoch, only.adapter) == ("last", 0, None)


def test_a_run_without_tests_still_has_its_last_weights():
    (only,) = selections("pretrain", progress([], 30), "data/models/nano")
    assert (only.epoch, only.tests, only.summary) == (30, (), {})


def test_an_evaluation_from_its_plain_data():
    assert evaluation(json.loads(json.dumps(asdict(TEST)))) == TEST
