"""The YAML block at the head of a card: what `load_dataset` and the Hub's search go by.

`datasets` treats the three members of a sample so: ``.cls`` becomes an int, ``.json`` a dictionary,
any ending it does not know, such as ``.mjpg``, bytes. The features declared here say what those
are; class -1, "no label published", is legal for a ``ClassLabel``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from datasets import ClassLabel, DatasetInfo, Features, SplitDict, SplitInfo, Value
from datasets.info import DatasetInfosDict
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCardData

from prep.hub.about import About
from prep.hub.contents import HubSet
from shards.records import SHARDS

_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)


def card_header(found: HubSet, told: About) -> str:
    """The YAML block, without the lines of dashes around it."""
    benchmark = found.info.benchmark
    card = DatasetCardData(
        pretty_name=f"{told.title} as shards of JPEG frames",
        task_categories=["video-classification"],
        size_categories=[size_category(found.info.counts.stored)],
        tags=["webdataset", "action-recognition", benchmark],
        **licence(benchmark, told),
    )
    MetadataConfigs({"default": {"data_files": data_files(found)}}).to_dataset_card_data(card)
    DatasetInfosDict({"default": dataset_info(found)}).to_dataset_card_data(card)
    # In ASCII: the Hub's own way of writing it loses names that hold one of Unicode's line breaks.
    text: str = yaml.safe_dump(card.to_dict(), sort_keys=False)
    return text


def licence(benchmark: str, told: About) -> dict[str, str]:
    """Terms of the benchmark: none of them is a licence that the Hub has a name for."""
    if told.link is None:
        return {"license": "unknown"}
    return {
        "license": "other",
        "license_name": f"{benchmark}-terms",
        "license_link": told.link,
    }


def size_category(clips: int) -> str:
    """The Hub's word for a number of clips."""
    return next((word for bound, word in _SIZES if clips < bound), "10M<n<100M")


def data_files(found: HubSet) -> list[dict[str, str]]:
    """Which tars are which split, by their names."""
    return [
        {"split": split.name, "path": f"{SHARDS}/{split.partition}-*.tar"} for split in found.splits
    ]


def dataset_info(found: HubSet) -> DatasetInfo:
    """Features, and clips and bytes of each split; the bytes are those of its tars."""
    splits = SplitDict()
    for split in found.splits:
        splits.add(SplitInfo(split.name, num_bytes=split.bytes, num_examples=split.clips))
    return DatasetInfo(
        features=sample_features(found.info.header.classes, found.info.splits),
        splits=splits,
        download_size=found.info.counts.bytes,
        dataset_size=found.info.counts.bytes,
    )


def sample_features(classes: tuple[str, ...], splits: tuple[str, ...]) -> Features:
    """What `datasets` yields of a clip; the last two are its own, of every WebDataset."""
    return Features(
        {
            "cls": ClassLabel(names=list(classes)),
            "json": _sidecar(splits),
            "mjpg": Value("large_binary"),  # frames of a long clip times a batch pass 2 GB
            "__key__": Value("string"),
            "__url__": Value("string"),
        }
    )


def _sidecar(splits: tuple[str, ...]) -> Mapping[str, Any]:
    """Types of the .json member, field by field as ``shards/writer.py`` writes it."""
    return {
        "key": Value("string"),
        "row": Value("int64"),
        "name": Value("string"),
        "benchmark": Value("string"),
        "class_id": Value("int32"),
        "class_name": Value("string"),
        "partition": Value("string"),
        "splits": {split: Value("bool") for split in splits},
        "start": Value("float64"),
        "end": Value("float64"),
        "fps": Value("float64"),
        "width": Value("int32"),
        "height": Value("int32"),
        "source_frame_count": Value("int32"),
        "decode_errors": Value("int32"),
        "frame_sizes": [Value("uint32")],
        "source_frames": [Value("uint32")],
    }
