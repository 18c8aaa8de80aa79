"""Each row of Tables 2 to 5 has its function, and its docstring the words that give that recipe."""

from __future__ import annotations

import inspect
import shlex

import pytest
import torch

from train.methods import build_method
from train.models.config import SIZES
from train.models.viclip import ViCLIP
from train.recipes.records import Task
from train.recipes.rows import ROWS
from train.recipes.words import read_words

TABLES: dict[Task, str] = {
    "base-novel": "Table 2",
    "few-shot": "Table 3",
    "zero-shot": "Table 4",
    "full-supervised": "Table 5",
}
# Rows that a table of the paper leaves out.
ABSENT = {
    ("Vanilla CLIP (zero-shot)", "full-supervised"),
    ("Vanilla CLIP (tuned)", "zero-shot"),
    ("Vanilla CLIP (tuned)", "full-supervised"),
    ("Zero-ViCLIP", "full-supervised"),
}
# "Tunable (M)" of Table 5.
MILLIONS = {"ViCLIP": 124.3, "+ AdaptFormer": 7.9, "+ LoRA": 9.4, "+ MSTA": 8.7}
MILLIONS["+ MSTA + L_cc"] = MILLIONS["+ MSTA"]


def launch_lines(name: str) -> list[list[str]]:
    """The words after train/run.py of each line in a row's docstring."""
    text = inspect.getdoc(ROWS[name]) or ""
    lines = [line for line in text.splitlines() if line.startswith("accelerate launch")]
    return [shlex.split(line)[3:] for line in lines]


@pytest.mark.parametrize("name", ROWS)
def test_there_is_a_line_for_every_table_with_that_row(name):
    tasks = [words[0] for words in launch_lines(name)]
    assert tasks == [task for task in TABLES if (name, task) not in ABSENT]


@pytest.mark.parametrize(
    ("name", "words"), [(name, words) for name in ROWS for words in launch_lines(name)]
)
def test_a_line_gives_the_recipe_of_its_row(name, words):
    found = read_words(words).recipe
    assert found == ROWS[name](words[0], found.dataset)


def test_no_two_rows_are_the_same():
    recipes = [str(row("base-novel", "ucf101").as_json()) for row in ROWS.values()]
    assert len(set(recipes)) == len(ROWS)


@pytest.mark.parametrize("name", MILLIONS)
def test_numbers_trained_in_table_5(name):
    recipe = ROWS[name]("full-supervised", "kinetics400")
    with torch.device("meta"):
        method = build_method(recipe.method, ViCLIP(SIZES["b16"]), recipe.options, 1)
    trained = sum(p.numel() for p in method.parameters() if p.requires_grad)
    assert round(trained / 1e6, 1) == MILLIONS[name]


@pytest.mark.parametrize("name", ROWS)
def test_the_logs_reading_has_every_row_too(name):
    assert ROWS[name]("few-shot", "ucf101", "logs").seed == 2048
