"""The surroundings of `prep describe`."""

from __future__ import annotations

import os

import pytest

from prep.descriptions import asking
from tests.prep.commands.describing import KEY


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key, and nothing else that the client would read."""
    for name in [name for name in os.environ if name.startswith("OPENAI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting where the server does not ask for it."""
    monkeypatch.setattr(asking, "back_off", lambda tried: 0.0)
