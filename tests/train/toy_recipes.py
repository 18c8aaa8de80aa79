"""Recipes on the toy shards, for tests of what they train and test on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from shards.store import ShardStore
from train.recipes import records
from train.recipes.published import RECIPES, Choice
from train.recipes.records import Recipe

AnyRecipe = Recipe[Any, Any]


def recipe(task: str, *, shots: int = 2, seed: int = 1, validation: int = 0) -> AnyRecipe:
    made = replace(
        RECIPES[task](Choice("toy")), seed=seed, testing=records.Testing(validation=validation)
    )
    return replace(made, protocol=replace(made.protocol, shots=shots))


def store_of(shards: Path) -> ShardStore:
    return ShardStore.open(shards / "toy")
