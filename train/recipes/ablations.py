"""Each line of the paper's ablations (Tables 6 and 7) as a change of one recipe.

::

    accelerate launch train/run.py base-novel --dataset ucf101 --variant mid-64

The tables are means over the four base-to-novel sets, so that is one quarter of one line. A variant
changes the defaults; words on the command line still override it. The presets of LoRA are chosen
the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from train.methods.options import LORA_PRESETS, LoRAOptions
from train.recipes.records import Consistency, Recipe

AnyRecipe = Recipe[Any, Any]
Variant = Callable[[AnyRecipe], AnyRecipe]


def _option(**values: Any) -> Variant:
    """Change MSTA's own options."""

    def change(recipe: AnyRecipe) -> AnyRecipe:
        return replace(recipe, options=replace(recipe.options, **values))

    return change


def _loss(**values: Any) -> Variant:
    def change(recipe: AnyRecipe) -> AnyRecipe:
        return replace(recipe, loss=replace(recipe.loss, **values))

    return change


def _held_to(kinds: Consistency) -> Variant:
    return _loss(consistency=kinds)


def _preset(options: LoRAOptions) -> Variant:
    return lambda recipe: replace(recipe, options=options)


def _itself(recipe: AnyRecipe) -> AnyRecipe:
    return recipe


TABLES: Final[Mapping[str, Mapping[str, Variant]]] = {
    # The tower that keeps its adapter keeps a shared layer of its own; without shared layers both
    # W_s and its ReLU are left out.
    "6a": {
        "only-l-adapter": _option(towers="text"),
        "only-v-adapter": _option(towers="vision"),
        "no-shared": _option(shared=False),
        "full-adapters": _itself,
    },
    # 512 does not divide 768: groups = gcd(768, 512) = 256 in this line alone.
    "6b": {
        "mid-64": _option(mid=64),
        "mid-128": _option(mid=128),
        "mid-256": _option(mid=256),
        "mid-512": _option(mid=512, groups=256),
    },
    "6c": {
        "scale-0.001": _option(scale=0.001),
        "scale-0.005": _option(scale=0.005),
        "scale-0.01": _option(scale=0.01),
        "scale-0.05": _option(scale=0.05),
    },
    "6d": {
        "alpha-0.1": _loss(alpha=0.1),
        "alpha-1": _loss(alpha=1.0),
        "alpha-5": _loss(alpha=5.0),
    },
    "6e": {
        "n-2": _loss(n_descriptions=2),
        "n-4": _loss(n_descriptions=4),
        "n-8": _loss(n_descriptions=8),
    },
    "6f": {
        "blocks-1-6": _option(blocks=(1, 6)),
        "blocks-1-12": _option(blocks=(1, 12)),
        "blocks-7-12": _option(blocks=(7, 12)),
        "blocks-8-12": _option(blocks=(8, 12)),
        "blocks-10-12": _option(blocks=(10, 12)),
    },
    "7": {
        "no-descriptions": _held_to("none"),
        "no-spatial": _held_to("temporal"),
        "no-temporal": _held_to("spatial"),
        "full-descriptions": _held_to("both"),
    },
}
VARIANTS: Final[Mapping[str, Variant]] = {
    name: variant for lines in TABLES.values() for name, variant in lines.items()
}
PRESETS: Final[Mapping[str, Variant]] = {
    name: _preset(options) for name, options in LORA_PRESETS.items()
}
VARIANTS_OF: Final[Mapping[str, Mapping[str, Variant]]] = {"msta": VARIANTS, "lora": PRESETS}
