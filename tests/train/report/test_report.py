"""The report: which figures share a cell, a row and a column."""

from __future__ import annotations

import statistics
from dataclasses import replace

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

HELD = {"spatial": "c" * 64}


def test_seeds_are_averaged_and_hm_is_that_of_the_means(tmp_path):
    figures = {1: (60.0, 50.0), 2: (64.0, 40.0), 3: (62.0, 45.0)}
    runs = [
        made(f"base-novel --dataset hmdb51 --seed {seed}", base_novel(*pair))
        for seed, pair in figures.items()
    ]
    found = table(report_of(tmp_path, *runs), "base-novel")
    key = ("+ MSTA + L_cc", "last")
    base, novel, hm = (
        column(found, f"hmdb51, K = 16 {name}")[key] for name in ("base", "novel", "HM")
    )
    bases = [pair[0] for pair in figures.values()]
    assert base == Value(62.0, pytest.approx(statistics.pstdev(bases)), 3)  # ddof 0
    assert isinstance(novel, Value) and isinstance(hm, Value)
    assert hm.mean == pytest.approx(harmonic_mean(62.0, 45.0)) and hm.std is None
    assert hm.mean != pytest.approx(statistics.mean(harmonic_mean(*p) for p in figures.values()))
    assert column(found, "seeds")[key] == "1 2 3"
    assert any(
        "ddof 0" in note and "harmonic mean of the two means" in note for note in found.notes
    )


def test_splits_of_zero_shot_spread_after_seeds_are_averaged(tmp_path):
    figures = {1: (40.0, 42.0, 44.0), 2: (50.0, 46.0, 42.0)}
    runs = [
        made(
            f"zero-shot --dataset k400 --seed {seed}",
            [scored(f"ucf101 split {i}", top1, "ucf101") for i, top1 in enumerate(splits, 1)],
            drawn="the whole split",
        )
        for seed, splits in figures.items()
    ]
    found = table(report_of(tmp_path, *runs), "zero-shot")
    cell = column(found, "ucf101 top-1")["+ MSTA + L_cc", "last"]
    assert cell == Value(44.0, pytest.approx(statistics.pstdev([45.0, 44.0, 43.0])), 3)


@pytest.mark.parametrize(
    "other",
    [
        {"views": (1, 1)},
        {"subset": "another"},
        {"classes": 50},
        {"drop": True},
    ],
)
def test_another_protocol_is_another_column(tmp_path, other):
    views = "--views 1x1" if "views" in other else ""
    views = "--published-drop" if "drop" in other else views
    found = table(
        report_of(
            tmp_path,
            made("few-shot --dataset hmdb51 --seed 1", [scored("test", 60.0)]),
            made(f"few-shot --dataset hmdb51 --seed 2 {views}", [scored("test", 20.0, **other)]),
        ),
        "few-shot",
    )
    heads = [head for head in found.head if head.endswith("top-1")]
    assert len(heads) == 2 and all("[" in head for head in heads)
    means = {column(found, head)["+ MSTA + L_cc", "last"].mean for head in heads}
    assert means == {60.0, 20.0}
    assert len({note for note in found.notes if note.startswith("hmdb51")}) == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--lr 0.5", "lr 0.001 -> 0.5"),
        ("--subset published", "subset  -> published"),
        ("--frames 16", "frames 8 -> 16"),
        ("--consistency spatial", "consistency both -> spatial"),
        ("--template {}", "template a video of {}. -> {}"),
    ],
)
def test_other_words_are_another_row_that_says_how(tmp_path, words, told):
    plain = "few-shot --dataset hmdb51"
    runs = (made(plain, [scored("test", 60.0)]), made(f"{plain} {words}", [scored("test", 50.0)]))
    found = table(report_of(tmp_path, *runs), "few-shot")
    names = {str(row[0]) for row in found.rows}
    assert names == {"+ MSTA + L_cc", f"+ MSTA + L_cc · {told}"}


