"""One S3 server for all tests of remote shards."""

from __future__ import annotations

import pytest

from tests.shards.servers import proxy_before, s3_server


@pytest.fixture(scope="session")
def s3_url():
    """Address of an S3 server in a process of its own; tests use a name of their own in it."""
    pytest.importorskip("moto", reason="moto[server] is in the test extra")
    pytest.importorskip("s3fs", reason="s3fs is in the extra remote")
    with s3_server() as url:
        yield url


@pytest.fixture
def s3(s3_url, monkeypatch):
    """A proxy before that server, where S3 clients of this process are sent."""
    with proxy_before(s3_url) as proxy:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield proxy
