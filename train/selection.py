"""Which weights a figure belongs to: those of the last epoch, or of the best on some clips.

The paper printed the best of all evaluations on the test clips themselves; that is
`best-on-test`, named so. `last` looks at nothing, `best-on-validation` at clips of the training
split that were not trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from train.checkpoint import Progress
from train.results import Evaluation, Rule, Selection, evaluation, summarise

History = Sequence[dict[str, Any]]


def rules(history: History) -> dict[Rule, str]:
    """Rules that choose an epoch by the top-1 on a target, and that target."""
    if not history:
        return {}
    found: dict[Rule, str] = {"best-on-test": history[0]["target"]}
    if any(test["target"] == "validation" for test in history):
        found["best-on-validation"] = "validation"
    return found


def best_epoch(history: History, target: str) -> int:
    """Epoch of the best top-1 on a target; of equal ones the first."""
    tests = [test for test in history if test["target"] == target]
    return int(max(tests, key=lambda test: float(test["top1"]))["epoch"])


def newly_best(history: History, epoch: int) -> tuple[Rule, ...]:
    """Rules that would choose this epoch among those tested so far."""
    return tuple(
        rule for rule, target in rules(history).items() if best_epoch(history, target) == epoch
    )


def selections(task: str, progress: Progress, last: str | None) -> tuple[Selection, ...]:
    """The tests of a finished run under every rule; `last` names the file of the last weights.

    A run that trained nothing (`progress.update` 0) has one selection only.
    """
    tests = [evaluation(dict(record)) for record in progress.history]
    found = [_selection(task, "last", progress.epoch, last, tests)]
    if progress.update:
        for rule, target in rules(progress.history).items():
            epoch = best_epoch(progress.history, target)
            file = last and f"adapter-{rule}.safetensors"
            found.append(_selection(task, rule, epoch, file, tests))
    return tuple(found)


def _selection(
    task: str, rule: Rule, epoch: int, file: str | None, tests: Sequence[Evaluation]
) -> Selection:
    chosen = tuple(test for test in tests if test.epoch == epoch)
    return Selection(rule, epoch, file, chosen, summarise(task, chosen) if chosen else {})
