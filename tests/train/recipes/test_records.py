"""Plain records: grids of views, plain data, differences, numbers that make no sense."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.recipes import records
from train.recipes.published import RECIPES, Choice
from train.recipes.records import TASKS, Grid, differences, parse_grid


@given(st.integers(1, 1000), st.sampled_from([1, 3]))
def test_a_grid_reads_back_as_it_is_written(clips, crops):
    grid = Grid(clips, crops)
    assert parse_grid([str(grid)]) == grid
    assert grid.views == clips * crops


@pytest.mark.parametrize(("text", "grid"), [("4X3", Grid(4, 3)), ("7", Grid(7, 1))])
def test_other_spellings_of_a_grid(text, grid):
    assert parse_grid([text]) == grid


@pytest.mark.parametrize("text", ["0x3", "4x2", "4x0", "-1x3", "x3", "4x3x1", "many", ""])
def test_no_grid(text):
    with pytest.raises(ValueError):
        parse_grid([text])


@pytest.mark.parametrize("task", TASKS)
def test_plain_data_survives_json(task):
    recipe = RECIPES[task](Choice("toy"))
    plain = recipe.as_json()
    assert plain["task"] == recipe.task == task
    assert json.loads(json.dumps(plain)) == plain
    assert differences(plain, json.loads(json.dumps(plain))) == []


def test_differences_name_the_field_and_both_values():
    mine = RECIPES["few-shot"](Choice("ucf101"))
    other = replace(mine, seed=9, optim=replace(mine.optim, betas=(0.9, 0.9), lr=0.5))
    assert differences(mine.as_json(), other.as_json()) == [
        "optim.betas [0.9, 0.9] -> [0.9, 0.98]",
        "optim.lr 0.5 -> 0.001",
        "seed 9 -> 1",
    ]


TREES = st.recursive(
    st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(TREES, TREES)
def test_differences_are_none_between_equals_only(one, two):
    assert differences(one, one) == []
    assert bool(differences(one, two)) == (one != two)
    assert len(differences(one, two)) == len(differences(two, one))


@pytest.mark.parametrize(
    ("record", "wrong"),
    [
        (records.Optim, {"accumulate": 0}),
        (records.Optim, {"batch": 0}),
        (records.Optim, {"epochs": -1}),
        (records.Optim, {"lr": -1e-3}),
        (records.Optim, {"betas": (0.9, 1.0)}),
        (records.Testing, {"eval_batch": -1}),
        (records.Testing, {"validation": -1}),
    ],
)
def test_numbers_that_make_no_sense_are_refused_by_name(record, wrong):
    record()
    with pytest.raises(ValueError, match=next(iter(wrong))):
        record(**wrong)
