"""Keys of `prep describe`: where they come from, and that they go to the server alone."""

from __future__ import annotations

import json

import pytest

from tests.prep.commands.describing import KEY, TOY, denied, describe
from tests.prep.commands.said import refused
from tests.prep.descriptions.server import Asked, Reply, good, serving

pytestmark = pytest.mark.usefixtures("key")


def test_the_key_is_nowhere(tmp_path, quick):
    def echo(asked: Asked) -> Reply:
        said_back = f"{asked.authorization} {KEY}"
        if asked.before == 0:
            return Reply(status=500, body=json.dumps({"error": {"message": said_back}}))
        if asked.before == 1:
            return Reply(f"1. {said_back}\n2. b")
        return good(asked)

    with serving(echo) as server:
        found = describe(server, tmp_path)
        line = refused(
            *("describe", "--dataset", "toy", "--model", "other", "--kind", "spatial", "--anew"),
            *("--base-url", server.url.replace("/v1", "/v2"), "--out", tmp_path),
        )
    assert found.code == 0, found.err
    assert {item.authorization for item in server.asked} == {f"Bearer {KEY}"}
    everything = [found.out, found.err, line]
    everything += [p.read_text() for p in tmp_path.rglob("*") if p.is_file()]
    assert len(everything) > 2 * len(TOY)
    assert not any(KEY in text for text in everything)


def test_key_from_a_file_or_another_variable(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    (tmp_path / "key").write_text("from-a-file\n")
    monkeypatch.setenv("MY_KEY", "from-mine")
    with serving(good) as server:
        for name, words in (
            ("a", ("--key-file", tmp_path / "key")),
            ("b", ("--key-env", "MY_KEY")),
        ):
            assert describe(server, tmp_path / name, "--kind", "spatial", *words).code == 0
        assert describe(server, tmp_path / "c", "--kind", "spatial").code == 0  # wants no key
    said_keys = {item.authorization for item in server.asked}
    assert {"Bearer from-a-file", "Bearer from-mine"} < said_keys
    tree = [p.read_text() for n in "abc" for p in (tmp_path / n).rglob("*") if p.is_file()]
    assert tree
    assert not any("from-a-file" in text or "from-mine" in text for text in tree)


@pytest.mark.parametrize("key", ["clé", "two\nlines"])
def test_a_key_that_no_header_holds_is_one_line(tmp_path, monkeypatch, key):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with serving(good) as server:
        line = denied(server, tmp_path)
    assert "key of OPENAI_API_KEY" in line
    assert not any(part in line for part in key.split("\n"))
    assert not server.asked
