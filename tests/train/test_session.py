"""Where a run that names no folder goes."""

from __future__ import annotations

import pytest

from manifests.errors import UserError
from train import session
from train.folder import default_out
from train.recipes.rows import ROWS
from train.recipes.words import read_words


def test_a_tracker_that_is_not_installed_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(session, "is_tensorboard_available", lambda: False)
    words = read_words(["few-shot", "--tensorboard", "--out", str(tmp_path / "out")])
    with pytest.raises(UserError, match=r"pip install -e '\.\[tensorboard\]'"):
        session.run(words)
    assert not (tmp_path / "out").exists()


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
