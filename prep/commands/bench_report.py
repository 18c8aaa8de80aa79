"""What `prep bench` says: medians of every way, ratios, and what was left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from prep.bench.choice import PIPELINES
from prep.bench.picture import drawn, shares
from prep.bench.rounds import Median
from prep.bench.work import Work


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
