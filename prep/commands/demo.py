"""``prep demo``: toy videos -> shards -> subset -> nano backbone -> MSTA -> a table."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from prep.commands.shard import Shard
from prep.demo import (
    SCALES,
    Places,
    Scale,
    Stages,
    check_world,
    draw_subset,
    render_world,
)
from prep.training import trained

AGAIN = "run `prep demo` again to go on from there"


@dataclass(frozen=True)
class Demo:
    """The whole road on a rendered toy benchmark, in minutes, without a GPU."""

    seed: int = 1
    """Decides the rendered world, the subset, the backbone and the tuning."""
    out: Path = Path()
    """Folder that gets data/ and runs/."""
    size: Literal["full", "tiny"] = "full"
    """tiny only shows that everything works, in under a minute; nothing is learnt by it."""
    workers: int = 0
    """Processes that render and decode; 0: one a core."""
    overwrite: bool = False
    """Remove what an earlier demo left there, and start anew."""

    def run(self) -> DemoReport:
        """Go the road; every stage goes on from what is there."""
        places, scale, stages = Places(self.out), SCALES[self.size], Stages()
        workers = self.workers or os.cpu_count() or 1
        if self.overwrite:
            _remove(places)
        check_world(places.raw, self.seed, self.size)
        stages.time("render", lambda: render_world(places, scale, self.seed, workers))
        sharded = {
            "toy": stages.time(
                "shard",
                lambda: Shard(
                    dataset="toy", root=places.raw, out=places.shards, workers=workers
                ).run(),
            ),
            "captions": stages.time(
                "shard captioned",
                lambda: Shard(
                    dataset="custom",
                    root=places.raw_captions,
                    out=places.caption_shards,
                    workers=workers,
                ).run(),
            ),
        }
        subset = stages.time("draw subset", lambda: draw_subset(places, scale, self.seed))
        results = _train(places, scale, self.seed, stages)
        return DemoReport(
            places=places,
            subset=subset,
            sharded={name: report.as_dict() for name, report in sharded.items()},
            results=results,
            seconds=stages.seconds,
        )


def _remove(places: Places) -> None:
    for folder in (
        places.raw,
        places.raw_captions,
        places.shards / "toy",
        places.caption_shards,
        places.models / "nano",
        *(places.run(name) for name in ("pretrain", "zero-shot", "msta")),
    ):
        shutil.rmtree(folder, ignore_errors=True)


def _train(places: Places, scale: Scale, seed: int, stages: Stages) -> dict[str, Any]:
    common = ["--seed", str(seed), "--models", str(places.models)]
    captioned = ["--dataset", "custom", "--shards", str(places.caption_shards)]
    tuning = ["few-shot", "--dataset", "toy", "--shards", str(places.shards), *common]
    tuning += ["--shots", str(scale.shots)]
    runs = {
        "pretrain": ["pretrain", *captioned, *common, *_epochs(scale.pretrain_epochs)],
        "zero-shot": [*tuning, "--method", "zero-shot"],
        "msta": [*tuning, "--method", "msta", *_epochs(scale.tune_epochs)],
    }
    return {
        name: stages.time(name, partial(trained, words, places.run(name), AGAIN))
        for name, words in runs.items()
    }


def _epochs(count: int) -> list[str]:
    return ["--epochs", str(count)] if count else []


@dataclass(frozen=True)
class DemoReport:
    """What the demo found, and where everything lies."""

    places: Places
    subset: str
    sharded: dict[str, dict[str, Any]]
    results: dict[str, dict[str, Any]]
    seconds: dict[str, float]

    @property
    def exit_code(self) -> int:
        """Always 0: a stage that fails raises."""
        return 0

    def text(self) -> str:
        """The table: what was learnt, what was sharded, how long it took, where it lies."""
        lines = ["", f"{'':12}{'top-1':>8}{'top-5':>8}{'trained':>10}{'train clips/s':>15}"]
        lines += [self._row(name) for name in ("zero-shot", "msta")]
        test = self._test("msta")
        lines += [
            f"{'chance':12}{100 / test['classes']:8.1f}{500 / test['classes']:8.1f}",
            f"on {test['evaluated']} of {test['of']} test clips of {test['classes']} classes, "
            f"tuned on {self.results['msta']['training']['videos']} clips ({self.subset})",
            "",
            f"{'':12}{'stored':>8}{'refused':>8}{'MB':>8}{'clips/s':>10}",
            *(self._shard_row(name) for name in self.sharded),
            "",
            "seconds: "
            + ", ".join(f"{name} {spent:.0f}" for name, spent in self.seconds.items())
            + f"; in all {sum(self.seconds.values()):.0f}",
            *(f"{name:12}{place}" for name, place in self._places().items()),
            "next: accelerate launch train/run.py    tunes the default recipe on these shards",
        ]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """The figures, the sharding reports, seconds a stage and places."""
        return {
            "top1": {name: self._test(name)["top1"] for name in ("zero-shot", "msta")},
            "top5": {name: self._test(name)["top5"] for name in ("zero-shot", "msta")},
            "chance": 100 / self._test("msta")["classes"],
            "evaluated": self._test("msta")["evaluated"],
            "of": self._test("msta")["of"],
            "subset": self.subset,
            "sharded": self.sharded,
            "training": {name: result["training"] for name, result in self.results.items()},
            "seconds": {**self.seconds, "in all": round(sum(self.seconds.values()), 1)},
            "places": self._places(),
        }

    def _test(self, name: str) -> dict[str, Any]:
        test: dict[str, Any] = self.results[name]["selections"][0]["tests"][0]
        return test

    def _row(self, name: str) -> str:
        test, training = self._test(name), self.results[name]["training"]
        speed = training["clips_per_second"]
        pace = "" if speed is None else f"{speed:15.0f}"
        trained = training["trainable_parameters"]
        return f"{name:12}{test['top1']:8.1f}{test['top5']:8.1f}{trained:10,}{pace}"

    def _shard_row(self, name: str) -> str:
        report = self.sharded[name]
        clips, speed = report["clips"], report["clips_per_second"]
        pace = f"{'-':>10}" if speed is None else f"{speed:10.1f}"
        reasons = ", ".join(f"{count} {reason}" for reason, count in report["rejects"].items())
        size = report["bytes"] / 1e6
        return f"{name:12}{clips['stored']:8,}{clips['refused']:8,}{size:8.1f}{pace}   {reasons}"

    def _places(self) -> dict[str, str]:
        return {
            "videos": str(self.places.raw),
            "shards": str(self.places.shards / "toy"),
            "backbone": str(self.places.models / "nano"),
            "adapter": str(self.places.run("msta") / "adapter-last.safetensors"),
            "result": str(self.places.run("msta") / "result.json"),
        }
