"""The shards of real videos in the readers of others: webdataset, Hugging Face, DALI, tar."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest


@pytest.fixture(scope="module")
def tars(calm) -> list[Path]:
    return sorted(calm.folder.glob("shards/*.tar"))


@pytest.fixture(scope="module")
def rows(calm) -> dict[str, dict]:
    """Rows of samples.parquet by key."""
    return {row["key"]: row for row in calm.tables["samples.parquet"].to_pylist()}


def check(rows: dict[str, dict], seen: dict[str, tuple[dict, int, bytes]]) -> None:
    """Every clip once, with its class, and JPEGs of the size and number that the table gives."""
    assert seen.keys() == rows.keys()
    for key, (sidecar, label, mjpg) in seen.items():
        row = rows[key]
        assert (sidecar["key"], label) == (key, row["class_id"])
        assert len(sidecar["frame_sizes"]) == row["frames"]
        assert sum(sidecar["frame_sizes"]) == len(mjpg) == row["bytes"]
        last = np.frombuffer(mjpg[-sidecar["frame_sizes"][-1] :], np.uint8)
        assert cv2.imdecode(last, cv2.IMREAD_COLOR).shape == (row["height"], row["width"], 3)


def test_webdataset(tars, rows):
    import webdataset

    samples = webdataset.WebDataset([str(tar) for tar in tars], shardshuffle=False).decode()
    check(rows, {s["__key__"]: (s["json"], s["cls"], s["mjpg"]) for s in samples})


def test_hugging_face(calm, tars, rows, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    data = datasets.load_dataset(
        "webdataset", data_files=[str(tar) for tar in tars], split="train", cache_dir=tmp_path
    )
    check(rows, {s["__key__"]: (s["json"], s["cls"], s["mjpg"]) for s in data})
    table = datasets.load_dataset(
        "parquet",
        data_files=str(calm.folder / "samples.parquet"),
        split="train",
        cache_dir=tmp_path,
    )
    assert {row["key"]: row for row in table} == rows


def test_dali(tars, rows):
    from nvidia.dali import fn, pipeline_def

    @pipeline_def(batch_size=len(rows), num_threads=1, device_id=None)
    def pipeline():
        return tuple(
            fn.readers.webdataset(
                paths=[str(tar) for tar in tars],
                index_paths=[str(tar.with_suffix(".idx")) for tar in tars],
                ext=["mjpg", "json", "cls"],
                missing_component_behavior="error",
            )
        )

    pipe = pipeline()
    pipe.build()
    mjpg, sidecars, labels = pipe.run()
    seen = {}
    for i in range(len(rows)):
        sidecar = json.loads(bytes(sidecars.at(i)))
        seen[sidecar["key"]] = (sidecar, int(bytes(labels.at(i))), bytes(mjpg.at(i)))
    check(rows, seen)


def test_tar(tars, rows):
    seen = {}
    for path in tars:
        with tarfile.open(path) as tar:
            contents = {member.name: tar.extractfile(member).read() for member in tar}
        for key in {name.partition(".")[0] for name in contents}:
            sidecar = json.loads(contents[f"{key}.json"])
            seen[key] = (sidecar, int(contents[f"{key}.cls"]), contents[f"{key}.mjpg"])
    check(rows, seen)
