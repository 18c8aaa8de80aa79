"""From words to recipes: what decides the defaults, what overrides them, and wrong words."""

from __future__ import annotations

import difflib
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from train.methods import (
    METHODS,
    AdaptFormerOptions,
    FullOptions,
    LoRAOptions,
    MSTAOptions,
    ZeroShotOptions,
    default_options,
)
from train.methods.options import LORA_PRESETS
from train.recipes.published import RECIPES, Choice
from train.recipes.records import TASKS, BaseNovel, FewShot, Grid, ZeroShot
from train.recipes.spelling import options_of
from train.recipes.words import Where, read_words


@pytest.fixture(autouse=True)
def by_hand(monkeypatch):
    """As without a launcher, on a wide terminal."""
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION", raising=False)
    monkeypatch.setenv("COLUMNS", "200")


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What is said of wrong words, which end with 2."""
    with pytest.raises(SystemExit) as left:
        read_words(words)
    assert left.value.code == 2
    said = capsys.readouterr()
    return said.err + said.out


def test_no_words_are_few_shot_on_the_toy_shards():
    found = read_words([])
    assert found.recipe == RECIPES["few-shot"](Choice("toy"))
    assert (found.where, found.reading, found.variant) == (Where(), "paper", "")


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("dataset", ["ucf101", "toy"])
def test_a_task_alone_is_its_published_recipe(task, dataset):
    found = read_words([task, "--dataset", dataset]).recipe
    assert found == RECIPES[task](Choice(dataset))


def test_options_may_come_without_a_task():
    assert read_words(["--dataset", "ucf101", "--shots", "4"]).recipe.protocol == FewShot(4)


@pytest.mark.parametrize("name", ["k400", "K400", "kinetics-400", "kinetics400"])
def test_a_benchmark_has_one_name(name):
    found = read_words(["base-novel", "--dataset", name]).recipe
    assert found == RECIPES["base-novel"](Choice("kinetics400"))


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("msta", MSTAOptions),
        ("adaptformer", AdaptFormerOptions),
        ("lora", LoRAOptions),
        ("full", FullOptions),
        ("zero-shot", ZeroShotOptions),
    ],
)
def test_the_method_decides_the_options(method, options):
    found = read_words(["few-shot", "--dataset", "ucf101", "--method", method]).recipe
    assert type(found.options) is options
    assert found == RECIPES["few-shot"](Choice("ucf101", method))


def test_words_override_what_the_recipe_says():
    words = ["base-novel", "--dataset", "hmdb51", "--shots", "4", "--mid", "64", "--blocks", "3"]
    words += ["7", "--lr", "0.5", "--epochs", "2", "--views", "2x1", "--seed", "9", "--alpha", "3"]
    words += ["--no-shared", "--consistency", "spatial", "--crop-area", "0.5", "0.9"]
    words += ["--template", "{}!", "--eval-every", "3"]
    plain = RECIPES["base-novel"](Choice("hmdb51"))
    assert read_words(words).recipe == replace(
        plain,
        protocol=BaseNovel(4),
        options=replace(plain.options, mid=64, blocks=(3, 7), shared=False),
        optim=replace(plain.optim, lr=0.5, epochs=2),
        look=replace(plain.look, views=Grid(2, 1)),
        seed=9,
        loss=replace(plain.loss, alpha=3.0, consistency="spatial"),
        augment=replace(plain.augment, crop_area=(0.5, 0.9)),
        text=replace(plain.text, template="{}!"),
        testing=replace(plain.testing, eval_every=3),
    )


def test_words_override_a_variant_which_overrides_the_reading():
    words = ["base-novel", "--dataset", "ucf101", "--as", "logs", "--variant", "blocks-1-6"]
    found = read_words(words)
    assert found.recipe.options.blocks == (1, 6)
    assert (found.recipe.options.mid, found.recipe.seed) == (128, 2048)
    assert (found.reading, found.variant) == ("logs", "blocks-1-6")
    assert read_words([*words, "--blocks", "2", "3"]).recipe.options.blocks == (2, 3)
    assert read_words([*words, "--seed", "1"]).recipe.seed == 1


def test_the_rate_of_full_tuning_follows_the_batch_unless_said():
    words = ["few-shot", "--dataset", "ucf101", "--method", "full", "--batch", "128"]
    assert read_words(words).recipe.optim.lr == pytest.approx(4e-6)
    assert read_words([*words, "--lr", "0.25"]).recipe.optim.lr == 0.25
    assert read_words(words).recipe.optim.batch == 128


def test_the_options_of_the_compared_methods_are_words():
    words = ["few-shot", "--dataset", "ucf101", "--method", "adaptformer", "--bottleneck", "64"]
    words += ["--blocks", "3", "7", "--scale", "0.5", "--insertion", "sequential"]
    assert read_words(words).recipe.options == default_options(
        "adaptformer", bottleneck=64, blocks=(3, 7), scale=0.5, insertion="sequential"
    )
    words = ["few-shot", "--dataset", "ucf101", "--method", "lora", "--rank", "8"]
    words += ["--lora-alpha", "16", "--target-modules", "q", "mlp", "--towers", "both"]
    assert read_words(words).recipe.options == default_options(
        "lora", rank=8, lora_alpha=16.0, target_modules=("q", "mlp"), towers="both"
    )


@pytest.mark.parametrize("name", LORA_PRESETS)
def test_a_preset_of_lora_is_a_variant(name):
    words = ["base-novel", "--dataset", "ucf101", "--method", "lora", "--variant", name]
    assert read_words(words).recipe.options == LORA_PRESETS[name]
    assert read_words([*words, "--rank", "2"]).recipe.options.rank == 2


@pytest.mark.parametrize("task", ["few-shot", "base-novel", "zero-shot", "full-supervised"])
@pytest.mark.parametrize("method", ["adaptformer", "lora"])
def test_the_compared_methods_take_the_schedule_of_the_row_but_no_consistency(task, method):
    plain, found = (RECIPES[task](Choice("ucf101", name)) for name in ("msta", method))
    loss = replace(plain.loss, consistency="none")
    assert found == replace(plain, method=method, options=found.options, loss=loss)
    words = [task, "--dataset", "ucf101", "--method", method, "--consistency", "temporal"]
    assert read_words(words).recipe.loss.consistency == "temporal"


def test_targets_are_a_list():
    found = read_words(["zero-shot", "--dataset", "k400", "--targets", "hmdb51", "k600"])
    assert found.recipe.protocol == ZeroShot(("hmdb51", "k600"))


def test_the_launchers_precision_is_the_default(monkeypatch):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    assert read_words(["few-shot"]).recipe.optim.precision == "bf16"
    found = read_words(["few-shot", "--precision", "fp32"])
    assert found.recipe.optim.precision == "fp32"
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")
    assert read_words(["few-shot"]).recipe.optim.precision == "fp32"


def test_where_files_lie_decides_no_figure():
    words = ["--shards", "a", "--models", "b", "--out", "c", "--resume", "--adapter", "d"]
    words += ["--backend", "cpu", "--threads", "5", "--save-steps", "7", "--json"]
    found = read_words(["few-shot", *words])
    assert found.recipe == read_words(["few-shot"]).recipe
    wanted = Where("a", Path("b"), Path("c"), True, False, Path("d"), "cpu", 5, 7, json=True)
    assert found.where == wanted


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["few-shoot"], "did you mean few-shot"),
        (["training"], "few-shot, base-novel, zero-shot, full-supervised, pretrain"),
        (["few-shot", "--shotz", "2"], "did you mean --shots?"),
        (["few-shot", "--no-shard"], "did you mean --no-shared?"),
        (["few-shot", "--qqqqq"], "--help"),
        (["few-shot", "stray"], "stray"),
        (
            ["few-shot", "--shots", "many"],
            "--shots: invalid literal for int() with base 10: 'many'",
        ),
        (["few-shot", "--lr", "fast"], "--lr: could not convert string to float: 'fast'"),
        (["few-shot", "--dataset", "nothing"], "kinetics400"),
        (["few-shot", "--dataset", "ucf10"], "did you mean ucf101?"),
        (["few-shot", "--dataset", "kinetics40"], "did you mean kinetics400?"),
        (["few-shot", "--method", "mst"], "did you mean msta"),
        (["few-shot", "--as", "log"], "use one of paper, logs; did you mean logs?"),
        (["few-shot", "--consistency", "every"], "both, spatial, temporal, none"),
        (["few-shot", "--consistency=spacial"], "did you mean spatial?"),
        (["few-shot", "--views", "4x2"], "1 or 3 crops"),
        (["few-shot", "--batch", "many"], "many"),
        (["few-shot", "--batch", "0"], "batch 0: at least 1"),
        (["few-shot", "--accumulate", "0"], "accumulate 0: at least 1"),
        (["few-shot", "--betas", "0.9"], "'--betas'. Expected 2 values."),
        (["few-shot", "--variant", "mid-65"], "did you mean mid-64"),
        (["few-shot", "--variant", "wide"], "mid-512"),
        (["few-shot", "--method", "full", "--variant", "mid-64"], "leave out --variant"),
        (["few-shot", "--method", "full", "--mid", "64"], "--mid is an option of --method msta"),
        (["few-shot", "--method", "lore"], "did you mean lora"),
        (["few-shot", "--method", "adapt-former"], "did you mean adaptformer"),
        (["few-shot", "--method", "lora", "--target-modules", "q", "w"], "q, k, v, out, mlp"),
        (["few-shot", "--method", "lora", "--bottleneck", "8"], "--bottleneck"),
        (["few-shot", "--method", "lora", "--variant", "vision-qv-265"], "vision-qv-256"),
        (["few-shot", "--method", "lora", "--variant", "mid-64"], "say --method msta"),
        (["few-shot", "--variant", "both-qkvo-16"], "say --method lora"),
        (["few-shot", "--method", "adaptformer", "--bottle-neck", "8"], "--bottleneck"),
        (["zero-shot", "--as", "logs"], "leave out --as logs"),
        (["few-shot", "--as", "logs", "--dataset", "k400"], "hmdb51, ssv2, ucf101"),
        (["pretrain", "--as", "logs"], "leave out --as logs"),
        (["pretrain", "--method", "full"], "leave out --method"),
        (["pretrain", "--variant", "mid-64"], "leave out --variant"),
        (["zero-shot", "--shots", "2"], "--shots is an option of few-shot, base-novel"),
    ],
)
def test_wrong_words_are_told_in_one_line(words, told, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    said = refused(words, capsys)
    assert told in said
    assert said.startswith("train/run.py: ") and len(said.splitlines()) == 1


def enumerated() -> list[tuple[str, str, str, tuple[str, ...]]]:
    """Task, method, option and choices of everything that can be one of several words."""
    found = {}
    for task, method in [(t, m) for t in TASKS for m in METHODS if t != "pretrain"]:
        words = read_words([task, "--method", method])
        for option, choices in options_of(words).items():
            if choices:
                found.setdefault(option, (task, method, option, choices))
    return list(found.values())


def test_the_closed_choices_are_these():
    assert {option for _, _, option, _ in enumerated()} == {
        *("--as", "--statistics", "--crop", "--flip-labels", "--prompt", "--consistency"),
        *("--description-mean", "--reduction", "--schedule", "--precision", "--backend"),
        *("--on-error", "--towers", "--input-norm", "--class-temporal", "--dropout-place"),
        *("--insertion", "--target-modules"),
    }


@pytest.mark.parametrize(("task", "method", "option", "choices"), enumerated())
def test_a_wrong_choice_is_told_with_the_nearest_right_one(task, method, option, choices, capsys):
    for choice in choices:
        near = difflib.get_close_matches(choice + "x", choices, n=1)
        said = refused([task, "--method", method, option, choice + "x"], capsys)
        assert f"{option} {choice}x: use one of {', '.join(choices)}" in said
        assert not near or f"did you mean {near[0]}?" in said
        assert len(choice) < 3 or near == [choice]


def test_every_option_of_every_method_is_known_and_a_near_one_named(capsys):
    for method in METHODS:
        words = ["few-shot", "--method", method]
        for option in options_of(read_words(words)):
            said = refused([*words, f"{option}x"], capsys)
            assert f"did you mean {option}?" in said or f"did you mean --no-{option[2:]}" in said


@pytest.mark.parametrize("task", TASKS)
def test_help_tells_every_field_with_the_defaults_of_that_recipe(task, capsys):
    with pytest.raises(SystemExit) as left:
        read_words([task, "--dataset", "ucf101", "--help"])
    assert left.value.code == 0
    said = capsys.readouterr().out
    recipe = RECIPES[task](Choice("ucf101"))
    groups = [recipe.protocol, recipe.options, recipe.look, recipe.augment, recipe.text]
    for group in (*groups, recipe.loss, recipe.optim, recipe.testing):
        for name in asdict(group):
            option = name.replace("_", "-")
            assert f"--{option}" in said or f"--no-{option}" in said
    assert f"(default: {recipe.optim.lr}" in said


def test_help_without_a_task_lists_the_tasks(capsys):
    with pytest.raises(SystemExit) as left:
        read_words(["--help"])
    assert left.value.code == 0
    said = capsys.readouterr().out
    assert all(task in said for task in TASKS)


def test_words_are_read_before_torch_which_takes_its_time():
    asked = (
        "import sys; from train.recipes.words import read_words; "
        "read_words(['few-shot', '--dataset', 'ucf101']); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", asked]).returncode == 0
