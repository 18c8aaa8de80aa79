"""`prep describe` against a real server: what is asked, what is kept, nothing asked twice."""

from __future__ import annotations

import shutil
import sys

import pytest

from manifests.descriptions import check_descriptions, find_descriptions
from prep.descriptions.endpoint import host
from prep.descriptions.forms import prompt
from tests.prep.commands.describing import KEY, TOY, WORDS, denied, describe, files
from tests.prep.commands.said import refused, said
from tests.prep.descriptions.server import good, sentences, serving

pytestmark = pytest.mark.usefixtures("key")


def prompts(*kinds: str) -> set[str]:
    return {prompt(kind, 2, name) for kind in kinds for name in TOY.prompts("split")}


def test_every_class_is_asked_once_for_each_kind(tmp_path):
    with serving(good) as server:
        found = describe(server, tmp_path, "--parallel", 3)
    assert found.code == 0, found.err
    assert set(server.counts) == prompts("spatial", "temporal")
    assert set(server.counts.values()) == {1}
    assert server.most_at_once <= 3
    assert {item.model for item in server.asked} == {"talker-1"}
    assert {item.authorization for item in server.asked} == {f"Bearer {KEY}"}
    for kind in ("spatial", "temporal"):
        kept = find_descriptions("toy", tmp_path / "toy", kind, 2)
        assert kept is not None
        assert check_descriptions(kept, TOY) == ()
        words = dict(zip(TOY.names, TOY.prompts("split"), strict=True))
        assert {n: sentences(prompt(kind, 2, words[n])) for n in TOY.names} == kept.sentences
        assert tuple(kept.sentences) == TOY.names
        assert kept.source["model"] == "talker-1"
        assert kept.source["host"] == server.url.split("/")[2]
        assert kept.source["prompt"] == prompt(kind, 2, "{cls}")
    report = found.json
    assert (report["requests"], report["cached"]) == (2 * len(TOY), 0)
    assert all(item["usable"] and not any(item["counts"].values()) for item in report["files"])


def test_the_question_is_that_of_the_paper():
    assert prompt("spatial", 2, "x y") == (
        "Please give me 2 sentences describing the visual appearance of the action x y."
    )
    assert prompt("temporal", 8, "x y") == (
        "Please give me 8 sentences describing the temporally decoupled steps of the action x y."
    )
    # The paper's template, whatever N is.
    assert prompt("spatial", 1, "x y") == (
        "Please give me 1 sentences describing the visual appearance of the action x y."
    )


def test_a_second_run_asks_nothing_and_changes_nothing(tmp_path):
    with serving(good) as server:
        describe(server, tmp_path)
        before, asked = files(tmp_path), len(server.asked)
        again = describe(server, tmp_path)
        assert len(server.asked) == asked
        assert files(tmp_path) == before
        assert (again.json["requests"], again.json["cached"]) == (0, asked)
        (tmp_path / "toy/descriptions/spatial-2.json").unlink()
        assert describe(server, tmp_path, "--kind", "spatial").code == 0
        assert len(server.asked) == asked
        assert files(tmp_path) == before
        more = describe(server, tmp_path, "--model", "talker-2", "--kind", "spatial", "--anew")
        assert more.json["requests"] == len(TOY)  # another model was never asked


def test_sentences_outlive_their_cache(tmp_path):
    with serving(good) as server:
        describe(server, tmp_path)
        before, asked = files(tmp_path), len(server.asked)
        shutil.rmtree(tmp_path / "toy/descriptions/.cache")
        again = describe(server, tmp_path)
        assert (again.json["requests"], again.json["cached"]) == (0, asked)
    assert len(server.asked) == asked
    assert files(tmp_path) == before


def test_endpoint_from_the_environment(tmp_path, monkeypatch):
    with serving(good) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_MODEL", "talker-9")
        words = ("--dataset", "toy", "--kind", "temporal", "--out", tmp_path)
        assert said("describe", "ask", *words).code == 0
    assert {item.model for item in server.asked} == {"talker-9"}


def test_only_the_host_of_an_address_is_kept():
    assert host("https://me:secret@api.example.com:8443/v1?key=secret#x") == (
        "api.example.com:8443"
    )
    assert host("http://[::1]:80/v1") == "[::1]:80"
    assert host("https://a.b?token=c") == "a.b"


def test_other_sentences_are_not_replaced_unasked(tmp_path):
    with serving(good) as server:
        describe(server, tmp_path)
        before, asked = files(tmp_path), len(server.asked)
        line = denied(server, tmp_path, "--model", "talker-2")
        assert "another source (talker-1): --anew" in line
        assert (files(tmp_path), len(server.asked)) == (before, asked)
        assert describe(server, tmp_path, "--model", "talker-2", "--anew").code == 0
        assert files(tmp_path) != before


def test_without_the_client_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    with serving(good) as server:
        assert "actionshards[describe]" in denied(server, tmp_path)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--n", 0), "--n 0"),
        (("--n", 1000), "--n 1000"),
        (("--parallel", 0), "--parallel 0"),
        (("--timeout", -1), "--timeout -1"),
        (("--base-url", "api.example.com"), "--base-url"),
        (("--base-url", "http://127.0.0.1:99999/v1"), "--base-url"),
        (("--base-url", "http://[bad/v1"), "--base-url"),
        (("--base-url", "ftp://api.example.com/v1"), "is no address"),
        (("--dataset", "kinetics7"), "no benchmark 'kinetics7'"),
        (("--dataset", "custom"), "prep shard --dataset custom"),
        (("--key-file", "/nowhere/key"), "/nowhere/key"),
    ],
)
def test_wrong_words_are_one_line(tmp_path, words, says):
    common = (*WORDS, "--base-url", "http://127.0.0.1:9/v1", "--out", tmp_path)
    assert says in refused("describe", *common, *words)


def test_no_model_is_one_line(tmp_path):
    words = ("--dataset", "toy", "--base-url", "http://127.0.0.1:9/v1", "--out", tmp_path)
    assert "--model" in refused("describe", *words)
