"""Modules run as processes: the answer, and one line for every way to give none."""

from __future__ import annotations

import os
import sys
import textwrap
import time

import pytest

from manifests.errors import UserError
from prep.processes import ask

SERVING = """
    import os, sys
    from manifests.errors import UserError
    from prep.processes import serve

    def work(words):
        print("a library says hello", end="")
        print("progress", file=sys.stderr)
        if "refused" in words:
            raise UserError(words["refused"])
        return {"words": words, "variable": os.environ.get("ADDED")}

    sys.exit(serve(work))
"""


@pytest.fixture
def child(tmp_path, monkeypatch):
    """Write the source of a module ``child`` where processes find it."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(source: str) -> str:
        (tmp_path / "child.py").write_text(textwrap.dedent(source))
        return "child"

    return write


def test_words_go_there_and_back_whatever_else_is_printed(child, capfd):
    words = {"name": "ein Täubchen", "list": [1, 2.5, None]}
    found = ask(child(SERVING), words, environment={"ADDED": "yes"}, limit=60)
    assert found == {"words": words, "variable": "yes"}
    assert "ADDED" not in os.environ
    assert capfd.readouterr().err == ""
    ask("child", {}, heard=True)
    assert capfd.readouterr() == ("", "progress\n")


def test_its_refusal_is_the_error(child):
    with pytest.raises(UserError, match=r"^not today$"):
        ask(child(SERVING), {"refused": "not today"})


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise ValueError('mist')", "child ended with exit code 1: ValueError: mist"),
        ("import sys; sys.exit(3)", "child ended with exit code 3: it said nothing"),
        ("print('{\"figure\": 1}'); raise SystemExit(4)", "child ended with exit code 4: it said "),
        ("print('[1]')", "child ended with exit code 0 and no result: it said nothing"),
        ("print('{')", "child ended with exit code 0 and no result: it said nothing"),
        ("", "child ended with exit code 0 and no result: it said nothing"),
        (
            "import os; os.kill(os.getpid(), 9)",
            "child was ended by signal 9, Killed, perhaps for want of memory: it",
        ),
        (
            "import os; os.kill(os.getpid(), 15)",
            "child was ended by signal 15, Terminated: it said nothing",
        ),
    ],
)
def test_no_answer_is_one_line(child, source, said):
    with pytest.raises(UserError) as error:
        ask(child(source), {})
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


def test_a_message_that_was_heard_is_not_told_again(child, capfd):
    with pytest.raises(UserError, match=r"exit code 1: its message is above$"):
        ask(child("raise ValueError('mist')"), {}, heard=True)
    assert capfd.readouterr().err.endswith("ValueError: mist\n")


def test_one_that_hangs_is_stopped_though_a_process_of_its_own_lives_on(child):
    source = """
        import subprocess, sys
        sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(20)"])
        sleeper.wait()
    """
    began = time.monotonic()
    with pytest.raises(UserError, match=r"^child did not end within 1.5 s and was stopped$"):
        ask(child(source), {}, limit=1.5)
    assert time.monotonic() - began < 15


def test_a_package_that_is_not_there_is_named():
    with pytest.raises(UserError, match=r"no_such_package\.x is not installed: run `pip"):
        ask("no_such_package.x", {})
