"""The command line: one line and the right code for every mistake, JSON, readers that leave."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from manifests.errors import UserError
from prep.cli import COMMANDS, main

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class _Report:
    exit_code: int = 0

    def text(self) -> str:
        return "seen\n" * 20_000

    def as_dict(self) -> dict[str, object]:
        return {"lines": ["seen"] * 20_000}


@dataclass(frozen=True)
class Fake:
    """A command that does as it is told."""

    mode: str = "fine"

    def run(self) -> _Report:
        if self.mode == "refuse":
            raise UserError("two\nlines  become one")
        if self.mode == "disk":
            Path("/nowhere/at/all").read_bytes()
        if self.mode == "stop":
            raise KeyboardInterrupt
        if self.mode == "bug":
            raise KeyError("a mistake of ours")
        return _Report(1 if self.mode == "faults" else 0)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fake_command", sys.modules[__name__])
    monkeypatch.setitem(COMMANDS, "fake", ("fake_command", "Fake", "does as it is told"))


def _said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    try:
        code = main(words)
    except SystemExit as leave:
        code = int(leave.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_of_the_table_is_there_and_explains_itself(name, capsys):
    summary = COMMANDS[name][2]
    code, out, err = _said(capsys, name, "--help")
    assert (code, err) == (0, "")
    assert f"usage: prep {name}" in out
    assert summary.split()[0] in out


def test_overview(capsys):
    code, out, _ = _said(capsys, "--help")
    assert code == 0
    assert all(name in out and summary in out for name, (_, _, summary) in COMMANDS.items())
    assert _said(capsys)[0] == 2


def test_an_unknown_command_is_one_line_with_the_nearest(capsys):
    code, out, err = _said(capsys, "subst", "few-shot")
    assert (code, out) == (2, "")
    assert err.startswith("prep: no command 'subst'; did you mean subset?")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("mode", "code", "words"),
    [
        ("refuse", 1, "prep fake: two lines become one\n"),
        ("disk", 1, "prep fake: /nowhere/at/all: no such file or directory; mend that"),
        ("stop", 130, "prep fake: interrupted; what is finished is kept\n"),
    ],
)
def test_what_goes_wrong_is_one_line(fake, capsys, mode, code, words):
    found, out, err = _said(capsys, "fake", "--mode", mode)
    assert (found, out) == (code, "")
    assert err.startswith(words)
    assert err.count("\n") == 1


def test_a_mistake_of_ours_is_not_hidden(fake):
    with pytest.raises(KeyError):
        main(["fake", "--mode", "bug"])


def test_exit_code_of_the_report(fake, capsys):
    assert _said(capsys, "fake")[0] == 0
    assert _said(capsys, "fake", "--mode", "faults")[0] == 1


@pytest.mark.parametrize("words", [("--nosuch", "1"), ("--mode",), ("extra",)])
def test_wrong_words_are_code_2(fake, capsys, words):
    code, out, err = _said(capsys, "fake", *words)
    assert (code, out) == (2, "")
    assert err
    assert "Traceback" not in err


def test_json(fake, capsys):
    code, out, err = _said(capsys, "fake", "--json", "--mode", "faults")
    assert (code, err) == (1, "")
    assert json.loads(out) == _Report().as_dict()


@pytest.mark.parametrize(
    "words",
    [("--help",), ("subset", "--help"), ("fake", "--json"), ("fake", "--mode", "faults")],
)
def test_a_reader_that_leaves_is_no_complaint(words, tmp_path):
    """The pipe is shut before the first byte, or after it; the code stays that of the report."""
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, importlib.util\n"
        f"spec = importlib.util.spec_from_file_location('fake_command', {__file__!r})\n"
        "module = importlib.util.module_from_spec(spec)\n"
        "sys.modules['fake_command'] = module\n"
        "spec.loader.exec_module(module)\n"
        "from prep.cli import COMMANDS, main\n"
        "COMMANDS['fake'] = ('fake_command', 'Fake', 'does as it is told')\n"
        "sys.exit(main())\n"
    )
    process = subprocess.Popen(
        [sys.executable, script, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == ("faults" in words)
    process.stderr.close()
