"""The command ``prep``: words -> dataclass -> run() -> report -> text, or JSON with ``--json``.

Each command is a dataclass of its words in a module of its own, imported only when it is called.
Exit codes: 0 done, 1 refused or failed (one line on stderr), 2 wrong words, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from manifests.boxes import one_line
from manifests.errors import UserError
from manifests.near import did_you_mean
from prep.spelling import plainly, wrong_word


class Report(Protocol):
    """What a command gives back: for people, for programs, and whether it counts as done."""

    @property
    def exit_code(self) -> int:
        """0, or 1 when the work was done but its result is a refusal."""

    def text(self) -> str:
        """The report as people read it."""

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON values."""


class Command(Protocol):
    """Words of a command line, checked and typed."""

    def run(self) -> Report:
        """Do it."""


# name -> (module, what tyro parses into: a dataclass or a union of them, one line of help)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "shard": ("prep.commands.shard", "Shard", "decode raw videos once and write them as shards"),
    "scan": ("prep.commands.scan", "Scan", "what of a benchmark is there, and what is missing"),
    "plan": ("prep.commands.plan", "Plan", "bytes, files and hours of a set before it is made"),
    "subset": ("prep.commands.subset", "Subset", "draw, list and check subsets of a shard set"),
    "verify": ("prep.commands.verify", "Verify", "read every byte of a shard set again; repair"),
    "describe": ("prep.commands.describe", "Describe", "sentences about every class, and lint"),
    "export": ("prep.commands.export", "Export", "a shard set as a Hugging Face repository"),
    "preview": ("prep.commands.preview", "Preview", "what the model will see, as a page"),
    "bench": ("prep.commands.bench", "Bench", "what this machine does, stage by stage"),
    "weights": ("prep.commands.weights", "Weights", "published weights as safetensors, once"),
    "demo": ("prep.commands.demo", "Demo", "toy videos -> shards -> subset -> MSTA -> a table"),
    "doctor": ("prep.commands.doctor", "Doctor", "what this machine has of what the tools need"),
}
# Which of its parts a command means when its flags follow at once: `prep describe --dataset ssv2`.
_PLAIN = {"describe": "ask"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; returns its exit code, or leaves with 2 when its words are wrong."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        _show(_overview())
        return 0 if words else 2
    name, rest = words[0], words[1:]
    if name not in COMMANDS:
        hint = did_you_mean(name, COMMANDS) or ";"
        return _refuse("prep", f"no command {name!r}{hint} there are {', '.join(COMMANDS)}", 2)
    try:
        command = parsed(name, _with_part(name, [word for word in rest if word != "--json"]))
        report = command.run()
    except UserError as error:
        return _refuse(f"prep {name}", str(error), 1)
    except OSError as error:
        if error.filename is None:
            raise
        why = (error.strerror or str(error)).lower()
        return _refuse(f"prep {name}", f"{error.filename}: {why}; mend that and run again", 1)
    except KeyboardInterrupt:
        return _refuse(f"prep {name}", "interrupted; what is finished is kept", 130)
    _show(json.dumps(report.as_dict(), indent=1) if "--json" in rest else report.text())
    return report.exit_code


def _with_part(name: str, words: list[str]) -> list[str]:
    flags_first = bool(words) and words[0].startswith("-") and words[0] not in ("-h", "--help")
    return [_PLAIN[name], *words] if name in _PLAIN and flags_first else words


def _refuse(who: str, why: str, code: int) -> int:
    print(f"{who}: {' '.join(why.split())}", file=sys.stderr)
    return code


def _show(text: str) -> None:
    with _reader_may_leave():
        print(text)


@contextlib.contextmanager
def _reader_may_leave() -> Iterator[None]:
    """Print in here: a reader (head, a pager) that has seen enough is no failure."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def parsed(name: str, words: Sequence[str]) -> Command:
    """A command out of its words; what is wrong with them is printed and leaves with code 2."""
    import tyro

    module, attribute, summary = COMMANDS[name]
    kind: Any = getattr(importlib.import_module(module), attribute)
    if wrong := wrong_word(kind, words):
        sys.exit(_refuse(f"prep {name}", wrong, 2))
    # tyro prints help and leaves with code 0, or what is wrong with the words and leaves with 2.
    with _reader_may_leave(), one_line(f"prep {name}", lambda told: plainly(told, words)):
        command: Command = tyro.cli(
            kind,
            args=list(words),
            prog=f"prep {name}",
            description=summary + " (--json: for programs)",
            config=(tyro.conf.FlagCreatePairsOff,),  # --allow-fewer without a --no-allow-fewer
        )
        return command
    sys.exit(0)  # help that nobody read to its end


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {summary}" for name, (_, _, summary) in COMMANDS.items()]
    return "\n".join(["usage: prep COMMAND [--help] [--json] ...", "", *lines])


if __name__ == "__main__":
    sys.exit(main())
