"""Every line of Tables 6 and 7 has its variant, which changes that line's thing alone."""

from __future__ import annotations

import pytest
import torch

from train.methods import build_method
from train.models.config import SIZES
from train.models.viclip import ViCLIP
from train.recipes.ablations import VARIANTS
from train.recipes.published import RECIPES, Choice
from train.recipes.records import differences

BASE = RECIPES["base-novel"](Choice("ucf101"))
# Line of the table -> what it sets. Lines equal to the recipe itself change nothing.
LINES = {
    "only-l-adapter": {"options.towers": "text"},
    "only-v-adapter": {"options.towers": "vision"},
    "no-shared": {"options.shared": False},
    "full-adapters": {"options.shared": True, "options.towers": "both"},
    **{f"mid-{m}": {"options.mid": m} for m in (64, 128, 256)},
    "mid-512": {"options.mid": 512, "options.groups": 256},
    **{f"scale-{scale}": {"options.scale": scale} for scale in (0.001, 0.005, 0.01, 0.05)},
    **{f"alpha-{alpha:g}": {"loss.alpha": alpha} for alpha in (0.1, 1.0, 5.0)},
    **{f"n-{n}": {"loss.n_descriptions": n} for n in (2, 4, 8)},
    **{
        f"blocks-{first}-{last}": {"options.blocks": [first, last]}
        for first, last in ((1, 6), (1, 12), (7, 12), (8, 12), (10, 12))
    },
    "no-descriptions": {"loss.consistency": "none"},
    "no-spatial": {"loss.consistency": "temporal"},
    "no-temporal": {"loss.consistency": "spatial"},
    "full-descriptions": {"loss.consistency": "both"},
}
AS_RECIPE = {"full-adapters", "mid-256", "scale-0.005", "alpha-1", "n-2", "blocks-1-12"}
AS_RECIPE |= {"full-descriptions"}


def test_there_is_a_variant_for_every_line_and_no_other():
    assert set(VARIANTS) == set(LINES)


@pytest.mark.parametrize("name", LINES)
def test_a_variant_changes_the_line_alone(name):
    varied = VARIANTS[name](BASE)
    found = varied.as_json()
    changed = [text.split()[0] for text in differences(found, BASE.as_json())]
    assert set(changed) <= LINES[name].keys()
    assert bool(changed) == (name not in AS_RECIPE)
    for field, value in LINES[name].items():
        group, key = field.split(".")
        assert found[group][key] == value


@pytest.mark.parametrize("name", LINES)
def test_a_variant_fits_the_papers_backbone(name):
    varied = VARIANTS[name](BASE)
    with torch.device("meta"):
        method = build_method("msta", ViCLIP(SIZES["b16"]), varied.options, 1)
    trained = {key: p.numel() for key, p in method.named_parameters() if p.requires_grad}
    assert trained
    first, last = varied.options.blocks
    kinds = {
        "visual_adapter": varied.options.towers != "text",
        "text_adapter": varied.options.towers != "vision",
        "shared_adapter": varied.options.shared,
    }
    for kind, wanted in kinds.items():
        blocks = {int(key.split(".")[1]) for key in trained if key.startswith(kind)}
        assert blocks == (set(range(first, last + 1)) if wanted else set())
