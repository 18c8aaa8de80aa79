"""`prep export`: a set of shards as a Hugging Face dataset repository."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import arg

from manifests.classes import canonical
from prep.folders import SHARDS, set_folder
from prep.hub.about import about
from prep.hub.placing import How
from prep.hub.repository import Exported, export_set
from prep.hub.target import CARD, CROISSANT, SUMS
from prep.text import count, size
from prep.words import Dataset, Shards


@dataclass(frozen=True)
class Export:
    """Words of `prep export`."""

    hf: Annotated[
        Path, arg(metavar="DIR", help="the folder that becomes a Hugging Face dataset repository")
    ]
    dataset: Dataset
    shards: Shards = SHARDS
    partial: Annotated[bool, arg(help="export a set that is not finished; its card says so")] = (
        False
    )

    def run(self) -> ExportReport:
        """Link or copy the files of the set; write card, metadata and checksums."""
        name = canonical(self.dataset)
        folder = set_folder(name, self.shards)
        return ExportReport(export_set(name, folder, self.hf, partial=self.partial))


@dataclass(frozen=True, eq=False)
class ExportReport:
    """What was exported."""

    exported: Exported

    @property
    def exit_code(self) -> int:
        """Always 0: what cannot be exported is refused."""
        return 0

    def text(self) -> str:
        """One line a fact."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        found, target, placed = (
            self.exported.found,
            self.exported.target,
            self.exported.placed,
        )
        info = found.info
        yield (
            f"{target}: {info.benchmark} as a dataset repository, "
            f"{count(info.counts.stored, 'clip')} in {count(len(found.tars), 'tar')}, "
            f"{size(info.counts.bytes)}"
        )
        told: dict[How, str] = {
            "linked": "hard-linked",
            "copied": "copied",
            "kept": "in place already",
        }
        yield "files: " + ", ".join(
            f"{placed.files[how]:,} {words} ({size(placed.bytes[how])})"
            for how, words in told.items()
            if placed.files[how]
        )
        yield "splits: " + ", ".join(f"{split.name} {split.clips:,}" for split in found.splits)
        yield f"card {CARD}, metadata {CROISSANT}, checksums {SUMS}"
        if not info.complete:
            yield "note: the set is not finished, and the card says so"
        yield f"terms: {about(info.benchmark).terms}"
        yield f"upload, where these allow it: hf upload USER/NAME {target} --repo-type dataset"

    def as_dict(self) -> dict[str, Any]:
        """All figures."""
        found, placed = self.exported.found, self.exported.placed
        info = found.info
        return {
            "folder": str(self.exported.target),
            "dataset": info.benchmark,
            "identity": info.identity,
            "complete": info.complete,
            "clips": info.counts.stored,
            "splits": {split.name: vars(split) for split in found.splits},
            "files": dict(placed.files),
            "bytes": dict(placed.bytes),
            "subsets": [subset.name for subset in found.subsets],
            "descriptions": [texts.file_name for texts in found.descriptions],
            "terms": about(info.benchmark).terms,
        }