def test_lists_of_ones_own_are_columns_by_name(tmp_path):
    tests = [scored("one", 60.0), scored("two", 50.0)]
    result = made("few-shot --dataset hmdb51 --test-lists one two", tests)
    found = table(report_of(tmp_path, result), "few-shot")
    for name, top1 in (("one", 60.0), ("two", 50.0)):
        cell = column(found, f"hmdb51 {name}, K = 16 top-1")["+ MSTA + L_cc", "last"]
        assert isinstance(cell, Value) and cell.mean == top1


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (1,)])
def test_halves_are_known_by_name_in_any_order(tmp_path, order):
    halves = base_novel(60.0, 50.0)
    result = made("base-novel --dataset hmdb51", [halves[index] for index in order])
    report = report_of(tmp_path, result)
    found = table(report, "base-novel")
    base, novel, hm = found.rows[0][3:6]
    assert isinstance(novel, Value) and novel.mean == 50.0
    if len(order) == 2:
        assert isinstance(base, Value) and base.mean == 60.0 and isinstance(hm, Value)
    else:
        assert base is None and hm is None


def test_training_on_other_clips_than_were_drawn_is_another_row(tmp_path):
    runs = [made(f"few-shot --dataset hmdb51 --seed {n}", [scored("test", 60.0)]) for n in (1, 2)]
    runs[1] = replace(runs[1], training=replace(runs[1].training, substituted=3))
    names = {row[0] for row in table(report_of(tmp_path, *runs), "few-shot").rows}
    assert len(names) == 2 and any("3 clips in place of" in str(name) for name in names)


def test_words_that_change_no_figure_make_no_row(tmp_path):
    plain = "few-shot --dataset hmdb51"
    runs = [
        made(f"{plain} --seed 1", [scored("test", 60.0)]),
        made(f"{plain} --seed 2 --accumulate 4 --eval-batch 3", [scored("test", 50.0)]),
    ]
    found = table(report_of(tmp_path, *runs), "few-shot")
    assert column(found, "hmdb51, K = 16 top-1")["+ MSTA + L_cc", "last"] == Value(55.0, 5.0, 2)


def test_rules_of_selection_stand_side_by_side_and_never_mix(tmp_path):
    runs = [
        made(
            f"few-shot --dataset hmdb51 --seed {seed}",
            [scored("test", 50.0 + seed)],
            best=[scored("test", 60.0 + seed)],
        )
        for seed in (1, 3)
    ]
    found = table(report_of(tmp_path, *runs), "few-shot")
    assert [row[1] for row in found.rows] == ["last", "best-on-test"]
    cells = column(found, "hmdb51, K = 16 top-1")
    assert [cell.mean for cell in cells.values()] == [52.0, 62.0]
    assert any("not comparable" in note for note in found.notes)


def test_one_seed_counts_once(tmp_path):
    words = "few-shot --dataset hmdb51 --seed 4"
    runs = [made(words, [scored("test", top1)]) for top1 in (60.0, 50.0)]
    found = table(report_of(tmp_path, *runs), "few-shot")
    cells = column(found, "hmdb51, K = 16 top-1")
    assert {cell.mean for cell in cells.values()} == {60.0, 50.0}
    (again,) = {name for name, _ in cells if "run 2 of the same words" in name}
    assert "run001" in again


def test_one_seed_with_two_drawn_subsets_is_two_columns(tmp_path):
    words = "few-shot --dataset hmdb51 --seed 4"
    runs = [made(words, [scored("test", 60.0)], drawn=drawn) for drawn in ("one", "two")]
    found = table(report_of(tmp_path, *runs), "few-shot")
    assert len([head for head in found.head if head.endswith("top-1")]) == 2
    assert any("edition 2" in note for note in found.notes)


def test_other_backbone_weights_are_another_row(tmp_path):
    words = "few-shot --dataset hmdb51 --seed"
    runs = [
        made(f"{words} {seed}", [scored("test", 60.0)], backbone=digest * 64)
        for seed, digest in ((1, "c"), (2, "d"))
    ]
    names = {row[0] for row in table(report_of(tmp_path, *runs), "few-shot").rows}
    assert names == {f"+ MSTA + L_cc · backbone {digest * 8}" for digest in "cd"}


