"""`prep describe` against a server that misbehaves, and a run that is killed: nothing is lost."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from prep.descriptions import asking
from prep.descriptions.forms import prompt
from tests.prep.commands.describing import KEY, TOY, WORDS, denied, describe, files
from tests.prep.descriptions.server import Asked, Reply, good, sentences, serving

pytestmark = pytest.mark.usefixtures("key")

REPOSITORY = Path(__file__).resolve().parents[3]

FAULTS = (
    lambda a: Reply(status=429, headers={"Retry-After": "0.2"}, body='{"error": {"message": "x"}}'),
    lambda a: Reply(status=500, body="boom"),
    lambda a: Reply(status=503, body="<html>busy</html>"),
    lambda a: Reply("1. never read to its end\n2. so", cut=True),
    lambda a: Reply(body="<html>a proxy's page</html>"),
    lambda a: Reply(body="{}"),
    lambda a: Reply("1. Only one."),
    lambda a: Reply("1. One.\n2. Two.\n3. Three."),
    lambda a: Reply("1. Twice.\n2. Twice."),
    lambda a: Reply("I cannot do that."),
    lambda a: Reply("1. A video about a\n2. A video ab", finish="length"),
    lambda a: Reply("1. late\n2. later", wait_s=3.0),
    lambda a: Reply("1. I'm sorry.\n2. I can't help with that."),
    lambda a: Reply("1. ...\n2. A video about it."),
    lambda a: Reply("1. A video about it.\n2. a video about it!"),
    lambda a: Reply(body="[" * 100_000),
    lambda a: Reply(body=json.dumps({"error": {"message": "overloaded"}})),
    lambda a: Reply("<think>1. So\n2. that", finish="stop"),
)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a server without faults leads to."""
    out = tmp_path_factory.mktemp("calm")
    with pytest.MonkeyPatch.context() as patch, serving(good) as server:
        patch.setenv("NO_PROXY", "127.0.0.1")
        assert describe(server, out).code == 0
    return out


def misbehaving(asked: Asked) -> Reply:
    """Twice another fault for every question, then the answer, with prose around it."""
    draw = zlib.crc32(asked.prompt.encode())
    if asked.before < 2:
        return FAULTS[(draw + 5 * asked.before) % len(FAULTS)](asked)
    first, second = sentences(asked.prompt)
    return (
        Reply(f"Sure! Here are two sentences:\n\n1. {first}\n2. {second}\n\nLet me know!"),
        Reply(f"```json\n{json.dumps([first, second])}\n```"),
        Reply(f"Of course.\n\n- {first}\n- {second}\n"),
    )[draw % 3]


def test_a_misbehaving_server_leads_to_the_same_sentences(tmp_path, calm, quick):
    with serving(misbehaving) as server:
        found = describe(server, tmp_path, "--timeout", 2, "--parallel", 16)
    assert found.code == 0, found.err
    assert set(server.counts.values()) == {3}
    for name, data in files(calm).items():
        theirs, ours = json.loads(data), json.loads(files(tmp_path)[name])
        assert ours["classes"] == theirs["classes"]
    report = found.json
    assert report["requests"] == 3 * 2 * len(TOY)
    assert report["retries"] + report["asked_again"] == 2 * 2 * len(TOY)


def test_retry_after_is_honoured(tmp_path):
    late = prompt("spatial", 2, TOY.prompts("split")[0])

    def answer(asked: Asked) -> Reply:
        if asked.prompt == late and not asked.before:
            return Reply(status=429, headers={"Retry-After": "2"}, body="slower")
        return good(asked)

    with serving(answer) as server:
        assert describe(server, tmp_path, "--kind", "spatial").code == 0
    first, second = server.times[late]
    assert 2.0 <= second - first < 6.0


def test_a_wait_of_hours_is_refused(tmp_path):
    with serving(lambda a: Reply(status=429, headers={"Retry-After": "7200"}, body="")) as server:
        line = denied(server, tmp_path)
    assert "asks to wait 7,200 s" in line
    assert len(server.asked) <= 8


def test_one_class_that_stays_wrong_is_named_and_asked_again_alone(tmp_path):
    words = TOY.prompts("split")
    bad = prompt("spatial", 2, words[3])

    def answer(asked: Asked) -> Reply:
        return Reply("1. a\n2. b\n3. c") if asked.prompt == bad else good(asked)

    with serving(answer) as server:
        line = denied(server, tmp_path, "--kind", "spatial")
    assert repr(TOY.names[3]) in line
    assert "3 sentences" in line
    assert server.counts.pop(bad) == asking.ATTEMPTS
    assert not files(tmp_path)
    with serving(good) as healed:
        assert describe(healed, tmp_path, "--kind", "spatial").code == 0
    assert healed.counts == {bad: 1}


def test_a_model_that_never_keeps_to_the_number_is_left_soon(tmp_path):
    with serving(lambda a: Reply("no")) as server:
        line = denied(server, tmp_path, "--parallel", 2)
    assert "talker-1 did not give 2 sentences" in line
    assert len(server.asked) <= asking.ATTEMPTS * 7


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (401, {"message": f"Incorrect API key provided: {KEY}"}, "refuses the key of OPENAI_API"),
        (403, {"message": "not for you"}, "refuses the key"),
        (404, {"message": "no such model"}, "has no model 'talker-1'"),
        (400, {"message": f"bad {KEY}"}, "refuses the request (400)"),
        (429, {"message": "pay", "code": "insufficient_quota"}, "refuses the request (429)"),
    ],
)
def test_what_does_not_pass_is_one_line_at_once(tmp_path, status, body, says):
    reply = Reply(status=status, body=json.dumps({"error": body}))
    with serving(lambda a: reply) as server:
        line = denied(server, tmp_path, "--parallel", 2)
    assert says in line
    assert KEY not in line
    assert len(server.asked) <= 3


