"""Prompts and descriptions on their way to the text tower."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from manifests.classes import class_list, load_classes
from manifests.descriptions import Descriptions, Kind, format_descriptions
from manifests.errors import UserError
from train import texts
from train.models.config import SIZES
from train.models.tokenizer import Tokenizer
from train.models.weights import load_backbone
from train.recipes.records import Loss, Text
from train.texts import Means, description_means, prompt_ids

TOKENIZER = Tokenizer(SIZES["nano"].text.vocabulary, SIZES["nano"].text.context)
UCF = load_classes("ucf101")
NAMES = ("alpha", "beta", "gamma")
RAGGED = {
    "alpha": ("one", "two things", "and three more of them"),
    "beta": ("only this",),
    "gamma": ("here", "and there"),
}


@pytest.fixture(scope="module")
def backbone(world):
    return load_backbone("nano", 8, world.models)[0]


def put(store: Path, kind: Kind, sentences: dict[str, tuple[str, ...]], n: int = 2) -> None:
    """Lay a file of descriptions beside a store."""
    found = Descriptions("custom", kind, n, sentences, {"by": "hand"})
    path = store / "descriptions" / found.file_name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(format_descriptions(found))


@torch.no_grad()
def slow_means(backbone, sentences, names, mode) -> torch.Tensor:
    """One sentence at a time."""
    rows = []
    for name in names:
        features = [backbone.encode_text(TOKENIZER.encode([text]))[0] for text in sentences[name]]
        units = [F.normalize(f, dim=0) if mode == "normalised" else f for f in features]
        rows.append(sum(units) / len(units))
    return torch.stack(rows)


# prompts


@given(st.lists(st.sampled_from(UCF.names), min_size=1, max_size=6, unique=True))
def test_prompts_stand_in_the_order_of_the_names(names):
    found = prompt_ids(names, UCF, Text("split", "a video of {}."), TOKENIZER)
    for name, line in zip(names, found, strict=True):
        prompt = UCF.prompts("split")[UCF.id_of(name)]
        alone = TOKENIZER.encode([f"a video of {prompt}."])[0]
        assert torch.equal(line[: len(alone)], alone)
        assert not line[len(alone) :].any()
    assert found.shape[1] == max(int((line > 0).sum()) for line in found)


def test_raw_prompts_are_those_of_the_published_lists():
    names = ("ApplyEyeMakeup", "PlayingGuitar")
    raw, split = (prompt_ids(names, UCF, Text(mode), TOKENIZER) for mode in ("raw", "split"))
    prompts = dict(zip(UCF.names, UCF.prompts("raw"), strict=True))
    wanted = [f"a video of {prompts[name]}." for name in names]
    assert torch.equal(raw, TOKENIZER.encode(wanted))
    assert torch.equal(
        split, TOKENIZER.encode(["a video of Apply Eye Makeup.", "a video of Playing Guitar."])
    )


def test_braces_in_a_class_name_are_only_braces():
    classes = class_list("custom", ["{} {0}", "b"])
    found = prompt_ids(["{} {0}"], classes, Text(template="see {} now"), TOKENIZER)
    assert torch.equal(found, TOKENIZER.encode(["see {} {0} now"]))


@pytest.mark.parametrize("template", ["", "a video.", "a video of { }."])
def test_a_template_without_a_place_is_refused(template):
    with pytest.raises(UserError, match=r"write \{\} into it"):
        prompt_ids(NAMES, UCF, Text(template=template), TOKENIZER)


# descriptions


@pytest.mark.parametrize("mode", ["normalised", "raw"])
@pytest.mark.parametrize("at_once", [1, 2, 4, 256])
def test_means_of_ragged_lists(backbone, tmp_path, monkeypatch, mode, at_once):
    monkeypatch.setattr(texts, "_AT_ONCE", at_once)
    put(tmp_path, "spatial", RAGGED)
    loss = Loss("spatial", description_mean=mode)
    found = description_means(backbone, TOKENIZER, NAMES, "custom", tmp_path, loss)
    assert found.temporal is None and found.spatial is not None
    assert not found.spatial.requires_grad
    wanted = slow_means(backbone, RAGGED, NAMES, mode)
    torch.testing.assert_close(found.spatial, wanted, rtol=1e-4, atol=1e-5)


def test_classes_in_another_order_have_their_means_in_that_order(backbone, tmp_path):
    put(tmp_path, "temporal", RAGGED)
    loss = Loss("temporal")
    there, back = (
        description_means(backbone, TOKENIZER, names, "custom", tmp_path, loss).temporal
        for names in (NAMES, NAMES[::-1])
    )
    assert there is not None and back is not None
    torch.testing.assert_close(back, there.flip(0), rtol=1e-4, atol=1e-5)


def test_both_kinds_have_means_of_their_own(backbone, tmp_path):
    put(tmp_path, "spatial", RAGGED)
    put(tmp_path, "temporal", dict.fromkeys(NAMES, ("another",)))
    found = description_means(backbone, TOKENIZER, NAMES, "custom", tmp_path, Loss("both"))
    told = Descriptions("custom", "spatial", 2, RAGGED, {}).digest(NAMES)
    assert found.digests.keys() == {"spatial", "temporal"} and found.digests["spatial"] == told
    assert found.spatial is not None and found.temporal is not None
    assert not torch.allclose(found.spatial, found.temporal)
    torch.testing.assert_close(found.temporal[0], found.temporal[2])


def test_none_needs_no_file(backbone, tmp_path):
    found = description_means(backbone, TOKENIZER, NAMES, "custom", tmp_path, Loss("none"))
    assert found == Means(None, None)


def test_the_toy_benchmark_brings_its_own(backbone, tmp_path):
    names = load_classes("toy").names
    found = description_means(backbone, TOKENIZER, names, "toy", tmp_path, Loss())
    assert found.spatial is not None and found.temporal is not None
    assert found.spatial.shape == found.temporal.shape == (24, SIZES["nano"].embed)


@pytest.mark.parametrize(
    ("consistency", "there", "told"),
    [
        ("both", (), "spatial-2.json"),
        ("both", ("spatial",), "temporal-2.json"),
        ("temporal", ("spatial",), "temporal-2.json"),
        ("spatial", ("temporal",), "spatial-2.json"),
    ],
)
def test_absent_descriptions_are_told_in_one_line(backbone, tmp_path, consistency, there, told):
    for kind in there:
        put(tmp_path, kind, RAGGED)
    with pytest.raises(UserError, match="--consistency none") as said:
        description_means(backbone, TOKENIZER, NAMES, "custom", tmp_path, Loss(consistency))
    text = str(said.value)
    assert told in text and str(tmp_path / "descriptions") in text and "\n" not in text


def test_the_number_of_descriptions_names_the_file(backbone, tmp_path):
    put(tmp_path, "spatial", RAGGED, n=8)
    loss = Loss("spatial", n_descriptions=8)
    assert (
        description_means(backbone, TOKENIZER, NAMES, "custom", tmp_path, loss).spatial is not None
    )
    with pytest.raises(UserError, match="N = 2"):
        description_means(backbone, TOKENIZER, NAMES, "custom", tmp_path, Loss("spatial"))


@pytest.mark.parametrize("texts_of_beta", [None, ()])
def test_a_class_without_a_sentence_is_told(backbone, tmp_path, texts_of_beta):
    sentences = {**RAGGED, "beta": texts_of_beta}
    if texts_of_beta is None:
        del sentences["beta"]
    put(tmp_path, "spatial", sentences)
    with pytest.raises(UserError, match="no spatial sentence for class 'beta'"):
        description_means(backbone, TOKENIZER, NAMES, "custom", tmp_path, Loss("spatial"))
