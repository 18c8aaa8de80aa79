"""The recipes are the rows of Table 1, and in their other reading the authors' own run logs."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from manifests.errors import UserError
from train.looks import check_look
from train.methods import METHODS, MSTAOptions, build_method
from train.models.config import SIZES
from train.models.viclip import ViCLIP
from train.recipes.published import LOGGED, RECIPES, Choice
from train.recipes.records import Augment, Text
from train.recipes.words import read_words

FOUR = ("kinetics400", "ssv2", "hmdb51", "ucf101")
DATASETS = {
    "base-novel": FOUR,
    "few-shot": ("ssv2", "hmdb51", "ucf101"),
    "zero-shot": ("kinetics400",),
    "full-supervised": ("kinetics400",),
}
ROWS = [(task, dataset) for task, datasets in DATASETS.items() for dataset in datasets]
# Table 1: batch, rate, epochs, alpha, lambda, m, N, dropout, blocks. The last row's m is that of
# Table 5's 8.7 M trained parameters; Table 1 prints 128.
TABLE_1 = {
    "base-novel": (32, 1e-3, 11, 1.0, 0.005, 256, 2, 0.1, (1, 12)),
    "few-shot": (32, 1e-3, 50, 1.0, 0.005, 128, 2, 0.1, (8, 12)),
    "zero-shot": (256, 8e-3, 100, 1.0, 0.001, 128, 2, 0.1, (1, 12)),
    "full-supervised": (256, 8e-3, 100, 1.0, 0.001, 256, 2, 0.1, (1, 12)),
}
TRAINED = {
    "base-novel": 8_712_192,
    "few-shot": 1_744_000,
    "zero-shot": 4_185_600,
    "full-supervised": 8_712_192,
}
# Clips x crops of the authors' logs; one view for zero-shot (Table 4), 4 x 3 in section 4.5.
VIEWS = {"hmdb51": "10x3", "ucf101": "5x3", "ssv2": "2x3", "kinetics400": "4x3"}


def trained(options: MSTAOptions) -> int:
    """Numbers that train on ViCLIP-B."""
    with torch.device("meta"):
        method = build_method("msta", ViCLIP(SIZES["b16"]), options, 1)
    return sum(p.numel() for p in method.parameters() if p.requires_grad)


@pytest.mark.parametrize(("task", "dataset"), ROWS)
def test_rows_of_table_1(task, dataset):
    recipe = RECIPES[task](Choice(dataset))
    options, optim, loss = recipe.options, recipe.optim, recipe.loss
    found = (optim.batch, optim.lr, optim.epochs, loss.alpha, options.scale, options.mid)
    found = (*found, loss.n_descriptions, options.dropout, options.blocks)
    assert found == TABLE_1[task]
    assert (recipe.task, recipe.dataset, recipe.method) == (task, dataset, "msta")
    assert (recipe.backbone, recipe.look.frames, recipe.look.size) == ("b16", 8, 224)
    views = "1x1" if task == "zero-shot" else VIEWS[dataset]
    assert str(recipe.look.views) == views


@pytest.mark.parametrize(("task", "dataset"), ROWS)
def test_what_all_rows_share(task, dataset):
    recipe = RECIPES[task](Choice(dataset))
    optim, loss = recipe.optim, recipe.loss
    assert (optim.weight_decay, optim.betas) == (0.001, (0.9, 0.98))
    assert (optim.warmup_epochs, optim.schedule, optim.clip_norm) == (5, "cosine", 0)
    assert (optim.precision, optim.accumulate) == ("fp32", 1)
    assert recipe.augment == Augment((0.08, 1.0), (3 / 4, 4 / 3), 0.5, 0.8, grey_p=0.2)
    assert recipe.text == Text("raw", "a video of {}.")
    assert recipe.look.statistics == "imagenet"
    assert (loss.consistency, loss.description_mean, loss.reduction) == (
        "both",
        "normalised",
        "mean",
    )
    rest = MSTAOptions(recipe.options.mid, recipe.options.blocks, recipe.options.scale)
    assert recipe.options == rest
    assert (rest.towers, rest.shared, rest.temporal, rest.groups) == ("both", True, True, None)
    assert (rest.input_norm, rest.class_temporal) == ("ln_1", "none")
    assert (rest.dropout_place, rest.gradient_scaling) == ("shared", True)


@pytest.mark.parametrize("task", TRAINED)
def test_numbers_trained(task):
    assert trained(RECIPES[task](Choice("kinetics400")).options) == TRAINED[task]


def test_recipes_equal_the_authors_logs(author_logs: Path):
    runs = json.loads(author_logs.read_text())
    seen = set()
    for name, run in runs.items():
        task = "few-shot" if name.startswith("few-shot") else "base-novel"
        recipe = RECIPES[task](Choice(run["dataset"], reading="logs"))
        options, optim, look, loss = recipe.options, recipe.optim, recipe.look, recipe.loss
        seen.add((task, run["dataset"]))
        assert (options.mid, list(options.blocks)) == (run["adapter_dim"], run["adapter_layers"])
        assert options.scale == run["adapter_scale"], name
        assert (optim.epochs, optim.lr) == (run["epochs"], run["lr"]), name
        assert (optim.schedule, optim.warmup_epochs) == (run["schedule"], run["warmup_epochs"])
        assert (optim.weight_decay, optim.batch) == (run["weight_decay"], 8 * run["batch_per_gpu"])
        assert (look.views.clips, look.views.crops) == (run["num_clip"], run["num_crop"]), name
        assert (look.frames, look.size) == (run["frames"], run["input_size"]), name
        assert loss.n_descriptions == run["descriptions_per_class"], name
        assert (recipe.augment.jitter_p, recipe.augment.grey_p) == (
            run["aug"]["color_jitter"],
            run["aug"]["gray_scale"],
        )
        assert recipe.seed == run["seed"], name
        if not run["only_test"]:
            assert (loss.consistency != "none") == run["consistency_loss"], name
        assert trained(options) == 1e6 * run["trainable_params_millions"], name
    assert seen <= {(task, dataset) for task, known in LOGGED.items() for dataset in known}


def test_eight_descriptions_in_the_logs_of_two_sets_only():
    found = {
        (task, dataset): RECIPES[task](Choice(dataset, reading="logs")).loss.n_descriptions
        for task, known in LOGGED.items()
        for dataset in known
    }
    assert {row for row, count in found.items() if count == 8} == {
        ("few-shot", "ucf101"),
        ("few-shot", "ssv2"),
    }
    assert set(found.values()) == {2, 8}


@pytest.mark.parametrize(
    ("task", "dataset"),
    [
        ("zero-shot", "kinetics400"),
        ("full-supervised", "kinetics400"),
        ("pretrain", "custom"),
        ("few-shot", "kinetics400"),
        ("few-shot", "toy"),
        ("base-novel", "activitynet"),
    ],
)
def test_runs_without_logs_have_no_reading_of_that_name(task, dataset):
    with pytest.raises(UserError, match=rf"no logs of {task} on {dataset}.* leave out --as logs"):
        RECIPES[task](Choice(dataset, reading="logs"))


@pytest.mark.parametrize(
    ("task", "batch", "rate"),
    [
        ("few-shot", None, 1e-6),
        ("few-shot", 64, 2e-6),
        ("base-novel", 256, 8e-6),
        ("zero-shot", None, 8e-6),
        ("full-supervised", None, 1.1e-5),
        ("full-supervised", 512, 2.2e-5),
    ],
)
def test_full_tuning_scales_the_followed_rate_with_the_batch(task, batch, rate):
    recipe = RECIPES[task](Choice("kinetics400", method="full", batch=batch))
    assert recipe.optim.lr == pytest.approx(rate, rel=1e-12)
    assert recipe.optim.batch == batch or batch is None
    assert recipe.loss.consistency == "none"
    assert (recipe.options.token_table, recipe.options.temperature) == (False, False)


@pytest.mark.parametrize("task", TABLE_1)
def test_the_batch_changes_no_other_value_of_msta(task):
    one, two = (RECIPES[task](Choice("ucf101", batch=batch)) for batch in (None, 7))
    assert asdict(one) | {"optim": None} == asdict(two) | {"optim": None}
    assert asdict(two.optim) == asdict(one.optim) | {"batch": 7}


@pytest.mark.parametrize("task", TABLE_1)
def test_zero_shot_trains_nothing(task):
    recipe = RECIPES[task](Choice("ucf101", method="zero-shot"))
    assert (recipe.optim.epochs, recipe.loss.consistency) == (0, "none")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("task", RECIPES)
def test_toy_recipes_fit_the_nano_backbone(task, method):
    recipe = RECIPES[task](Choice("toy", method))
    assert recipe.backbone == "nano"
    check_look(recipe.look, SIZES["nano"])
    if task != "pretrain":
        with torch.device("meta"):
            build_method(method, ViCLIP(SIZES["nano"]), recipe.options, 1)
    assert recipe.augment.flip == 0  # left would become right
    assert recipe.task == task
    if task == "zero-shot":
        assert recipe.protocol.targets == ("toy",)


def test_pictures_of_another_size_than_the_backbone_sees_are_refused():
    recipe = RECIPES["few-shot"](Choice("ucf101"))
    check_look(recipe.look, SIZES["b16"])
    with pytest.raises(UserError, match="48 x 48 pixels, not 224: say --size 48"):
        check_look(recipe.look, SIZES["nano"])


def test_an_unknown_method_is_told_with_the_nearest():
    with pytest.raises(UserError, match="did you mean msta"):
        RECIPES["few-shot"](Choice("ucf101", method="mstaa"))


@pytest.mark.parametrize("task", RECIPES)
def test_the_command_in_a_recipes_docstring_is_that_recipe(task):
    (line,) = [
        line for line in (RECIPES[task].__doc__ or "").splitlines() if "accelerate launch" in line
    ]
    words = shlex.split(line.strip().removeprefix("accelerate launch train/run.py "))
    found = read_words(words).recipe
    assert words[0] == found.task == task
    assert found == RECIPES[task](Choice(found.dataset))
