"""Class names and descriptions on their way to the text tower.

::

    class names -> prompt text -> template -> token ids (C, L), cut to the longest
    descriptions of a class (N sentences, or what there is) -> frozen features -> their mean (C, E)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from manifests.classes import ClassList
from manifests.descriptions import Descriptions, Kind, find_descriptions
from manifests.errors import UserError
from train.losses import description_mean
from train.models.backbone import Backbone
from train.models.tokenizer import Tokenizer
from train.recipes.records import Loss, Text

_AT_ONCE = 256  # sentences of one pass through the frozen tower


@dataclass(frozen=True)
class Means:
    """Mean description features `(C, E)` of the frozen text tower; None for a kind left out.

    digests: by kind, of the sentences that they are of.
    """

    spatial: torch.Tensor | None = None
    temporal: torch.Tensor | None = None
    digests: Mapping[str, str] = field(default_factory=dict, kw_only=True)


def prompt_ids(
    names: Sequence[str], classes: ClassList, text: Text, tokenizer: Tokenizer
) -> torch.Tensor:
    """Token ids `(C, L)` of the prompts of some classes of a benchmark, in the order of names."""
    if "{}" not in text.template:
        raise UserError(
            f"template {text.template!r} has no place for the class: write {{}} into it"
        )
    prompts = classes.prompts(text.prompt)
    chosen = [prompts[classes.id_of(name)] for name in names]
    return tokenizer.encode([text.template.replace("{}", prompt) for prompt in chosen])


def description_means(
    backbone: Backbone,
    tokenizer: Tokenizer,
    names: Sequence[str],
    benchmark: str,
    store: Path,
    loss: Loss,
) -> Means:
    """Means of the descriptions of some classes, by the backbone as it is before any tuning.

    Raises UserError when the recipe is held to descriptions and there are none.
    """
    kinds: dict[str, tuple[Kind, ...]] = {
        "both": ("spatial", "temporal"),
        "spatial": ("spatial",),
        "temporal": ("temporal",),
        "none": (),
    }
    told = {kind: _find(benchmark, store, kind, loss) for kind in kinds[loss.consistency]}
    found = {
        kind: _means(backbone, tokenizer, names, sentences, loss)
        for kind, sentences in told.items()
    }
    digests: dict[str, str] = {kind: sentences.digest(names) for kind, sentences in told.items()}
    return Means(found.get("spatial"), found.get("temporal"), digests=digests)


def _find(benchmark: str, store: Path, kind: Kind, loss: Loss) -> Descriptions:
    found = find_descriptions(benchmark, store, kind, loss.n_descriptions)
    if found is None:
        raise UserError(
            f"{benchmark} has no {kind} descriptions with N = {loss.n_descriptions}, no "
            f"{kind}-{loss.n_descriptions}.json in {store / 'descriptions'}: make or import them "
            f"with `prep describe --dataset {benchmark} --n {loss.n_descriptions}`, or go on "
            "without by --consistency none"
        )
    return found


@torch.no_grad()
def _means(
    backbone: Backbone,
    tokenizer: Tokenizer,
    names: Sequence[str],
    descriptions: Descriptions,
    loss: Loss,
) -> torch.Tensor:
    sentences = [descriptions.of(name) for name in names]
    flat = [text for texts in sentences for text in texts]
    device = next(backbone.parameters()).device
    features = torch.cat(
        [
            backbone.encode_text(tokenizer.encode(flat[start : start + _AT_ONCE]).to(device))
            for start in range(0, len(flat), _AT_ONCE)
        ]
    )
    parts = torch.split(features, [len(texts) for texts in sentences])
    return description_mean(parts, loss.description_mean)
