"""Where a run that names no folder goes."""

from __future__ import annotations

from train.recipes.rows import ROWS
from train.recipes.words import read_words
from train.session import default_out


def test_every_row_has_a_folder_of_its_own():
    folders = [default_out(row("base-novel", "ucf101")) for row in ROWS.values()]
    assert len(set(folders)) == len(ROWS)


def test_a_folder_is_named_after_the_words_that_tell_runs_apart():
    for words, name in (
        ("few-shot --dataset ucf101", "few-shot-ucf101-msta-16shot-seed1"),
        ("zero-shot --dataset k400 --seed 3", "zero-shot-kinetics400-msta-seed3"),
        ("base-novel --dataset hmdb51 --variant no-spatial", "no-spatial-seed1"),
        ("few-shot --dataset toy --method lora", "few-shot-toy-lora-16shot-seed1"),
        (
            "few-shot --dataset ucf101 --backbone clip-b16 --consistency none",
            "msta-clip-b16-16shot",
        ),
        ("few-shot --dataset ucf101 --consistency none", "16shot-consistency-none-seed1"),
    ):
        found = read_words(words.split())
        assert name in str(default_out(found.recipe, found.variant))
