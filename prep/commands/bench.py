"""`prep bench`: what this machine does, stage by stage, beside the published path."""

from __future__ import annotations

import shlex
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import arg

from manifests.classes import canonical
from manifests.errors import UserError
from prep.bench.choice import available, raw_root
from prep.bench.rounds import measured
from prep.bench.work import Work
from prep.commands.bench_report import BenchReport
from prep.commands.bench_tables import TablesReport, bench_tables
from prep.commands.bench_toy import toy_set
from prep.commands.bench_training import CostReport, bench_training
from prep.engines import usable_cores
from prep.folders import SHARDS, raw_folder, set_folder
from prep.training import trained
from prep.words import Dataset, Root, Shards
from shards.atomic import atomic_write
from shards.store import ShardStore


@dataclass(frozen=True)
class Bench:
    """Words of `prep bench`."""

    dataset: Dataset = "toy"
    shards: Shards = SHARDS
    root: Root = None
    clips: Annotated[int, arg(metavar="N", help="clips at most, spread over the set")] = 256
    batch: Annotated[int, arg(metavar="N", help="clips of a batch")] = 32
    frames: Annotated[int, arg(metavar="T", help="frames of a clip")] = 8
    size: Annotated[int, arg(metavar="PIXELS", help="side of the square the model sees")] = 224
    threads: Annotated[
        int | None,
        arg(
            metavar="N",
            help="threads of a loader, workers of the published path",
            help_behavior_hint="(default: one a core)",
        ),
    ] = None
    rounds: Annotated[int, arg(metavar="N", help="times each way is measured")] = 3
    seconds: Annotated[float, arg(metavar="S", help="how long each time")] = 3.0
    picture: Annotated[
        Path | None,
        arg(
            metavar="PNG",
            help="where a picture of it goes",
            help_behavior_hint="(default: none is made)",
        ),
    ] = None
    recipe: Annotated[
        str,
        arg(
            metavar='"WORDS"',
            help='words of train/run.py, such as "few-shot --shots 16 --epochs 2": run them too, '
            "and tell how much of a training step is spent waiting for data",
            help_behavior_hint="(default: no training)",
        ),
    ] = ""
    tables: Annotated[
        bool,
        arg(help="instead: scan, plan, subsets and opening of made-up sets, without a video"),
    ] = False
    rows: Annotated[
        tuple[int, ...], arg(metavar="N [N ...]", help="with --tables: clips of each made-up set")
    ] = (10_000, 100_000, 1_000_000)
    train: Annotated[
        bool,
        arg(help="instead: what MSTA costs against full tuning and the frozen model, as ratios"),
    ] = False

    def run(self) -> BenchReport | TablesReport | CostReport:
        """Measure every way that can be measured here; nothing stays but the picture."""
        if self.train:
            return bench_training(self.rounds)
        if self.tables:
            return bench_tables(self.rows, self.rounds)
        threads = usable_cores() if self.threads is None else self.threads
        words = {"clips": self.clips, "batch": self.batch, "threads": threads}
        for word, value in {**words, "rounds": self.rounds}.items():
            if value < 1:
                raise UserError(f"--{word} {value}: at least 1")
        if self.seconds <= 0:
            raise UserError(f"--seconds {self.seconds}: more than 0")
        with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
            folder, root = self._set(Path(scratch), threads)
            work = Work(
                folder=str(folder),
                root=None if root is None else str(root),
                clips=self.clips,
                frames=self.frames,
                size=self.size,
                batch=self.batch,
                threads=threads,
                seconds=self.seconds,
            )
            store, subset = work.open()
            ways, reasons = available(root)
            medians = measured(ways, work, self.rounds)
            training = self._train(folder, Path(scratch)) if self.recipe else None
        report = BenchReport(
            what=_what(store, len(subset)),
            work=work,
            rounds=self.rounds,
            medians=medians,
            reasons=reasons,
            picture=self.picture,
            training=training,
        )
        if self.picture is not None:
            atomic_write(self.picture, report.png())
        return report

    def _train(self, folder: Path, scratch: Path) -> dict[str, Any]:
        """Run the recipe on the set that was measured."""
        words = [*shlex.split(self.recipe), "--shards", str(folder.parent)]
        if "--dataset" not in words:
            words += ["--dataset", folder.name]
        result = trained(words, scratch / "run", "mend the words of --recipe")
        found: dict[str, Any] = result["training"]
        return found

    def _set(self, scratch: Path, threads: int) -> tuple[Path, Path | None]:
        """The set that is measured and its raw folder, if there; toy clips where nothing is."""
        name = canonical(self.dataset)
        folder = set_folder(name, self.shards)
        if name == "toy" and Path(self.shards) == SHARDS and not folder.exists():
            sets, root = toy_set(scratch, threads)
            return set_folder("toy", sets), root
        root = raw_folder(name, self.root)
        return folder, raw_root(root, asked=self.root is not None)


def _what(store: ShardStore, clips: int) -> str:
    """The set in a few words."""
    widths, heights = store.widths.astype(int), store.heights.astype(int)
    sides = [int(x) for x in (widths.min(), heights.min(), widths.max(), heights.max())]
    return (
        f"{clips} clips of {store.info.benchmark}, {sides[0]} x {sides[1]} to "
        f"{sides[2]} x {sides[3]} pixels"
    )
