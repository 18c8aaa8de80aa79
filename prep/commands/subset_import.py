"""`prep subset import`: hold a published list against one's own copy, and make a subset of it."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from manifests.classes import canonical
from manifests.errors import UserError
from prep.benchmarks.layout import Bools
from prep.catalogues import Against, against_raw, against_store
from prep.commands.subset_draw import HASH_SHOWN, Anew, said
from prep.export import Export, prepare_export
from prep.folders import SHARDS, set_folder
from prep.importing import Comparison, compare, examples, folders_of, imported_subset
from prep.published import read_published
from prep.subsets import Kept, keep
from prep.text import count, cut
from prep.words import Annotations, Dataset, Root, Shards
from shards.info import DATASET_JSON
from shards.store import ShardStore

_SHOWN = 6


@dataclass(frozen=True)
class ImportList:
    """Read a list that somebody published; join it by name, never by number, and keep it.

    Every line is *matched* with a clip of one's own copy, *missing* there though the official list
    has it, or *unknown* to both. *Conflicts* are lines whose class number contradicts the class
    they name. The subset takes the official class of every clip.
    """

    file: Annotated[Positional[Path], arg(metavar="FILE", help="the list")]
    dataset: Dataset
    name: Annotated[
        str | None,
        arg(metavar="NAME", help="of the subset", help_behavior_hint="(default: that of the file)"),
    ] = None
    report_only: Annotated[
        bool, arg(help="write nothing; no shards are needed where the official list is at hand")
    ] = False
    labels: Annotated[
        Path | None,
        arg(
            metavar="FILE",
            help="what the list's numbers mean: a label file",
            help_behavior_hint="(default: the published numbering that fits best)",
        ),
    ] = None
    export: Annotated[
        Path | None,
        arg(
            metavar="FILE",
            help="write the subset as a list again too: a name and a number a line",
            help_behavior_hint="(optional)",
        ),
    ] = None
    root: Root = None
    annotations: Annotations = None
    shards: Shards = SHARDS
    anew: Anew = False

    def run(self) -> ImportReport:
        """Compare, then write the subset unless only a report is wanted."""
        name = canonical(self.dataset)
        listed = read_published(self.file)
        if self.report_only:
            if self.export:
                raise UserError("--report-only writes nothing: leave out --export, or this")
            against = self._without_shards(name)
            found = compare(listed, against.copy, against.official, self.labels)
            return ImportReport(name, found, against.told)
        store = ShardStore.open(set_folder(name, self.shards))
        against = against_store(store, self.root, self.annotations)
        found = compare(listed, against.copy, against.official, self.labels)
        subset = imported_subset(store, found, self._name(), against.copy.class_ids)
        export = prepare_export(store, subset, self.export) if self.export else None
        kept = keep(store.folder, [subset], anew=self.anew)[0]
        if export:
            export.write()
        return ImportReport(name, found, against.told, kept, export)

    def _name(self) -> str:
        """The name given, else that of the file, with a dash for what no name may hold."""
        return self.name or re.sub(r"[^A-Za-z0-9._]+|^[._]+", "-", self.file.stem).strip("-")

    def _without_shards(self, name: str) -> Against:
        """Raw videos where they are named; else shards where there are some, or a list alone."""
        folder = set_folder(name, self.shards)
        if self.root is None and (folder / DATASET_JSON).exists():
            return against_store(ShardStore.open(folder), None, self.annotations)
        return against_raw(name, self.root, self.annotations)


@dataclass(frozen=True, eq=False)
class ImportReport:
    """What was found, and what was written; missing and unknown clips are no failure."""

    benchmark: str
    found: Comparison
    against: tuple[str, ...]
    kept: Kept | None = None
    exported: Export | None = None

    exit_code = 0

    def text(self) -> str:
        """Counts with a few lines of each kind, contradictions, and what was written."""
        found, counts = self.found, self.found.counts()
        listed = found.listed
        return "\n".join(
            [
                f"{listed.file}: {count(counts['listed'], 'line')} of the form {listed.form!r}, "
                f"held against {self.against[0]}",
                *(f"note: {line}" for line in self.against[1:]),
                f"matched    {counts['matched']:,}",
                f"missing    {counts['missing']:,}{self._shown(found.missing)}",
                f"unknown    {counts['unknown']:,}{self._shown(found.unknown)}",
                f"conflicts  {counts['conflicts']:,}",
                f"class numbers: {found.verdict.numbering}",
                *self._contradictions(),
                *self._odd_lines(),
                *self._written(),
            ]
        )

    def _shown(self, chosen: Bools) -> str:
        shown = examples(self.found.listed, chosen)
        if not shown:
            return ""
        tops = folders_of(self.found.listed, chosen)
        where = ", ".join(f"{n:,} in {top}/" for top, n in list(tops.items())[:3] if top)
        return f"  ({where + '; ' if where else ''}such as {', '.join(shown)})"

    def _contradictions(self) -> list[str]:
        told = [
            f"  {item.number} says {item.says!r} on {count(item.lines, 'line')} of "
            f"{item.clips_are!r}"
            for item in self.found.contradictions
        ]
        head = ["numbers that contradict the names of their clips (clips are taken by name):"]
        return [*head, *cut(told, _SHOWN)] if told else []

    def _odd_lines(self) -> list[str]:
        found = self.found
        kinds = {
            "no published label, so in no subset": found.unlabelled,
            "named on an earlier line already": found.repeated,
            "folder of another class than the official one, which is taken": found.misfiled,
        }
        told = [f"{count(number, 'line')}: {what}" for what, number in kinds.items() if number]
        if found.unknown.all():
            told.append(
                f"no line names a clip of {self.benchmark} that is known here: is the list of "
                "another benchmark, or of a split whose official list is not there?"
            )
        return told

    def _written(self) -> list[str]:
        lines = []
        if self.kept:
            subset, state = self.kept.subset, "written" if self.kept.new else "there already"
            lines.append(
                f"{subset.name}: {count(len(subset), 'clip')} of {len(subset.classes)} classes, "
                f"hash {subset.hash[:HASH_SHOWN]}, {self.kept.file} ({state})"
            )
        if self.exported:
            lines.append(f"exported to {self.exported.list}, classes in {self.exported.labels}")
        return lines

    def as_dict(self) -> dict[str, Any]:
        """Counts of lines, contradictions, and what was written."""
        found = self.found
        return {
            "benchmark": self.benchmark,
            "list": found.listed.file,
            "form": found.listed.form,
            "against": list(self.against),
            **found.counts(),
            "numbering": found.verdict.numbering,
            "contradictions": [asdict(item) for item in found.contradictions],
            "unlabelled": found.unlabelled,
            "repeated": found.repeated,
            "misfiled": found.misfiled,
            "missing_clips": examples(found.listed, found.missing, len(found.listed)),
            "unknown_clips": examples(found.listed, found.unknown, len(found.listed)),
            "subset": self.kept and {**said(self.kept.subset), "file": str(self.kept.file)},
            "exported": self.exported and self.exported.as_dict(),
        }
