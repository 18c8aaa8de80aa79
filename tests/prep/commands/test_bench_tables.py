"""`prep bench --tables`: what it says, and what it refuses."""

from __future__ import annotations

import tempfile

import pytest

from prep.bench.tables import CASES
from tests.prep.commands.said import refused, said

WORDS = ("bench", "--tables", "--rows", "1000", "--rounds", "1")


def test_a_line_a_work_and_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    report = said(*WORDS, "--json").json
    assert [figure["work"] for figure in report["tables"]] == list(CASES)
    for figure in report["tables"]:
        assert set(figure) == {"work", "rows", "seconds", "us_per_row", "peak_mb", "runs"}
        assert figure["rows"] == 1000
        assert figure["runs"] == [figure["seconds"]]
        assert figure["peak_mb"] > 20
    assert report["machine"]["cores"] >= 1
    assert list(tmp_path.iterdir()) == []


def test_lengths_stand_side_by_side(monkeypatch):
    from prep.bench.tables import Figure

    made = [Figure(work, rows, (rows / 1e6,), 10**8) for rows in (1000, 2000) for work in CASES]
    monkeypatch.setattr("prep.commands.bench_tables.measure_tables", lambda *_: made)
    found = said(*WORDS)
    _, head, *body = found.out.splitlines()
    assert head.split() == ["work", "1,000", "clips", "2,000", "clips"]
    assert [line.split()[0] for line in body] == list(CASES)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--tables", "--rows", "10"), "--rows 10: at least 1000"),
        (("--tables", "--rounds", "0"), "--rounds 0: at least 1"),
    ],
)
def test_words_that_measure_nothing(words, line):
    assert line in refused("bench", *words)
