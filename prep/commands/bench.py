"""`prep bench`: what this machine does, stage by stage, beside the published path."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from tyro.conf import arg

from manifests.classes import canonical
from manifests.errors import UserError
from prep.bench.choice import PIPELINES, available, raw_root
from prep.bench.picture import drawn, shares
from prep.bench.rounds import Median, measured
from prep.bench.work import Work
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
        Path | None, arg(metavar="PNG", help="where a picture of it goes (default: none)")
    ] = None

    recipe: Annotated[
        str,
        arg(
            metavar='"WORDS"',
            help='words of train/run.py, such as "few-shot --shots 16 --epochs 2": run them too, '
            "and tell how much of a training step is spent waiting for data",
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
        if name == "toy" and self.shards == SHARDS and not folder.exists():
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


@dataclass(frozen=True)
class BenchReport:
    """Medians of every way, and what follows from them."""

    what: str
    work: Work
    rounds: int
    medians: Mapping[str, Median]
    reasons: Mapping[str, str]
    picture: Path | None
    training: Mapping[str, Any] | None
    """What the result of the recipe says of its training."""

    @property
    def exit_code(self) -> int:
        """Always 0: what cannot be measured is left out with its reason."""
        return 0

    @property
    def chains(self) -> list[str]:
        """Chains that were measured, in the order of the table."""
        return [chain for chain in PIPELINES if f"{chain}/whole" in self.medians]

    @property
    def whole(self) -> dict[str, float | None]:
        """Clips per second of the whole chain, None where it was not measured."""
        medians = {chain: self.medians.get(f"{chain}/whole") for chain in PIPELINES}
        return {
            chain: None if median is None else median.clips_per_second
            for chain, median in medians.items()
        }

    @property
    def ratios(self) -> dict[str, float]:
        """Each chain against the published path, and against the limit."""
        rates = {chain: rate for chain, rate in self.whole.items() if rate is not None}
        limit = self.medians["limit"].clips_per_second
        against = {f"{chain}/limit": rate / limit for chain, rate in rates.items()}
        published = rates.pop("published", None)
        if published is not None:
            against |= {f"{chain}/published": rate / published for chain, rate in rates.items()}
        return against

    def text(self) -> str:
        """A table of the ways, the ratios, and what was left out."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        work = self.work
        yield (
            f"{self.what}; {work.frames} frames to {work.size} x {work.size} floats, batch "
            f"{work.batch}, {work.threads} threads; medians of {self.rounds} x {work.seconds:g} s"
        )
        rows: list[list[str]] = [["", "clips/s", "from", "to", "MB/s", "CPU ms/clip", "of that"]]
        for name, median in self.medians.items():
            rows.append(self._row(name, median))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = [row[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            yield "  ".join(cells).rstrip()
        yield ""
        for names, ratio in self.ratios.items():
            mine, other = names.split("/")
            yield f"{mine} is {ratio:.2f} x {other}"
        for chain, reason in self.reasons.items():
            yield f"{chain} not measured: {reason}"
        if self.training is not None:
            yield (
                f"training: {self.training['clips_per_second']:,.1f} clips/s, "
                f"{self.training['data_wait_share']:.1%} of the time waiting for data"
            )
        if self.picture is not None:
            yield f"picture: {self.picture}"

    def _row(self, name: str, median: Median) -> list[str]:
        chain, _, stage = name.partition("/")
        own = shares(chain, self.medians).get(stage)
        return [
            f"{chain:10} {stage}".rstrip(),
            f"{median.clips_per_second:,.1f}",
            f"{median.slowest:,.1f}",
            f"{median.fastest:,.1f}",
            f"{median.mb_per_second:,.1f}",
            f"{1000 * median.cpu_seconds_per_clip:,.2f}",
            "" if own is None else f"{own:,.2f}",
        ]

    def as_dict(self) -> dict[str, Any]:
        """``whole`` (clips/s), ``limit``, ``stages`` by chain, ``ratios``, and the settings."""
        stages: dict[str, dict[str, Any]] = {}
        for name, median in self.medians.items():
            chain, _, stage = name.partition("/")
            if stage:
                stages.setdefault(chain, {})[stage] = asdict(median)
        return {
            "whole": self.whole,
            "limit": asdict(self.medians["limit"]),
            "read": asdict(self.medians["read"]),
            "stages": stages,
            "ratios": self.ratios,
            "not_measured": dict(self.reasons),
            "training": None if self.training is None else dict(self.training),
            "what": self.what,
            "settings": {**asdict(self.work), "rounds": self.rounds},
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        }

    def png(self) -> bytes:
        """The picture."""
        return drawn(self.chains, self.medians, self.what)
