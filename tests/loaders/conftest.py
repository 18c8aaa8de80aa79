"""Two sets that every test may read and none may change."""

from __future__ import annotations

import pytest

from tests.loaders.scenes import flat, store_of, texture


@pytest.fixture(scope="session")
def flat_store(tmp_path_factory):
    """Thirty clips whose every frame can be told from its colour."""
    return store_of(tmp_path_factory.mktemp("flat") / "custom", 30, flat)


@pytest.fixture(scope="session")
def texture_store(tmp_path_factory):
    """Sixteen clips with something to see."""
    return store_of(tmp_path_factory.mktemp("texture") / "custom", 16, texture)
