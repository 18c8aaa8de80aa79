"""Tests of a method on real shards: every video, among its own classes, whatever the batch."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator

import loaders
from train import evaluation
from train.data import Target, read_data, restricted
from train.evaluation import Evaluator, Reading
from train.methods import build_method, default_options
from train.models.weights import load_backbone
from train.recipes import records
from train.recipes.published import RECIPES, Choice
from train.recipes.records import Grid
from train.texts import prompt_ids

pytestmark = pytest.mark.usefixtures("one_process")
CPU = Reading(backend="cpu", threads=1)


@pytest.fixture(scope="module")
def method(world):
    """Adapters of their first values on the nano backbone, and its tokenizer."""
    backbone, tokenizer, _ = load_backbone("nano", 8, world.models)
    options = default_options("msta", mid=32, blocks=(1, 3), scale=1.0)
    return build_method("msta", backbone, options, 1), tokenizer


def recipe_of(task="few-shot", *, views=(1, 1), batch=0):
    made = RECIPES[task](Choice("toy"))
    look = replace(made.look, views=Grid(*views))
    return replace(
        made,
        look=look,
        testing=records.Testing(eval_batch=batch),
        protocol=replace(made.protocol, shots=2),
    )


def evaluate(world, method, recipe, targets=None):
    data = read_data(recipe, world.shards, save=False)
    module, tokenizer = method
    evaluator = Evaluator(recipe, targets or data.targets, tokenizer, Accelerator(cpu=True), CPU)
    try:
        return evaluator.evaluate(module, 3)
    finally:
        evaluator.close()


@torch.no_grad()
def slow(world, method, recipe) -> list[int]:
    """Class chosen for each video of the test split, one view after the other."""
    data = read_data(recipe, world.shards, save=False)
    module, tokenizer = method
    module.eval()
    target, look = data.targets[0], recipe.look
    ids = prompt_ids(target.subset.classes, target.store.classes, recipe.text, tokenizer)
    texts = [module.encode_text(line[None])[0] for line in ids]
    views = loaders.TestViews(
        8, look.size, look.views.clips, look.views.crops, look.short_side, look.statistics
    )
    chosen = []
    with loaders.ClipLoader(
        target.store, target.subset, views, 1, backend="cpu", threads=1
    ) as loader:
        for batch in loader.epoch(0):
            total = torch.zeros(len(texts))
            for clip in batch.clips:
                video = module.encode_video(clip[None])[0]
                cosines = [torch.cosine_similarity(video, text, dim=0) for text in texts]
                total += (torch.stack(cosines) / module.tau).softmax(dim=0)
            chosen.append(int(total.argmax()))
    return chosen


@pytest.mark.parametrize(("views", "batch"), [((1, 1), 0), ((1, 1), 5), ((2, 3), 7)])
def test_figures_are_those_of_a_slow_reference(world, method, views, batch):
    recipe = recipe_of(views=views, batch=batch)
    (found,) = evaluate(world, method, recipe)
    chosen = slow(world, method, recipe)
    target = read_data(recipe, world.shards, save=False).targets[0]
    labels = target.subset.labels(target.store).tolist()
    right = sum(one == other for one, other in zip(chosen, labels, strict=True))
    assert found.top1 == pytest.approx(100 * right / 48)
    correct = [row.correct for row in found.per_class]
    assert correct == [
        sum(c == label == i for c, label in zip(chosen, labels, strict=True)) for i in range(24)
    ]
    assert (found.evaluated, found.of, found.classes) == (48, 48, 24)
    assert (found.clips, found.crops, found.epoch) == (*views, 3)
    assert found.subset == target.subset.hash and found.dataset == target.store.identity
    assert found.top5 is not None and found.top5 >= found.top1
    assert [row.videos for row in found.per_class] == [2] * 24


def test_halves_are_tested_among_their_own_classes(world, method):
    base, novel = evaluate(world, method, recipe_of("base-novel", batch=5))
    assert (base.target, novel.target) == ("base", "novel")
    assert base.classes == novel.classes == 12
    assert base.evaluated == base.of == novel.evaluated == novel.of == 24
    assert not {row.name for row in base.per_class} & {row.name for row in novel.per_class}


def test_fewer_than_five_candidates_have_no_top_5(world, method):
    recipe = recipe_of()
    (whole,) = read_data(recipe, world.shards, save=False).targets
    part = restricted(whole.subset, whole.store, whole.subset.classes[:4], "few")
    (found,) = evaluate(world, method, recipe, [Target("few", whole.store, part)])
    assert (found.top5, found.classes, found.of) == (None, 4, 8)


def test_what_the_published_loaders_drop_is_named(world, method):
    """Ten videos leave two of their 8 ranks a batch of 2 and six a single video, which is lost."""
    recipe = recipe_of()
    recipe = replace(recipe, testing=replace(recipe.testing, published_drop=True))
    (whole,) = read_data(recipe, world.shards, save=False).targets
    part = restricted(whole.subset, whole.store, whole.subset.classes[:5], "few")
    (found,) = evaluate(world, method, recipe, [Target("few", whole.store, part)])
    assert (found.evaluated, found.of, found.published_drop) == (4, 10, True)
    assert found.line.endswith("evaluated 4 of 10 (published drop)")


def test_an_evaluation_repeats_and_leaves_the_method_as_it_was(world, method):
    recipe = recipe_of()
    data = read_data(recipe, world.shards, save=False)
    module, tokenizer = method
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    evaluator = Evaluator(recipe, data.targets, tokenizer, Accelerator(cpu=True), CPU)
    found = []
    for training in (True, False):
        module.train(training)
        found += [replace(one, seconds=0.0) for one in evaluator.evaluate(module, 1)]
        assert module.training is training
        assert all(part.training is training for part in module.modules())
    evaluator.close()
    assert found[0] == found[1]  # dropout is off in both
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


def test_loaders_are_told_what_the_recipe_says(world, method, monkeypatch):
    told, said = [], []

    class Told(loaders.ClipLoader):
        def __init__(self, store, subset, views, batch, **words):
            told.append((subset.name, views, batch, words["rank"], words["world"]))
            said.append((words["seed"], words["dtype"], words["published_drop"]))
            super().__init__(store, subset, views, batch, **words)

    monkeypatch.setattr(evaluation, "ClipLoader", Told)
    made = recipe_of("base-novel", views=(2, 3))
    look = replace(made.look, frames=4, short_side=56, statistics="clip", random_clips=True)
    data = read_data(made, world.shards, save=False)
    recipe = replace(
        made,
        seed=9,
        look=look,
        optim=replace(made.optim, precision="bf16"),
        testing=replace(made.testing, published_drop=True),
    )
    Evaluator(recipe, data.targets, method[1], Accelerator(cpu=True), CPU).close()
    views = loaders.TestViews(
        4, 48, clips=2, crops=3, short_side=56, statistics="clip", random_clips=True
    )
    assert said == [(9, torch.bfloat16, True)] * 2
    assert told == [("test-base", views, 5, 0, 1), ("test-novel", views, 5, 0, 1)]
