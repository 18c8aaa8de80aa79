"""What a run found, as one JSON file beside its checkpoint.

Everything needed to repeat or to distrust a figure is in it: recipe, identities and hashes of the
data, seed, views, selection rule, `evaluated k of n`, displacement of frames, versions.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from manifests.errors import UserError
from shards.atomic import atomic_write
from train.metrics import ClassScore, harmonic_mean, spread

FORMAT = 1
Rule = Literal["last", "best-on-test", "best-on-validation"]
PACKAGES = ("actionshards", "torch", "accelerate", "numpy", "opencv-python-headless", "simplejpeg")


@dataclass(frozen=True)
class Evaluation:
    """One test: which videos, which candidates, how they were seen, how many were right."""

    target: str  # "test", "base", "novel", "validation", "hmdb51 split 2" …
    benchmark: str
    dataset: str  # identity of the store
    subset: str  # hash of the test subset
    classes: int  # candidates
    epoch: int  # epochs trained before it
    clips: int
    crops: int
    top1: float  # percent
    top5: float | None  # percent; None with fewer than five candidates
    evaluated: int
    of: int
    displacement: int  # largest distance from a wanted frame to the stored one, source frames
    seconds: float
    published_drop: bool = False  # left out what the followed code's loaders drop
    per_class: tuple[ClassScore, ...] = ()

    @property
    def line(self) -> str:
        """One line for people."""
        top5 = "" if self.top5 is None else f", top-5 {self.top5:.2f}"
        return (
            f"{self.target}: top-1 {self.top1:.2f}{top5} · {self.classes} classes · "
            f"{self.clips}x{self.crops} views · evaluated {self.evaluated} of {self.of}"
            + (" (published drop)" if self.published_drop else "")
        )


@dataclass(frozen=True)
class Selection:
    """One choice of weights, its adapter file and its tests."""

    rule: Rule
    epoch: int
    adapter: str | None  # file name beside the result; None when nothing was trained
    tests: tuple[Evaluation, ...]
    summary: dict[str, float]


@dataclass(frozen=True)
class Training:
    """What was trained on and what it cost."""

    subset: str
    subset_hash: str
    videos: int
    classes: int
    updates: int
    seconds: float
    clips_per_second: float | None
    data_wait_share: float | None
    trainable_parameters: int
    parameters: int
    descriptions: dict[str, str] = field(default_factory=dict)  # by kind, digest of the sentences
    started_from: str = ""  # digest of the adapter that training began with
    substituted: int = 0  # clips shown in place of others that could not be read


@dataclass(frozen=True)
class Throughput:
    """What one process tests a second, clips in memory, at the largest batch that fits."""

    batch: int
    videos_per_second: float


@dataclass(frozen=True)
class Result:
    """Everything a run found."""

    task: str
    benchmark: str
    method: str
    seed: int
    recipe: dict[str, Any]
    dataset: dict[str, str]  # identity, fingerprint, classes
    backbone: str  # digest
    training: Training
    selections: tuple[Selection, ...]
    versions: dict[str, str]
    machine: dict[str, Any]
    throughput: Throughput | None = None  # where --throughput was said


def summarise(task: str, tests: Sequence[Evaluation]) -> dict[str, float]:
    """The figures a table prints: top-1 and top-5; base, novel and HM; mean and deviation."""
    by_name = {test.target: test for test in tests}
    if task == "base-novel" and {"base", "novel"} <= by_name.keys():
        base, novel = by_name["base"].top1, by_name["novel"].top1
        return {"base": base, "novel": novel, "hm": harmonic_mean(base, novel)}
    if task == "zero-shot":
        return _by_benchmark(tests)
    first = by_name.get("test") or tests[0]
    return {"top1": first.top1} | ({} if first.top5 is None else {"top5": first.top5})


def _by_benchmark(tests: Sequence[Evaluation]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name in dict.fromkeys(test.benchmark for test in tests):
        over = spread([test.top1 for test in tests if test.benchmark == name])
        found |= {name: over.mean, f"{name}_std": over.std, f"{name}_splits": over.count}
    return found


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that can change a figure."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def save_result(path: Path, result: Result) -> None:
    """Write the JSON file at once."""
    record = {"format": FORMAT, **asdict(result)}
    atomic_write(path, (json.dumps(record, indent=1) + "\n").encode())


def load_result(path: Path) -> Result:
    """Read a result back; UserError when it is absent or none."""
    try:
        record = json.loads(path.read_text())
        if record.pop("format") != FORMAT:
            raise ValueError("another format")
        record["training"] = Training(**record["training"])
        measured = record.pop("throughput", None)
        record["throughput"] = measured and Throughput(**measured)
        record["selections"] = tuple(_selection(item) for item in record["selections"])
        return Result(**record)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} is no result of this version ({type(error).__name__}: {error}): "
            "name a result.json that train/run.py wrote"
        ) from error


def _selection(record: dict[str, Any]) -> Selection:
    tests = tuple(evaluation(item) for item in record.pop("tests"))
    return Selection(**record, tests=tests)


def evaluation(record: dict[str, Any]) -> Evaluation:
    """An evaluation from its plain data."""
    rows = tuple(ClassScore(**row) for row in record.pop("per_class", ()))
    return Evaluation(**record, per_class=rows)
