"""Many results as the paper's tables: `python -m train.report RESULTS... --out DIR`.

RESULTS are result.json files, or folders that are searched for them. Into DIR go report.md,
report.html (one page that needs nothing else), one CSV a table and one SVG a plot. Exit codes: 0
done, 1 refused (one line), 2 wrong words.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Annotated

import tyro

from manifests.boxes import one_line
from manifests.errors import UserError
from manifests.near import did_you_mean
from shards.atomic import atomic_write
from train.recipes.spelling import options_of, unknown_option, wrong
from train.report.compose import compose
from train.report.entries import find_results
from train.report.pages import Report, comma_separated, markdown, page

PROGRAM = "python -m train.report"


@dataclass(frozen=True)
class Words:
    """What to gather, and where to write."""

    results: Annotated[tuple[Path, ...], tyro.conf.Positional] = field(default=(Path("runs"),))
    """Files named result.json, or folders that hold some at any depth."""
    out: Path = Path("report")
    """Folder to write into."""


def main(words: Sequence[str] | None = None) -> int:
    """Write the report; returns the exit code."""
    told = sys.argv[1:] if words is None else words
    if option := unknown_option(Words(), told):
        hint = did_you_mean(option, options_of(Words()))
        wrong(PROGRAM, f"there is no option {option}{hint}")
    with one_line(PROGRAM, itemgetter(0)):
        asked = tyro.cli(Words, args=told, prog=PROGRAM, description=__doc__)
    try:
        report = compose(find_results(asked.results))
        names = write(report, asked.out)
    except UserError as error:
        sys.stderr.write(f"{PROGRAM}: {error}\n")
        return 1
    for line in (*report.notes, f"wrote {', '.join(names)} into {asked.out}"):
        sys.stdout.write(f"{line}\n")
    return 0


def write(report: Report, folder: Path) -> list[str]:
    """Write all files of a report, whole ones only; returns their names."""
    files = {"report.md": markdown(report), "report.html": page(report)}
    files |= {
        f"{table.slug}.csv": comma_separated(table) for table in (*report.tables, report.runs)
    }
    files |= {f"{plot.slug}.svg": f"{plot.svg}\n" for plot in report.plots}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            atomic_write(folder / name, text.encode())
    except OSError as error:
        raise UserError(
            f"{folder} takes no report ({error.strerror}): name another folder with --out"
        ) from error
    return list(files)


if __name__ == "__main__":
    sys.exit(main())
