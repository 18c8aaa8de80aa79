"""Keys of `prep describe`: where they come from, and that they go to the server alone."""

from __future__ import annotations

import base64
import json

import pytest

from tests.prep.commands.describing import KEY, TOY, denied, describe
from tests.prep.commands.said import refused, said
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


SECRET = "gate-3f9c-57aa"


@pytest.mark.parametrize(
    "address",
    [
        "http://me:{secret}@{place}/v1",
        "http://{place}/v1?token={secret}",
        "http://{place}/{secret}/v1",
        "http://{place}/v1/{secret}#{secret}",
    ],
)
def test_an_address_with_a_key_in_it_is_told_to_the_server_alone(tmp_path, quick, address):
    login = base64.b64encode(f"me:{SECRET}".encode()).decode()

    def shut(asked: Asked, status: int = 401) -> Reply:
        message = f"{asked.path} {asked.authorization}"  # Basic where the address has a login
        return Reply(status=status, body=json.dumps({"error": {"message": message}}))

    def echo(asked: Asked) -> Reply:
        return good(asked) if asked.before else shut(asked, status=500)

    tell = []
    with serving(echo) as server, serving(shut) as closed:
        for number, other in enumerate((server, closed)):
            url = address.format(secret=SECRET, place=other.url.split("/")[2])
            words = ("--dataset", "toy", "--kind", "spatial", "--base-url", url, "--anew")
            found = said("describe", *words, "--model", f"m{number}", "--out", tmp_path)
            tell += [found.out, found.err]
            assert found.code == number, found.err
    assert all(item.path.split("?")[0].endswith("/chat/completions") for item in server.asked)
    assert all(("token" in address) == ("?" in item.path) for item in server.asked)
    tell += [p.read_text() for p in tmp_path.rglob("*") if p.is_file()]
    assert len(tell) > len(TOY)
    assert not any(SECRET in text or login in text for text in tell)


def test_ends_of_a_key_are_not_passed_on(tmp_path):
    masked = f"{KEY[:7]}*********{KEY[-4:]}"
    body = json.dumps({"error": {"message": f"Incorrect API key provided: {masked}."}})
    with serving(lambda a: Reply(status=401, body=body)) as server:
        line = denied(server, tmp_path)
    assert "Incorrect API key provided: [key]" in line
    assert KEY[-4:] not in line


def test_a_key_file_as_editors_write_it(tmp_path):
    (tmp_path / "key").write_bytes(b"\xef\xbb\xbffrom-an-editor\r\n")
    with serving(good) as server:
        words = ("--kind", "spatial", "--key-file", tmp_path / "key")
        assert describe(server, tmp_path, *words).code == 0
    assert {item.authorization for item in server.asked} == {"Bearer from-an-editor"}


def test_a_place_that_was_named_and_has_no_key_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "key").write_text("\n")
    monkeypatch.delenv("OPENAI_API_KEY")
    with serving(good) as server:
        assert "it is empty" in denied(server, tmp_path, "--key-file", tmp_path / "key")
        line = denied(server, tmp_path, "--key-env", KEY)  # the key itself, by mistake
        assert "--key-env names is not set" in line
        assert KEY not in line
    assert not server.asked


def test_a_server_that_wants_a_key_and_got_none(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with serving(lambda a: Reply(status=401, body='{"error": {"message": "no"}}')) as server:
        line = denied(server, tmp_path)
    assert "wants a key (401), and OPENAI_API_KEY holds none" in line
