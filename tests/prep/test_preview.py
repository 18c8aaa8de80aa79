"""The page shows the frames it names."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from loaders import views
from prep.preview import cards, looks_of
from prep.spread import spread
from shards.store import ShardStore
from tests.loaders.scenes import STEP, flat, store_of
from tests.prep.commands.said import refused, said


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> ShardStore:
    return store_of(tmp_path_factory.mktemp("preview") / "custom", 12, flat)


def test_each_strip_shows_the_frames_it_names(store: ShardStore) -> None:
    plain = views.TrainViews(frames=4, size=48, jitter_p=0.0, grey_p=0.0)
    looks = looks_of(plain, views.TestViews(frames=4, size=48, short_side=56))
    subset = spread(store, 5)
    made = cards(store, subset, looks, seed=3, threads=1)
    assert [card.key for card in made] == list(subset.keys)
    for card in made:
        assert [strip.title for strip in card.strips] == [
            "training, epoch 0", "training, epoch 1", "test",
        ]  # fmt: skip
        for strip in card.strips:
            shown = np.rint(strip.pictures[..., 1].mean(axis=(1, 2)) / STEP).astype(int)
            assert shown.tolist() == list(strip.numbers)


def test_the_page_needs_no_other_file(store: ShardStore, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    words = ("--shards", store.folder.parent, "--clips", 3, "--frames", 2, "--size", 64)
    done = said("preview", "--dataset", "custom", *words, "--out", out, "--json")
    assert done.code == 0, done.err
    text = out.read_text()
    assert len(done.json["keys"]) == 3
    for key in done.json["keys"]:
        assert key in text
    images = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', text)
    assert text.count("<img") == len(images) == 9
    for image in images:
        picture = cv2.imdecode(np.frombuffer(base64.b64decode(image), np.uint8), 1)
        assert picture.shape == (64, 128, 3)


def test_no_clip_is_refused(store: ShardStore) -> None:
    words = ("--dataset", "custom", "--shards", store.folder.parent)
    assert "--clips 0: at least 1" in refused("preview", *words, "--clips", 0)
    assert "no subset 'none'" in refused("preview", *words, "--subset", "none")
