"""The YAML block of a card, read back by the libraries that go by it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from datasets import ClassLabel, Features
from datasets.info import DatasetInfosDict
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCard
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.classes import BENCHMARKS
from prep.hub.about import about
from prep.hub.card import card_text
from prep.hub.contents import HubSet, read_set
from prep.hub.header import card_header, licence, sample_features, size_category
from shards.records import DatasetHeader
from tests.prep.hub.sets import named, parted, shared
from tests.shards.made import CLASSES, SPLITS

_NAMES = st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=6, unique=True)


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> HubSet:
    """A set whose splits share their videos."""
    folder = tmp_path_factory.mktemp("set") / "custom"
    shared(folder)
    return read_set("custom", folder)


def _card(header: str) -> DatasetCard:
    return DatasetCard(f"---\n{header}\n---\n", ignore_metadata_errors=False)


def _with_classes(found: HubSet, names: list[str]) -> HubSet:
    header = found.info.header
    header = DatasetHeader(header.benchmark, tuple(names), header.splits, header.settings)
    return replace(found, info=replace(found.info, header=header))


@settings(max_examples=30)
@given(names=_NAMES)
def test_class_names_come_back_whatever_they_are(found, names):
    card = _card(card_header(_with_classes(found, names), about("custom")))
    (info,) = DatasetInfosDict.from_dataset_card_data(card.data).values()
    assert info.features["cls"].names == names
    assert info.features == sample_features(tuple(names), SPLITS)


def test_names_that_yaml_takes_for_other_things(found):
    names = ["yes", "no", "1", "null", "~", "a: b", "[something] into [something]", "---", "'"]
    card = _card(card_header(_with_classes(found, names), about("custom")))
    (info,) = DatasetInfosDict.from_dataset_card_data(card.data).values()
    assert info.features["cls"].names == names


def test_splits_files_and_counts(found, tmp_path):
    parted(tmp_path / "custom")
    for one in (found, read_set("custom", tmp_path / "custom")):
        card = _card(card_header(one, about("custom")))
        (info,) = DatasetInfosDict.from_dataset_card_data(card.data).values()
        assert {name: split.num_examples for name, split in info.splits.items()} == {
            split.name: split.clips for split in one.splits
        }
        assert sum(s.num_examples for s in info.splits.values()) == one.info.counts.stored
        assert sum(s.num_bytes for s in info.splits.values()) == one.info.counts.bytes
        assert "all" not in info.splits  # the union of all splits, to Hugging Face
        (config,) = MetadataConfigs.from_dataset_card_data(card.data).values()
        assert [file["split"] for file in config["data_files"]] == list(info.splits)


@given(st.integers(1, 10**8 - 1))
def test_size_category_holds_the_number(clips):
    low, _, high = size_category(clips).partition("<n<")
    units = {"K": 1_000, "M": 1_000_000}
    if not high:
        assert clips < 1_000 and low == "n<1K"
    else:
        bounds = [int(word[:-1]) * units[word[-1]] for word in (low, high)]
        assert bounds[0] <= clips < bounds[1]


@pytest.mark.parametrize("benchmark", [*BENCHMARKS, "custom"])
def test_terms_of_every_benchmark(benchmark):
    told = about(benchmark)
    assert told.title and told.terms
    said = licence(benchmark, told)
    if told.place is None:
        assert said == {"license": "unknown"}
    else:
        assert told.paper
        assert said["license"] == "other"
        assert said["license_link"].startswith("http")
        assert " " not in said["license_link"]


def test_card_of_an_official_benchmark(tmp_path):
    store = named(tmp_path / "ssv2", "ssv2")
    told = about("ssv2")
    card = DatasetCard(card_text(read_set("ssv2", store.folder), told))
    assert card.data.license == "other"
    assert card.data.license_name == "ssv2-terms"
    assert card.data.task_categories == ["video-classification"]
    text = card.text
    assert told.place.videos in text and told.paper in text and store.identity in text
    for number, name in enumerate(store.classes.names):
        assert f"| {number} | {name} | " in text
    assert "prep shard --dataset ssv2 --frames auto --short-side 64" in text


def test_features_are_those_of_the_members():
    features = sample_features(CLASSES, ())
    assert isinstance(features, Features)
    assert isinstance(features["cls"], ClassLabel)
    assert features["cls"].encode_example(-1) == -1
