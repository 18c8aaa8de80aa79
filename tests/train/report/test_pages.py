"""The report as it is written: every form of it, and the command."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ElementTree

import pytest

from tests.train.report.made_results import (
    made,
    report_of,
    scored,
    table,
    written,
)
from train.report.__main__ import main
from train.report.pages import comma_separated, markdown, page


def test_every_form_tells_every_figure(tmp_path):
    runs = [
        made(f"few-shot --dataset hmdb51 --shots {k} --seed {seed}", [scored("test", 50.25 + k)])
        for k in (2, 4)
        for seed in (1, 2)
    ]
    report = report_of(tmp_path, *runs)
    text, html = markdown(report), page(report)
    for figure in ("52.25", "54.25"):
        assert figure in text and figure in html
    found = table(report, "few-shot")
    (head, first, _) = csv.reader(io.StringIO(comma_separated(found)))
    cells = dict(zip(head, first, strict=True))
    name = "hmdb51, K = 2 top-1"
    assert (cells[name], cells[f"{name} std"], cells[f"{name} n"]) == ("52.2500", "0.0000", "2")
    assert len(report.runs.rows) == 8 and "run003" in comma_separated(report.runs)
    for plot in report.plots:
        ElementTree.fromstring(plot.svg)


def test_a_page_needs_nothing_from_elsewhere_and_escapes_what_it_shows(tmp_path):
    result = made("few-shot --dataset hmdb51 --template <b>{}|", [scored("test", 60.0)])
    report = report_of(tmp_path, result)
    html = page(report)
    assert "&lt;b&gt;" in html and "<b>" not in html
    for outside in ("<script", "<link", "<img", "src=", "@import", "url("):
        assert outside not in html
    assert "\\|" in markdown(report)


def test_the_command_writes_files_and_says_which(tmp_path, capsys):
    written(tmp_path / "runs", made("few-shot --dataset hmdb51", [scored("test", 60.0)]))
    out = tmp_path / "out"
    assert main([str(tmp_path / "runs"), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    names = {path.name for path in out.iterdir()}
    assert {"report.md", "report.html", "few-shot.csv", "table-8.csv", "runs.csv"} <= names
    assert all(name in said for name in names)


def test_a_run_named_twice_counts_once(tmp_path):
    ((path, _),) = written(tmp_path, made("few-shot --dataset hmdb51", [scored("test", 60.0)]))
    out = tmp_path / "out"
    assert main([str(tmp_path), str(path), "--out", str(out)]) == 0
    assert "run 2" not in (out / "report.md").read_text()
    assert "1 run." in (out / "report.md").read_text()


def test_a_wrong_word_is_told_with_the_nearest(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--outt", "x"])
    assert left.value.code == 2
    told = capsys.readouterr().err
    assert told == "python -m train.report: there is no option --outt; did you mean --out?\n"


@pytest.mark.parametrize(
    ("name", "told"),
    [("absent.json", "absent.json"), ("empty", "holds no result.json"), ("odd.json", "no result")],
)
def test_what_is_no_result_is_refused_in_one_line(tmp_path, capsys, name, told):
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd.json").write_text("[]")
    out = tmp_path / "out"
    assert main([str(tmp_path / name), "--out", str(out)]) == 1
    said = capsys.readouterr().err
    assert told in said and len(said.splitlines()) == 1
    assert not out.exists()
