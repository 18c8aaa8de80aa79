"""`prep scan`: have / expected / missing / unexpected, and where to get what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import arg

from manifests.classes import canonical
from prep.benchmarks import SOURCES, RawSource
from prep.benchmarks.places import PLACES
from prep.folders import missing_file, raw_folder
from prep.scan import Inventory, Tally, short_classes, take_inventory, write_missing
from prep.text import aligned, count, cut
from prep.words import Annotations, Dataset, FromFrames, Root

_HEAD = ("have", "expected", "missing")
_SHOWN_FILES = 5


@dataclass(frozen=True)
class Scan:
    """Words of `prep scan`."""

    dataset: Dataset
    root: Root = None
    annotations: Annotations = None
    from_frames: FromFrames = False
    out: Annotated[
        Path | None,
        arg(
            metavar="FILE",
            help="where the list of missing clips goes, as csv",
            help_behavior_hint="(default: data/missing-NAME.csv)",
        ),
    ] = None

    def run(self) -> ScanReport:
        """Hold the raw folder against its official list; nothing is opened or decoded."""
        name = canonical(self.dataset)
        source = SOURCES[name](raw_folder(name, self.root), self.annotations, self.from_frames)
        inventory = take_inventory(source)
        path = self.out or missing_file(name)
        written = None
        # A list of an earlier day must not speak of clips that have come since.
        if inventory.clips.missing or path.exists():
            write_missing(source, path)
            written = path
        return ScanReport(source, inventory, written)


@dataclass(frozen=True, eq=False)
class ScanReport:
    """What was found; missing clips are no failure."""

    source: RawSource
    inventory: Inventory
    missing_list: Path | None

    exit_code = 0

    def text(self) -> str:
        """Tables of splits and of the classes that miss most, then where to get the rest."""
        clips, unexpected = self.inventory.clips, self.source.unexpected
        head = (
            f"{self.source.benchmark} in {self.source.root}: {clips.have:,} of "
            f"{count(clips.expected, 'clip')} there, {clips.missing:,} missing; "
            f"{count(len(unexpected), 'unexpected file')}"
        )
        splits = {**self.inventory.splits, "all clips": clips}
        return "\n".join(
            [
                head,
                "",
                *_table("split", splits),
                *self._class_lines(),
                *_listed("of no listed clip, or second copies of one; not used:", unexpected),
                *(f"note: {note}" for note in self.source.notes),
                *self._mend_lines(),
            ]
        )

    def _class_lines(self) -> list[str]:
        short = {item.name: item.clips for item in short_classes(self.inventory)}
        if not short:
            return []
        title = f"{len(short):,} of {len(self.inventory.classes):,} classes miss clips, most first:"
        head, *rows = _table("class", short)
        return ["", title, head, *cut(rows)]

    def _mend_lines(self) -> list[str]:
        if self.missing_list is None:
            return ["", "nothing is missing"]
        lines = [f"missing clips are listed in {self.missing_list}"]
        place = PLACES.get(self.source.benchmark)
        if self.inventory.clips.missing and place:
            lines += [f"get them from {place.videos}", f"terms: {place.terms}"]
        return ["", *lines]

    def as_dict(self) -> dict[str, Any]:
        """All counts, every class, every unexpected file."""
        place = PLACES.get(self.source.benchmark)
        return {
            "benchmark": self.source.benchmark,
            "root": str(self.source.root),
            "clips": _numbers(self.inventory.clips),
            "splits": {name: _numbers(t) for name, t in self.inventory.splits.items()},
            "classes": [
                {
                    "name": item.name,
                    **_numbers(item.clips),
                    "splits": {name: _numbers(t) for name, t in item.splits.items()},
                }
                for item in self.inventory.classes
            ],
            "unexpected": list(self.source.unexpected),
            "notes": list(self.source.notes),
            "missing_list": str(self.missing_list) if self.missing_list else None,
            "official": asdict(place) if place else None,
        }


def _numbers(tally: Tally) -> dict[str, int]:
    return {"have": tally.have, "expected": tally.expected, "missing": tally.missing}


def _table(title: str, tallies: dict[str, Tally]) -> list[str]:
    rows = [(name, t.have, t.expected, t.missing) for name, t in tallies.items()]
    return aligned([(title, *_HEAD), *rows])


def _listed(title: str, names: Iterable[str]) -> list[str]:
    lines = [f"  {name}" for name in names]
    return ["", title, *cut(lines, _SHOWN_FILES)] if lines else []
