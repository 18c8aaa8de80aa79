"""`prep doctor`: what this machine has of what the tools need, and what would mend the rest."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from prep.doctor import Finding, examine
from prep.folders import SHARDS
from prep.text import aligned


@dataclass(frozen=True)
class Doctor:
    """Words of `prep doctor`: none."""

    def run(self) -> DoctorReport:
        """Look at everything; nothing is changed."""
        return DoctorReport(tuple(examine(SHARDS.parent)))


@dataclass(frozen=True)
class DoctorReport:
    """All findings."""

    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """1 when something necessary is missing."""
        return int(any(finding.state == "missing" for finding in self.findings))

    def text(self) -> str:
        """A line a finding, and below it what would mend it."""
        lines = aligned([(f.state, f.name, f.found) for f in self.findings])
        mended = []
        for finding, line in zip(self.findings, lines, strict=True):
            mended += [line, *([f"         mend: {finding.mend}"] if finding.mend else [])]
        return "\n".join(mended)

    def as_dict(self) -> dict[str, Any]:
        """The same for programs."""
        return {"ok": not self.exit_code, "findings": [asdict(f) for f in self.findings]}
