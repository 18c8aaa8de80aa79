"""Every way measured a few times, in turn, each time in a process of its own.

In turn, because a machine that others use is slow for minutes: then all ways are slow alike, and
ratios of medians hold where single figures do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median

from tqdm import tqdm

from manifests.errors import UserError
from prep.bench.work import Figure, Work
from prep.processes import ask

START_SECONDS = 120.0
"""Time a process may take beside what it measures."""

# Threads that spin while they wait would count as work.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


@dataclass(frozen=True)
class Median:
    """Medians over the rounds, each for itself, and the slowest and fastest clips per second."""

    clips_per_second: float
    mb_per_second: float
    cpu_seconds_per_clip: float
    slowest: float
    fastest: float

    @classmethod
    def of(cls, figures: Sequence[Figure]) -> Median:
        """Medians of the figures of one way."""
        rates = [figure.clips_per_second for figure in figures]
        return cls(
            clips_per_second=median(rates),
            mb_per_second=median(figure.mb_per_second for figure in figures),
            cpu_seconds_per_clip=median(figure.cpu_seconds_per_clip for figure in figures),
            slowest=min(rates),
            fastest=max(rates),
        )


def measured(ways: Iterable[str], work: Work, rounds: int) -> dict[str, Median]:
    """Medians of every way; UserError with the line of a process that refused."""
    names = list(ways)
    figures: dict[str, list[Figure]] = {name: [] for name in names}
    turns = [name for _ in range(rounds) for name in names]
    with tqdm(turns, unit="process", disable=None, leave=False) as bar:
        for name in bar:
            bar.set_postfix_str(name)
            figures[name].append(alone(name, work))
    return {name: Median.of(found) for name, found in figures.items()}


def alone(name: str, work: Work) -> Figure:
    """One way, once, in a process of its own.

    Raises UserError when it refuses, or does not end.
    """
    words = {"way": name, "work": asdict(work)}
    limit = START_SECONDS + 4 * work.seconds
    try:
        return Figure(**ask("prep.bench.child", words, environment=_ENVIRONMENT, limit=limit))
    except UserError as error:
        raise UserError(f"{name} cannot be measured: {error}") from None