def test_a_server_that_stays_down_is_one_line_and_nothing_is_lost(tmp_path, quick):
    def answer(asked: Asked) -> Reply:
        return good(asked) if len(server.asked) <= 5 else Reply(status=503, body="down")

    with serving(answer) as server:
        line = denied(server, tmp_path, "--parallel", 1)
    assert f"failed {asking.TRIES} times: 503" in line
    with serving(good) as healed:
        assert describe(healed, tmp_path).json["cached"] == 5


def test_a_limit_by_the_minute_has_more_patience(tmp_path, quick):
    body = json.dumps({"error": {"message": "\x1b[31mslower"}})
    with serving(lambda a: Reply(status=429, body=body)) as server:
        line = denied(server, tmp_path, "--parallel", 1)
    assert f"failed {asking.LIMIT_TRIES} times: 429" in line
    assert asking.LIMIT_TRIES > asking.TRIES
    assert set(server.counts.values()) == {asking.LIMIT_TRIES}
    assert "\x1b" not in line


def test_an_error_told_with_status_200_is_in_the_line(tmp_path, quick):
    reply = Reply(body=json.dumps({"error": {"message": f"overloaded {KEY}"}}))
    with serving(lambda a: reply) as server:
        line = denied(server, tmp_path, "--parallel", 1)
    assert "no chat completion" in line
    assert "overloaded" in line
    assert KEY not in line


def test_half_a_sign_is_no_traceback(tmp_path):
    def answer(asked: Asked) -> Reply:
        first, second = sentences(asked.prompt)
        return Reply(f"1. {first}\n2. {second} \ud83d")

    with serving(answer) as server:
        found = describe(server, tmp_path, "--kind", "spatial")
    assert found.code == 0, found.err
    (data,) = files(tmp_path).values()
    assert json.loads(data)["classes"][TOY.names[0]][1].endswith(" ?")


def test_two_runs_at_once_ask_nothing_twice(tmp_path):
    with serving(lambda a: Reply(good(a).text, wait_s=0.05)) as server:
        words = ["describe", *map(str, WORDS), "--base-url", server.url, "--out", str(tmp_path)]
        command = [sys.executable, "-m", "prep.cli", *words, "--json"]
        runs = [
            subprocess.Popen(
                command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            for _ in range(2)
        ]
        ends = [run.communicate(timeout=120) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], ends
    assert set(server.counts.values()) == {1}
    assert len(server.counts) == 2 * len(TOY)
    reports = [json.loads(out) for out, _ in ends]
    assert sorted(report["requests"] for report in reports) == [0, 2 * len(TOY)]


def test_nobody_listens(tmp_path, quick):
    with serving(good) as server:
        pass
    assert "connection" in denied(server, tmp_path)


def test_a_killed_run_goes_on_without_asking_twice(tmp_path):
    def slow(asked: Asked) -> Reply:
        reply = good(asked)
        return Reply(reply.text, wait_s=0.1)

    cache = tmp_path / "toy/descriptions/.cache"
    with serving(slow) as server:
        words = ["describe", *map(str, WORDS), "--base-url", server.url, "--out", str(tmp_path)]
        run = subprocess.Popen(
            [sys.executable, "-m", "prep.cli", *words, "--parallel", "3"],
            cwd=REPOSITORY,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 60
        while len(list(cache.glob("*.json"))) < 10 and time.monotonic() < end:
            time.sleep(0.02)
        run.send_signal(signal.SIGKILL)
        run.wait()
        kept = [json.loads(path.read_bytes())["prompt"] for path in cache.glob("*.json")]
        assert 10 <= len(kept) < 2 * len(TOY)
        found = describe(server, tmp_path)
        assert found.code == 0
        assert all(server.counts[item] == 1 for item in kept)
        assert len(server.asked) <= 2 * len(TOY) + 3  # those in flight when it was killed
    assert found.json["cached"] == len(kept)
    assert not list(cache.glob(".*.tmp"))


def test_a_damaged_answer_is_asked_again(tmp_path):
    with serving(good) as server:
        describe(server, tmp_path, "--kind", "spatial")
        some = sorted((tmp_path / "toy/descriptions/.cache").glob("*.json"))[:4]
        for path, data in zip(some, (b"", b"{", b'{"sentences": ["a"]}', b"[]"), strict=True):
            path.write_bytes(data)
        (tmp_path / "toy/descriptions/spatial-2.json").unlink()  # it holds all answers too
        assert describe(server, tmp_path, "--kind", "spatial").json["requests"] == 4


def test_retry_after_takes_numbers_and_dates():
    def read(text: str) -> float | None:
        return asking.retry_after({"retry-after": text}, now=784111777.0)

    assert read("12") == 12.0
    assert read("0.25") == 0.25
    assert read("Sun, 06 Nov 1994 08:49:40 GMT") == 3.0
    assert read("Sun, 06 Nov 1994 08:49:00 GMT") == 0.0
    assert [read(text) for text in ("", "soon", "nan", "inf")] == [None] * 4
    assert asking.retry_after({}) is None


def test_back_off_grows_and_is_bounded():
    waits = [asking.back_off(tried) for tried in range(1, 20)]
    assert all(0.25 * 2**i <= wait <= 0.5 * 2**i for i, wait in enumerate(waits[:7]))
    assert all(30.0 <= wait <= 60.0 for wait in waits[8:])
