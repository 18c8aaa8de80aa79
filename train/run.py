"""Train and test: `accelerate launch train/run.py [TASK] [OPTIONS]`, or `python train/run.py`.

::

    accelerate launch train/run.py few-shot --dataset ucf101 --shots 16 --method msta
    accelerate launch train/run.py                    the default recipe on the toy shards

Exit codes: 0 done, 1 refused or failed (one line on stderr), 2 wrong words, 130 stopped by a
signal, inside an update with its state saved.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

# Python puts the script's own folder first; the modules there are to be found as train.* only.
sys.path[:] = [
    place for place in sys.path if not place or Path(place) != Path(__file__).resolve().parent
]


def _leave(number: int, _frame: FrameType | None) -> None:
    """Ctrl-C and SIGTERM where no update is under way: the loop has a way of its own.

    At once, for an exception would end in whatever library is being imported, and some keep it.
    """
    if os.environ.get("RANK", "0") == "0":
        name = signal.Signals(number).name
        sys.stderr.write(
            f"train/run.py: stopped by {name}; --resume goes on from the last saved state, if any\n"
        )
        sys.stderr.flush()
    os._exit(130)


if __name__ == "__main__":  # before what takes its time to be imported
    for _number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(_number, _leave)

# Threads that spin while they wait cost a small model on a busy machine six times its work. Read
# when torch is loaded, so it is said before.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from manifests.errors import UserError  # noqa: E402
from train.processes import leave_with_launcher, missing_ranks, start_ranks  # noqa: E402
from train.recipes.words import PROGRAM, Words, read_words  # noqa: E402
from train.results import Result  # noqa: E402
from train.stopping import StoppedError  # noqa: E402


def main(words: Sequence[str] | None = None) -> int:
    """Run one command line; returns its exit code."""
    arguments = list(sys.argv[1:] if words is None else words)
    asked = read_words(arguments)
    leave_with_launcher()
    ranks = missing_ranks()
    if ranks:
        return start_ranks(ranks, [str(Path(__file__).resolve()), *arguments])
    first = os.environ.get("RANK", "0") == "0"
    if first and sys.stderr.isatty():  # elsewhere stderr is for refusals
        logging.basicConfig(format=f"{PROGRAM}: %(message)s")
        logging.getLogger("loaders").setLevel(logging.INFO)
    try:
        if asked.where.check_economies:
            return _check_economies(asked, first)
        from train.session import run  # torch takes its time: wrong words should not

        result = run(asked)
    except StoppedError as error:
        return _refuse(error, first, code=130)
    except UserError as error:
        return _refuse(error, first, code=1)
    if first:
        sys.stdout.write(_json(result) if asked.where.json else _text(result))
        sys.stdout.flush()
    return 0


def _check_economies(asked: Words[Any, Any], first: bool) -> int:
    from train.economies import check, report

    findings = check(asked)
    exact = all(finding.exact for finding in findings)
    if first:
        lines = [asdict(finding) for finding in findings]
        told = json.dumps({"economies": lines, "exact": exact}, indent=1)
        sys.stdout.write((told if asked.where.json else report(findings)) + "\n")
        sys.stdout.flush()
    return 0 if exact else 1


def _refuse(error: UserError, first: bool, code: int) -> int:
    # Ranks refuse the same things; what only one of them met (a damaged frame) it tells itself.
    from shards.store import FrameError

    if first or isinstance(error, FrameError):
        sys.stderr.write(f"{PROGRAM}: {error}\n")
        sys.stderr.flush()
    return code


def _json(result: Result) -> str:
    return json.dumps(asdict(result), indent=1) + "\n"


def _text(result: Result) -> str:
    training = result.training
    lines = [f"{result.task} on {result.benchmark}, {result.method}, seed {result.seed}"]
    if training.updates:
        lines.append(
            f"trained {training.trainable_parameters:,} of {training.parameters:,} parameters on "
            f"{training.videos} clips of {training.classes} classes: {training.updates} updates "
            f"in {training.seconds:.0f} s"
        )
    if training.substituted:
        lines.append(f"{training.substituted} times a clip stood in for one that cannot be read")
    for selection in result.selections:
        lines += [
            f"[{selection.rule}, epoch {selection.epoch}] {test.line}" for test in selection.tests
        ]
        if len(selection.summary) > 2:
            figures = ", ".join(f"{name} {value:.2f}" for name, value in selection.summary.items())
            lines.append(f"[{selection.rule}] {figures}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
