"""The table of known deviations names options and variants that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from train.methods import METHODS
from train.recipes.ablations import VARIANTS_OF
from train.recipes.records import TASKS
from train.recipes.spelling import options_of
from train.recipes.words import read_words

PAGE = (Path(__file__).resolve().parents[3] / "train/methods/README.md").read_text()
ROWS = re.search(r"\| point \| here \|.*?\n\n", PAGE, re.S).group().splitlines()[2:]
OTHERS = {"--context"}  # of prep weights
# Words that one finds each open point of the paper by.
POINTS = [
    "--input-norm", "--class-temporal", "--dropout-place", "--no-gradient-scaling",
    "--description-mean", "--reduction", "--temperature", "--schedule", "--crop multi-scale",
    "--per-frame", "width in full supervision", "learning rate of full tuning",
    "learning rate of AdaptFormer and LoRA", "--token-table", "only one tower", "--own-layers",
    "m = 512", "--statistics", "ActivityNet", "--views", "--n-descriptions", "--published-drop",
]  # fmt: skip


def test_every_option_of_the_table_is_one():
    known = {
        option
        for task in TASKS
        for method in METHODS
        if task != "pretrain"
        for option in options_of(read_words([task, "--method", method]))
    }
    named = set(re.findall(r"--[a-z-]+", "\n".join(ROWS)))
    assert named - OTHERS <= known and len(named) > 30


def test_every_variant_of_the_table_is_one():
    named = re.findall(r"--variant ([a-z0-9-]+)", "\n".join(ROWS))
    assert named and set(named) <= {name for known in VARIANTS_OF.values() for name in known}


@pytest.mark.parametrize("point", POINTS)
def test_every_open_point_has_a_row_with_its_default_and_the_other_reading(point):
    row = next(row for row in ROWS if point in row)
    cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
    assert len(cells) == 3 and all(cells)
