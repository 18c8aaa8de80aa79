"""`prep subset`: draw few-shot subsets, list what lies beside the shards, check one again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg, subcommand

from manifests.classes import canonical
from manifests.errors import UserError
from prep.folders import SHARDS, set_folder
from prep.subsets import Kept, Listed, keep, listed, redraw_fault, train_split
from prep.text import aligned, count
from prep.words import Dataset, Shards
from shards.info import load_info
from shards.store import ShardStore
from shards.subsets import Subset as Drawn
from shards.subsets import few_shot, load_subset

_HASH_SHOWN = 16


@dataclass(frozen=True)
class FewShot:
    """Draw K clips of each class out of an official split.

    The clips of a class are ranked by seed and official row alone and the first K taken: the
    2-shot set of a seed lies inside its 4-shot set, and every machine draws the same.
    """

    dataset: Dataset
    shots: Annotated[tuple[int, ...], arg(metavar="K [K ...]", help="clips of each class")]
    seed: Annotated[int, arg(metavar="N", help="another seed, another draw")] = 1
    split: Annotated[
        str | None,
        arg(
            metavar="SPLIT",
            help="the official split to draw from",
            help_behavior_hint="(default: train1 for ucf101 and hmdb51, else train)",
        ),
    ] = None
    shards: Shards = SHARDS
    allow_fewer: Annotated[
        bool, arg(help="take all clips of a class that has fewer than K, instead of refusing")
    ] = False
    anew: Annotated[bool, arg(help="replace a file of the same name that holds another draw")] = (
        False
    )

    def run(self) -> DrawReport:
        """Draw all of them, then write them."""
        name = canonical(self.dataset)
        folder = set_folder(name, self.shards)
        store = ShardStore.open(folder)
        split = self.split or train_split(name)
        subsets = [
            few_shot(store, shots, split, self.seed, allow_fewer=self.allow_fewer)
            for shots in sorted(set(self.shots))
        ]
        if not subsets:
            raise UserError("no number of shots: say --shots 2 4 8 16")
        if not len(subsets[0]):
            raise UserError(f"no clip of split {split} is stored in {folder}: shard its videos")
        return DrawReport(name, tuple(keep(folder, subsets, anew=self.anew)))


@dataclass(frozen=True)
class DrawReport:
    """What was drawn, and where it lies."""

    benchmark: str
    kept: tuple[Kept, ...]

    exit_code = 0

    def text(self) -> str:
        """A line a subset: name, clips, hash, and its file."""
        rows: list[tuple[str | int, ...]] = [("subset", "clips", "classes", "hash", "file")]
        for item in self.kept:
            drawn, state = item.subset, "written" if item.new else "already there, hash equal"
            rows.append(
                (
                    drawn.name,
                    len(drawn),
                    len(drawn.classes),
                    drawn.hash[:_HASH_SHOWN],
                    f"{item.file} ({state})",
                )
            )
        return "\n".join(aligned(rows))

    def as_dict(self) -> dict[str, Any]:
        """Everything but the rows, which are in the files."""
        return {
            "benchmark": self.benchmark,
            "subsets": [
                {**_said(item.subset), "file": str(item.file), "new": item.new}
                for item in self.kept
            ],
        }


@dataclass(frozen=True)
class ListSubsets:
    """List the subsets that lie beside the shards, and whether their files are whole."""

    dataset: Dataset
    shards: Shards = SHARDS

    def run(self) -> ListReport:
        """Read every file; damaged ones are listed as such."""
        folder = set_folder(canonical(self.dataset), self.shards)
        info = load_info(folder)
        return ListReport(folder, tuple(listed(folder, info.benchmark)))


@dataclass(frozen=True)
class ListReport:
    """The files and their state."""

    folder: Path
    files: tuple[Listed, ...]

    exit_code = 0

    def text(self) -> str:
        """A line a subset."""
        if not self.files:
            return f"no subset in {self.folder} yet: draw one with `prep subset few-shot`"
        rows: list[tuple[str | int, ...]] = [("subset", "kind", "clips", "classes", "hash")]
        rows += [_row(item.subset) for item in self.files if item.subset]
        lines = aligned(rows) if len(rows) > 1 else []
        return "\n".join([*lines, *(f"{f.name}: {f.fault}" for f in self.files if f.fault)])

    def as_dict(self) -> dict[str, Any]:
        """What each file says; ``fault`` is empty for one that is whole."""
        return {
            "folder": str(self.folder),
            "subsets": [
                {"name": item.name, **(_said(item.subset) if item.subset else {})}
                | {"fault": item.fault}
                for item in self.files
            ],
        }


@dataclass(frozen=True)
class CheckSubset:
    """Hold a subset against the shards: its hash, its clips, and a new draw of the same words."""

    name: Annotated[Positional[str], arg(metavar="SUBSET", help="as `prep subset list` names it")]
    dataset: Dataset
    shards: Shards = SHARDS

    def run(self) -> CheckReport:
        """Refused, in one line, when the file is damaged, of another dataset, or lacks clips."""
        store = ShardStore.open(set_folder(canonical(self.dataset), self.shards))
        subset = load_subset(store, self.name)
        return CheckReport(subset, redraw_fault(store, subset))


@dataclass(frozen=True)
class CheckReport:
    """A subset that fits the shards; whether a new draw gives it again."""

    subset: Drawn
    fault: str | None

    @property
    def exit_code(self) -> int:
        """1 when a new draw differs."""
        return 1 if self.fault else 0

    def text(self) -> str:
        """What it is and what was found."""
        said = self.subset
        drawn = f"seed {said.seed}, " if said.seed is not None else ""
        words = ", ".join(f"{key} {value}" for key, value in said.parameters.items())
        return "\n".join(
            [
                f"{said.name}: {said.kind} of {said.benchmark} ({drawn}{words}), "
                f"{count(len(said), 'clip')} of {len(said.classes):,} classes",
                f"hash {said.hash}: that of its content",
                "every clip is stored under its row and name, its class among the candidates",
                self.fault or "a new draw gives the same",
            ]
        )

    def as_dict(self) -> dict[str, Any]:
        """The same for programs."""
        return {**_said(self.subset), "redraw_equal": self.fault is None, "fault": self.fault}


def _row(subset: Drawn) -> tuple[str | int, ...]:
    return subset.name, subset.kind, len(subset), len(subset.classes), subset.hash[:_HASH_SHOWN]


def _said(subset: Drawn) -> dict[str, Any]:
    return {
        "name": subset.name,
        "kind": subset.kind,
        "seed": subset.seed,
        "parameters": dict(subset.parameters),
        "clips": len(subset),
        "classes": len(subset.classes),
        "hash": subset.hash,
    }


Subset = (
    Annotated[FewShot, subcommand("few-shot")]
    | Annotated[ListSubsets, subcommand("list")]
    | Annotated[CheckSubset, subcommand("check")]
)
