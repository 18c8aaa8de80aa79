"""Folders of reference data that some tests are held against; absent folders skip those tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A shared machine makes any one example slow now and then; that is no failure of what it shows.
settings.register_profile("actionshards", deadline=None, print_blob=True)
settings.load_profile("actionshards")

_REFERENCE = Path(__file__).resolve().parents[2] / "shared"


def _folder(variable: str, default: str) -> Path:
    path = Path(os.environ.get(variable, _REFERENCE / default))
    if not path.exists():
        pytest.skip(f"{variable} names no folder or file: {path}")
    return path


@pytest.fixture(scope="session")
def oracles() -> Path:
    """Numeric reference data (safetensors and JSON)."""
    return _folder("ORACLES", "reference/oracles")


@pytest.fixture(scope="session")
def clips() -> Path:
    """Real clips and real broken files, with their MANIFEST.csv."""
    return _folder("CLIPS", "clips")


@pytest.fixture(scope="session")
def annotations() -> Path:
    """Official annotation files, one folder a benchmark."""
    return _folder("ANNOTATIONS", "annotations")


@pytest.fixture(scope="session")
def published() -> Path:
    """Published split lists, one folder a repository."""
    return _folder("PUBLISHED", "published_splits")


@pytest.fixture(scope="session")
def descriptions() -> Path:
    """Published class descriptions."""
    return _folder("DESCRIPTIONS", "descriptions")


@pytest.fixture(scope="session")
def author_logs() -> Path:
    """The figures of the authors' own runs, one JSON file."""
    return _folder("AUTHOR_LOGS", "reference/author_logs.json")


@pytest.fixture(scope="session")
def s3_url():
    """Address of an S3 server in a process of its own; tests use a name of their own in it."""
    pytest.importorskip("moto", reason="moto[server] is in the extra test")
    pytest.importorskip("s3fs", reason="s3fs is in the extra remote")
    from tests.shards.servers import s3_server

    with s3_server() as url:
        yield url


@pytest.fixture
def s3(s3_url, monkeypatch):
    """A proxy before that server, where S3 clients of this process are sent."""
    from tests.shards.servers import proxy_before

    with proxy_before(s3_url) as proxy:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield proxy


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect GPU tests where there is no GPU, without importing torch for it."""
    if Path("/proc/driver/nvidia").exists() or Path("/dev/nvidia0").exists():
        return
    gpu = [item for item in items if item.get_closest_marker("gpu")]
    if gpu:
        config.hook.pytest_deselected(items=gpu)
        items[:] = [item for item in items if item not in gpu]
