"""Each economy against doing everything, on both kinds of backbone; and a false one is found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from manifests.errors import UserError
from tests.train.conftest import World
from tests.train.launching import launch
from train import economies
from train.economies import ECONOMIES, Finding, check, relative_difference, report
from train.methods.adapter import TemporalUp
from train.models.build import build_backbone
from train.models.config import SIZES
from train.models.weights import save_backbone
from train.recipes.words import read_words


def words(world: World, models: Path, *more: str) -> list[str]:
    places = ["--shards", str(world.shards), "--models", str(models)]
    return ["few-shot", "--dataset", "toy", "--shots", "2", "--batch", "12", *places, *more]


@pytest.fixture(scope="module")
def models(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """nano of both kinds."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("nano", "clip-nano"):
        save_backbone(build_backbone(SIZES[name], seed=2), folder / name)
    return folder


@pytest.fixture(autouse=True)
def one_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times are not looked at here."""
    monkeypatch.setattr(economies, "REPEATS", 1)


def by_name(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


@pytest.mark.usefixtures("one_process")
@pytest.mark.parametrize("backbone", ["nano", "clip-nano"])
def test_every_economy_changes_nothing(backbone: str, world: World, models: Path) -> None:
    asked = read_words(words(world, models, "--backbone", backbone, "--blocks", "2", "3"))
    found = by_name(check(asked))
    assert found.keys() == ECONOMIES.keys()
    for finding in found.values():
        assert finding.difference is not None and finding.time is not None
        assert finding.exact and finding.time > 0, finding
    # Something is different where sums are taken in another order: the comparison sees.
    assert any(finding.difference for finding in found.values())


@pytest.mark.usefixtures("one_process")
def test_full_tuning_has_no_use_for_some(world: World, models: Path) -> None:
    found = by_name(check(read_words(words(world, models, "--method", "full"))))
    unused = {name for name, finding in found.items() if finding.difference is None}
    assert unused == {"cached-text", "no-graph", "means-once", "flat-convolution"}
    assert all(finding.exact for finding in found.values())
    assert report(tuple(found.values())).count("not used by this method") == len(unused)


@pytest.mark.usefixtures("one_process")
def test_a_false_economy_is_told(
    world: World, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = TemporalUp.forward

    def wrong(layer: TemporalUp, h: torch.Tensor, frames_first: bool = False) -> torch.Tensor:
        return plain(layer, h, frames_first) * 1.01

    monkeypatch.setattr(TemporalUp, "forward", wrong)
    monkeypatch.setattr(economies, "ECONOMIES", {"flat-convolution": "the convolution"})
    found = check(read_words(words(world, models)))
    assert not found[0].exact and "DIFFERS" in report(found)


@pytest.mark.usefixtures("one_process")
@pytest.mark.parametrize("more", [("--method", "zero-shot"), ("--epochs", "0")])
def test_what_trains_nothing_has_no_step(more: tuple[str, ...], world: World, models: Path) -> None:
    with pytest.raises(UserError, match="looks at a step of tuning"):
        check(read_words(words(world, models, *more)))


def test_the_command(world: World, models: Path) -> None:
    code, text, errors = launch([*words(world, models, "--check-economies", "--json")])
    assert code == 0, errors
    found = json.loads(text)
    assert found["exact"] and [line["name"] for line in found["economies"]] == list(ECONOMIES)


def test_differences_are_relative_to_the_largest_of_a_kind() -> None:
    one: dict[str, Any] = {"loss": torch.tensor(2.0), "a": torch.tensor([1.0, -4.0])}
    same = {name: value.clone() for name, value in one.items()}
    assert relative_difference(one, same) == 0
    assert relative_difference(one, {**same, "a": torch.tensor([1.0, -4.2])}) == pytest.approx(0.05)
    assert relative_difference(one, {**same, "loss": torch.tensor(2.2)}) == pytest.approx(0.1)
    assert relative_difference(one, {"loss": one["loss"]}) == float("inf")