def test_a_set_that_the_paper_has_no_figures_of_is_marked(tmp_path):
    runs = [
        made(f"few-shot --dataset {name}", [scored("test", 60.0, name)])
        for name in ("hmdb51", "activitynet")
    ]
    notes = table(report_of(tmp_path, *runs), "few-shot").notes
    marked = [note.split(",")[0] for note in notes if "not in the paper" in note]
    assert marked == ["activitynet"]


def test_other_descriptions_and_another_start_are_other_rows(tmp_path):
    words = "few-shot --dataset hmdb51 --seed"
    runs = [
        made(f"{words} {seed}", [scored("test", 60.0)], descriptions={"spatial": digest * 64})
        for seed, digest in ((1, "c"), (2, "d"))
    ]
    runs.append(
        made(f"{words} 3", [scored("test", 60.0)], descriptions=HELD, started_from="e" * 64)
    )
    names = {row[0] for row in table(report_of(tmp_path, *runs), "few-shot").rows}
    assert names == {
        "+ MSTA + L_cc · spatial descriptions cccccccc",
        "+ MSTA + L_cc · spatial descriptions dddddddd",
        "+ MSTA + L_cc · from adapter eeeeeeee · spatial descriptions cccccccc",
    }
    alone = {row[0] for row in table(report_of(tmp_path / "one", runs[0]), "few-shot").rows}
    assert alone == {"+ MSTA + L_cc"}


def test_an_untrained_model_stands_beside_any_number_of_shots(tmp_path):
    runs = [
        made(f"few-shot --dataset hmdb51 --shots {shots}", [scored("test", 50.0 + shots)])
        for shots in (2, 8)
    ]
    runs.append(made("few-shot --dataset hmdb51 --method zero-shot", [scored("test", 40.0)]))
    report = report_of(tmp_path, *runs)
    found = table(report, "few-shot")
    for shots in (2, 8):
        cell = column(found, f"hmdb51, K = {shots} top-1")["Zero-ViCLIP", "last"]
        assert isinstance(cell, Value) and cell.mean == 40.0
    assert not any("K = 16" in head for head in found.head)
    assert [plot.slug for plot in report.plots] == [
        "few-shot-hmdb51-last",
        "few-shot-hmdb51-best-on-test",
    ]


@pytest.mark.parametrize("reading", ["paper", "logs"])
@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("--method zero-shot --backbone clip-b16", "Vanilla CLIP (zero-shot)"),
        ("--method full --backbone clip-b16", "Vanilla CLIP (tuned)"),
        ("--method full", "ViCLIP"),
        ("--method zero-shot", "Zero-ViCLIP"),
        ("--method adaptformer", "+ AdaptFormer"),
        ("--method lora", "+ LoRA"),
        ("--consistency none", "+ MSTA"),
        ("", "+ MSTA + L_cc"),
    ],
)
def test_published_rows_have_their_names(tmp_path, words, name, reading):
    result = made(f"base-novel --dataset hmdb51 --as {reading} {words}", base_novel(60.0, 50.0))
    rows = table(report_of(tmp_path, result), "base-novel").rows
    logged = reading == "logs" and "zero-shot" not in words  # untrained, they are the same
    assert {row[0] for row in rows} == {f"{name} · as the logs" if logged else name}
    rules = ["last"] if "zero-shot" in words else ["last", "best-on-test"]
    assert [row[1] for row in rows] == rules


def test_how_often_weights_could_be_chosen_is_told_beside_the_rule(tmp_path):
    result = made("few-shot --dataset hmdb51 --eval-every 1", [scored("test", 60.0)])
    rows = table(report_of(tmp_path, result), "few-shot").rows
    assert {row[0] for row in rows} == {"+ MSTA + L_cc"}
    assert [row[1] for row in rows] == ["last", "best-on-test · eval_every 10 -> 1"]


def test_the_default_recipes_have_no_departures(tmp_path):
    result = made("base-novel --dataset ucf101 --as logs", base_novel(60.0, 50.0, "ucf101"))
    (last, best) = (str(r[0]) for r in table(report_of(tmp_path, result), "base-novel").rows)
    assert last == best == "+ MSTA + L_cc · as the logs"
