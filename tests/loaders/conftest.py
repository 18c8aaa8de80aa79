"""Sets that every test may read and none may change."""

from __future__ import annotations

import itertools

import av
import numpy as np
import pytest

from tests.loaders.scenes import film, flat, store_of, texture

SHORT_SIDE = 256


@pytest.fixture(scope="session")
def flat_store(tmp_path_factory):
    """Thirty clips whose every frame can be told from its colour."""
    return store_of(tmp_path_factory.mktemp("flat") / "custom", 30, flat)


@pytest.fixture(scope="session")
def texture_store(tmp_path_factory):
    """Sixteen clips with something to see."""
    return store_of(tmp_path_factory.mktemp("texture") / "custom", 16, texture)


@pytest.fixture(scope="session")
def real_films(clips) -> list[np.ndarray]:
    """Eight frames of each real video that opens, uint8 (8, H, W, 3), short side at most 256."""
    found = []
    for path in sorted(clips.glob("*/**/*")):
        if path.suffix not in (".mp4", ".avi", ".webm") or "broken" in path.parts:
            continue
        with av.open(str(path)) as container:
            frames = list(itertools.islice(container.decode(video=0), 0, 64, 8))
            scale = min(1.0, SHORT_SIDE / min(frames[0].width, frames[0].height))
            size = {"width": round(frames[0].width * scale)}
            size["height"] = round(frames[0].height * scale)
            found.append(
                np.stack([f.reformat(**size, format="rgb24").to_ndarray() for f in frames])
            )
    return found


@pytest.fixture(scope="session")
def real_store(real_films, tmp_path_factory):
    """Thirty-two clips of real frames, videos repeated or left out as need be."""
    folder = tmp_path_factory.mktemp("real") / "custom"
    return store_of(folder, 32, lambda clip: film(clip, real_films[clip.row % len(real_films)]))
