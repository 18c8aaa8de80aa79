"""`prep verify`: read every byte of a set again; with --repair, mend what is damaged."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from tyro.conf import arg

from manifests.classes import canonical
from prep.benchmarks import SOURCES
from prep.engines import usable_cores
from prep.folders import SHARDS, raw_folder, set_folder
from prep.remake import finish_set, remake_shards
from prep.repair import FromRaw, repair_set
from prep.text import aligned, count, cut, size
from prep.verify import Findings, check_set
from prep.words import Annotations, Dataset, Root, Shards
from shards.faults import Fault
from shards.verify import Decode

_MENDS = {
    "shard": "make the shard again (--repair)",
    "index": "write the index anew (--repair)",
    "tables": "rebuild the tables (--repair)",
    "missing": "write missing.csv anew (--repair, or `prep shard --finish`)",
    "subset": "draw the subset again (--repair, or `prep subset`)",
    "by hand": "see for yourself",
}
_SHOWN = 5


@dataclass(frozen=True)
class Verify:
    """Words of `prep verify`."""

    dataset: Dataset
    shards: Shards = SHARDS
    decode: Annotated[
        Decode, arg(help="JPEGs to decode: the middle one of each clip, all of them, or none")
    ] = "sample"
    repair: Annotated[bool, arg(help="mend what is damaged, from the raw videos if need be")] = (
        False
    )
    root: Root = None
    annotations: Annotations = None
    workers: Annotated[
        int | None,
        arg(metavar="N", help="at once", help_behavior_hint="(default: one a processor core)"),
    ] = None

    def run(self) -> VerifyReport:
        """Read everything; nothing is changed without --repair."""
        name = canonical(self.dataset)
        folder = set_folder(name, self.shards)
        workers = max(1, self.workers or usable_cores())
        found = check_set(folder, self.decode, workers)
        if not (self.repair and found.faults):
            return VerifyReport(found)

        read = functools.partial(SOURCES[name], raw_folder(name, self.root), self.annotations)
        raw = FromRaw(
            remake=lambda damaged: remake_shards(damaged, read, workers),
            finish=lambda damaged: finish_set(damaged, read),
        )
        repair = repair_set(found, self.decode, workers, raw)
        return VerifyReport(repair.after, _gone(repair.before, repair.after), repair.refusals)


@dataclass(frozen=True, eq=False)
class VerifyReport:
    """What was found, after the repair if there was one."""

    found: Findings
    mended: tuple[Fault, ...] = ()
    refusals: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """1 when faults remain."""
        return 1 if self.found.faults else 0

    def text(self) -> str:
        """A line of sums, the faults, the notes."""
        found, faults = self.found, self.found.faults
        damaged = len({fault.place for fault in faults})
        verdict = f"{count(damaged, 'file')} damaged" if faults else "whole"
        return "\n".join(
            [
                f"{found.folder}: {count(len(found.shards), 'shard')}, "
                f"{size(found.bytes_read)} read, "
                f"{count(found.frames_decoded, 'JPEG')} decoded: {verdict}",
                *_fault_lines("mended:", self.mended),
                *_fault_lines("damaged:", faults),
                *(f"not done: {refusal}" for refusal in self.refusals),
                *_mend_lines(faults),
                *self._duplicate_lines(),
                *self._other_lines(),
                *(f"note: {note}" for note in found.notes),
            ]
        )

    def _duplicate_lines(self) -> list[str]:
        pairs = [f"  {a}  {b}" for a, b in self.found.duplicates]
        if not pairs:
            return []
        title = f"note: {count(len(pairs), 'pair')} of equal clips, one to train and one to test:"
        return [title, *cut(pairs, _SHOWN)]

    def _other_lines(self) -> Iterator[str]:
        for title, places in (
            ("of nobody, left alone", self.found.others.foreign),
            (
                "of a run at work, or killed (the next one clears these)",
                self.found.others.temporary,
            ),
        ):
            if places:
                yield f"note: {count(len(places), 'file')} {title}:"
                yield from cut([f"  {place}" for place in places], _SHOWN)

    def as_dict(self) -> dict[str, Any]:
        """Everything, uncut."""
        found = self.found
        return {
            "folder": str(found.folder),
            "whole": not found.faults,
            "shards": len(found.shards),
            "bytes_read": found.bytes_read,
            "frames_decoded": found.frames_decoded,
            "faults": [asdict(fault) for fault in found.faults],
            "mended": [asdict(fault) for fault in self.mended],
            "not_done": list(self.refusals),
            "duplicates": [list(pair) for pair in found.duplicates],
            "foreign": list(found.others.foreign),
            "temporary": list(found.others.temporary),
            "notes": list(found.notes),
        }


def _fault_lines(title: str, faults: tuple[Fault, ...]) -> list[str]:
    """A line a file for its first fault, and one for the next: a cut tar damages many clips."""
    of_place: dict[str, list[str]] = {}
    for fault in faults:
        of_place.setdefault(fault.place, []).append(fault.what)
    rows = []
    for place, whats in of_place.items():
        rows.append((place, whats[0]))
        if len(whats) > 1:
            more = f" (and {len(whats) - 2:,} more)" if len(whats) > 2 else ""
            rows.append(("", whats[1] + more))
    return [title, *cut([f"  {line}" for line in aligned(rows)])] if rows else []


def _mend_lines(faults: tuple[Fault, ...]) -> list[str]:
    mends = dict.fromkeys(fault.mend for fault in faults)
    return [f"to mend: {', '.join(_MENDS[mend] for mend in mends)}"] if mends else []


def _gone(before: Findings, after: Findings) -> tuple[Fault, ...]:
    """Faults that a repair did away with."""
    remaining = {fault.place for fault in after.faults}
    return tuple(fault for fault in before.faults if fault.place not in remaining)
