"""`prep subset protocols`: which benchmark has which protocol, and how many clips each takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from tyro.conf import arg

from manifests.classes import canonical
from manifests.errors import UserError
from manifests.protocols import Protocol, ProtocolRow, protocol_row, protocol_rows
from prep.benchmarks import official_list
from prep.folders import raw_folder
from prep.sizes import Size, protocol_sizes
from prep.text import aligned
from prep.words import Annotations, Root


@dataclass(frozen=True)
class ShowProtocols:
    """Show the table benchmark x protocol; with --dataset, sizes counted on its official list.

    Nothing but the list is needed: no videos, no shards.
    """

    dataset: Annotated[
        str | None,
        arg(metavar="NAME", help="count on this benchmark's list", help_behavior_hint="(optional)"),
    ] = None
    root: Root = None
    annotations: Annotations = None

    def run(self) -> ProtocolReport | SizeReport:
        """Show the table, or count."""
        if self.dataset is None:
            return ProtocolReport(protocol_rows())
        name = canonical(self.dataset)
        if name in ("custom", "toy"):
            raise UserError(
                f"{name} is in no published protocol: leave out --dataset for the table"
            )
        official = official_list(name, raw_folder(name, self.root), self.annotations)
        return SizeReport(name, protocol_sizes(official))


@dataclass(frozen=True)
class ProtocolReport:
    """The whole table."""

    rows: tuple[ProtocolRow, ...]

    exit_code = 0

    def text(self) -> str:
        """A line a pair of benchmark and protocol that exists."""
        lines: list[tuple[str, ...]] = [
            ("benchmark", "protocol", "trained on", "tested on", "classes", "")
        ]
        for row in self.rows:
            lines.append(
                (
                    row.benchmark,
                    row.protocol,
                    row.train or "(kinetics400)",
                    " ".join(row.tests) or "(other benchmarks)",
                    " / ".join(map(str, row.classes)),
                    "" if row.in_paper else "not in the paper",
                )
            )
        return "\n".join(aligned(lines))

    def as_dict(self) -> dict[str, Any]:
        """The same for programs."""
        return {"protocols": [asdict(row) for row in self.rows]}


@dataclass(frozen=True)
class SizeReport:
    """Sizes of one benchmark."""

    benchmark: str
    sizes: Mapping[Protocol, tuple[Size, ...]]

    exit_code = 0

    def text(self) -> str:
        """A line a training or test set."""
        lines: list[tuple[str | int, ...]] = [("protocol", "set", "split", "classes", "clips", "")]
        for protocol, sizes in self.sizes.items():
            told = "not in the paper" if protocol in self._beyond else ""
            for size in sizes:
                clips = "no list with labels" if size.clips is None else f"{size.clips:,}"
                lines.append((protocol, size.what, size.split, size.classes, clips, told))
        return "\n".join(aligned(lines))

    def as_dict(self) -> dict[str, Any]:
        """The same for programs; ``clips`` is null without a labelled list of the split."""
        sizes = {name: [asdict(size) for size in found] for name, found in self.sizes.items()}
        beyond = list(self._beyond)
        return {"benchmark": self.benchmark, "protocols": sizes, "not_in_the_paper": beyond}

    @property
    def _beyond(self) -> tuple[Protocol, ...]:
        """Protocols that the paper does not have for this benchmark."""
        rows = (protocol_row(self.benchmark, protocol) for protocol in self.sizes)
        return tuple(row.protocol for row in rows if row and not row.in_paper)
