"""`prep scan`: have / expected / missing / unexpected, and where to get what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import arg

from manifests.classes import canonical
from prep.benchmarks import SOURCES, RawSource
from prep.benchmarks.places import PLACES
from prep.folders import missing_file, raw_folder
from prep.scan import (
    ClassTally,
    Inventory,
    Tally,
    check_place,
    most_first,
    take_inventory,
    write_missing,
)
from prep.text import SCREEN_LINES, aligned, count, cut, one_line
from prep.words import Annotations, Dataset, FromFrames, Root

_HEAD = ("have", "expected", "missing", "unexpected")
_SHOWN_FILES = 5
_SHOWN_CROWDED = 10
_UNEXPECTED = "unexpected, second copies or of no listed clip; not used:"


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
        path = self.out or missing_file(name)
        if self.out is not None:
            check_place(path)
        source = SOURCES[name](raw_folder(name, self.root), self.annotations, self.from_frames)
        inventory = take_inventory(source)
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
                *_listed(
                    "unexpected, of no listed clip or second copies of one; not used:", unexpected
                ),
                *(f"note: {note}" for note in self.source.notes),
                *self._mend_lines(),
            ]
        )

    def _class_lines(self) -> Iterator[str]:
        classes = self.source.classes.names
        if short := most_first(self.inventory, "missing"):
            lack = len({item.name for item in short}.intersection(classes))
            yield from ("", f"{lack:,} of {len(classes):,} classes miss clips, most first:")
            yield from _class_table(short)
        if crowded := most_first(self.inventory, "unexpected"):
            yield from ("", "unexpected files by class, most first:")
            yield from _class_table(crowded, _SHOWN_CROWDED)

    def _mend_lines(self) -> list[str]:
        if not self.inventory.clips.missing:
            emptied = f"; {self.missing_list} lists none now" if self.missing_list else ""
            return ["", f"nothing is missing{emptied}"]
        lines = [f"missing clips are listed in {self.missing_list}"]
        place = PLACES.get(self.source.benchmark)
        if place:
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
    return {
        "have": tally.have,
        "expected": tally.expected,
        "missing": tally.missing,
        "unexpected": tally.unexpected,
    }


def _table(title: str, tallies: dict[str, Tally]) -> list[str]:
    rows: list[tuple[str | int, ...]] = [(title, *_HEAD)]
    rows += [(name, *_numbers(tally).values()) for name, tally in tallies.items()]
    return aligned(rows)


def _class_table(items: Iterable[ClassTally], limit: int = SCREEN_LINES) -> list[str]:
    head, *rows = _table("class", {item.name: item.clips for item in items})
    return [head, *cut(rows, limit)]


def _listed(title: str, names: Iterable[str]) -> list[str]:
    lines = [f"  {one_line(name)}" for name in names]
    return ["", title, *cut(lines, _SHOWN_FILES)] if lines else []
