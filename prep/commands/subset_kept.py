"""`prep subset list | check | export`: the subsets that lie beside the shards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from manifests.classes import canonical
from prep.commands.subset_draw import HASH_SHOWN, said
from prep.export import Export, prepare_export
from prep.folders import SHARDS, open_set, set_place
from prep.subsets import Listed, listed, redraw_fault
from prep.text import aligned, count
from prep.words import Dataset, ShardsAnywhere
from shards.subsets import Subset as Drawn
from shards.subsets import load_subset

_REDRAWN = {"imported": "a published list: there is nothing to draw again"}


@dataclass(frozen=True)
class ListSubsets:
    """List the subsets that lie beside the shards, and whether their files are whole."""

    dataset: Dataset
    shards: ShardsAnywhere = SHARDS

    def run(self) -> ListReport:
        """Read every file; damaged ones are listed as such."""
        name = canonical(self.dataset)
        store = open_set(name, self.shards)
        found = tuple(listed(store.folder, store.info.benchmark))
        return ListReport(set_place(name, self.shards), found)


@dataclass(frozen=True)
class ListReport:
    """The files and their state."""

    place: str
    files: tuple[Listed, ...]

    exit_code = 0

    def text(self) -> str:
        """A line a subset."""
        if not self.files:
            return f"no subset in {self.place} yet: draw one with `prep subset few-shot`"
        rows: list[tuple[str | int, ...]] = [("subset", "kind", "clips", "classes", "hash")]
        rows += [_row(item.subset) for item in self.files if item.subset]
        lines = aligned(rows) if len(rows) > 1 else []
        return "\n".join([*lines, *(f"{f.name}: {f.fault}" for f in self.files if f.fault)])

    def as_dict(self) -> dict[str, Any]:
        """What each file says; ``fault`` is empty for one that is whole."""
        return {
            "folder": self.place,
            "subsets": [
                {"name": item.name, **(said(item.subset) if item.subset else {})}
                | {"fault": item.fault}
                for item in self.files
            ],
        }


@dataclass(frozen=True)
class CheckSubset:
    """Hold a subset against the shards: its hash, its clips, and a new draw of the same words."""

    name: Annotated[Positional[str], arg(metavar="SUBSET", help="as `prep subset list` names it")]
    dataset: Dataset
    shards: ShardsAnywhere = SHARDS

    def run(self) -> CheckReport:
        """Refused, in one line, when the file is damaged, of another dataset, or lacks clips."""
        store = open_set(canonical(self.dataset), self.shards)
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
        mine = self.subset
        drawn = f"seed {mine.seed}, " if mine.seed is not None else ""
        words = ", ".join(f"{key} {value}" for key, value in mine.parameters.items())
        return "\n".join(
            [
                f"{mine.name}: {mine.kind} of {mine.benchmark} ({drawn}{words}), "
                f"{count(len(mine), 'clip')} of {len(mine.classes):,} classes",
                f"hash {mine.hash}: that of its content",
                "every clip is stored under its row and name, its class among the candidates",
                self.fault or _REDRAWN.get(mine.kind, "a new draw gives the same"),
            ]
        )

    def as_dict(self) -> dict[str, Any]:
        """The same for programs."""
        return {**said(self.subset), "redraw_equal": self.fault is None, "fault": self.fault}


def _row(subset: Drawn) -> tuple[str | int, ...]:
    return subset.name, subset.kind, len(subset), len(subset.classes), subset.hash[:HASH_SHOWN]


@dataclass(frozen=True)
class ExportSubset:
    """Write a subset as a list that other programs read: a name and a number a line (ViFi-CLIP's).

    Numbers are places among the subset's own classes, which go into a label file beside the list.
    """

    name: Annotated[Positional[str], arg(metavar="SUBSET", help="as `prep subset list` names it")]
    dataset: Dataset
    out: Annotated[Path, arg(metavar="FILE", help="the list; FILE_labels.csv goes beside it")]
    shards: ShardsAnywhere = SHARDS

    def run(self) -> ExportReport:
        """Refused, in one line, when the file is damaged, of another dataset, or lacks clips."""
        store = open_set(canonical(self.dataset), self.shards)
        export = prepare_export(store, load_subset(store, self.name), self.out)
        export.write()
        return ExportReport(self.name, export)


@dataclass(frozen=True)
class ExportReport:
    """Two files."""

    subset: str
    written: Export

    exit_code = 0

    def text(self) -> str:
        """Where they lie."""
        out = self.written
        return f"{count(out.clips, 'clip')} of {self.subset} in {out.list}, classes in {out.labels}"

    def as_dict(self) -> dict[str, Any]:
        """The same for programs."""
        return {"subset": self.subset, **self.written.as_dict()}
