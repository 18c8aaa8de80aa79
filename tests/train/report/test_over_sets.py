"""Tables over several sets or systems: means, ablations, cost."""

from __future__ import annotations

import pytest

from tests.train.report.made_results import (
    base_novel,
    column,
    made,
    report_of,
    scored,
    table,
)
from train.metrics import harmonic_mean
from train.report.tables import Value
from train.results import Throughput


def sets(words: str, *figures: tuple[str, float, float], **more):
    return [made(f"{words} --dataset {s}", base_novel(b, n, s), **more) for s, b, n in figures]


def test_means_over_the_same_sets_only(tmp_path):
    both = (("hmdb51", 60.0, 50.0), ("ucf101", 80.0, 70.0))
    runs = sets("base-novel", *both)
    runs += sets("base-novel --method lora", *both, trainable=9_437_184)
    runs += sets("base-novel --method adaptformer", ("hmdb51", 62.0, 52.0), trainable=7_885_824)
    report = report_of(tmp_path, *runs)
    first = table(report, "base-novel-mean-1")
    assert "hmdb51, ucf101" in first.title
    assert not any("AdaptFormer" in str(row[0]) for row in first.rows)
    assert "base-novel-mean-2" not in {each.slug for each in report.tables}  # of one set alone
    lora = ("+ LoRA", "last")
    assert column(first, "base")[lora].mean == 70.0 and column(first, "novel")[lora].mean == 60.0
    assert column(first, "HM")[lora].mean == pytest.approx(harmonic_mean(70.0, 60.0))
    assert {p.slug for p in report.plots if p.slug.startswith("figure-1")} == {
        f"figure-1-{number}-{rule}" for number in (1, 2) for rule in ("last", "best-on-test")
    }


def test_lines_of_ablations_have_tables_of_their_own(tmp_path):
    both = (("hmdb51", 60.0, 50.0), ("ucf101", 80.0, 70.0))
    runs = sets("base-novel", *both)
    for name in ("mid-64", "mid-512", "no-spatial"):
        runs += sets(f"base-novel --variant {name}", *both)
    report = report_of(tmp_path, *runs)
    slugs = {each.slug for each in report.tables}
    assert {"table-6b-1", "table-7-1"} <= slugs and "table-6a-1" not in slugs
    lines = list(dict.fromkeys(row[0] for row in table(report, "table-6b-1").rows))
    assert lines == ["mid-64", "mid-256", "mid-512"]  # the recipe itself is the line of 256
    lines = list(dict.fromkeys(row[0] for row in table(report, "table-7-1").rows))
    assert lines == ["no-spatial", "full-descriptions"]
    assert {row[0] for row in table(report, "base-novel").rows} == {"+ MSTA + L_cc"}
    cell = column(table(report, "table-6b-1"), "HM")["mid-512", "last"]
    assert cell.mean == pytest.approx(harmonic_mean(70.0, 60.0))


def test_cost_is_compared_on_one_machine_only(tmp_path):
    tests = [scored("test", 60.0)]
    full = made("few-shot --dataset hmdb51 --method full", tests, pace=16.0)
    adapted = made("few-shot --dataset hmdb51", tests, pace=32.0)
    elsewhere = made("few-shot --dataset hmdb51", tests, pace=64.0, machine={"device": "cpu"})
    found = table(report_of(tmp_path, full, adapted, elsewhere), "table-8")
    rows = {(str(row[0]), "cuda" in str(row[8])): row for row in found.rows}
    assert rows["ViCLIP", True][2:4] == (Value(2.0, digits=3), "1.00x")
    assert rows["+ MSTA + L_cc", True][2:4] == (Value(1.0, digits=3), "0.50x")
    assert rows["+ MSTA + L_cc", False][3] == ""
    assert rows["ViCLIP", True][6] == "50.0 (10x3)"
    assert {row[7] for row in found.rows} == {""}


def test_videos_a_second_at_the_largest_batch_stand_beside_full_tuning(tmp_path):
    tests = [scored("test", 60.0)]
    runs = [
        made(f"few-shot --dataset hmdb51 {words}", tests, throughput=Throughput(batch, rate))
        for words, batch, rate in (
            ("--method full", 512, 69.3),
            ("", 448, 65.7),
            ("--seed 2", 512, 65.9),
        )
    ]
    runs.append(made("few-shot --dataset hmdb51 --method lora", tests))
    found = table(report_of(tmp_path, *runs), "table-8")
    cells = {row[0]: row[7] for row in found.rows}
    assert found.head[7] == "videos/s at the largest batch"
    assert cells == {
        "ViCLIP": "69.3 (batch 512, 1.00x)",
        "+ MSTA + L_cc": "65.8 (batch 448–512, 0.95x)",
        "+ LoRA": "",
    }
