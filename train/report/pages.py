"""A report as Markdown, as one HTML page without outside parts, and as one CSV a table."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass

from train.report.tables import Cell, Table, Value

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 78rem; padding: 0 1rem;
       color: #1a1a1a; background: #fff; }
h2 { margin-top: 2.2rem; font-size: 1.15rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid #ddd; text-align: right;
         white-space: nowrap; }
th { border-bottom: 2px solid #888; font-weight: 600; }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 14rem;
                                 overflow-wrap: anywhere; }
.notes { color: #555; font-size: .85rem; }
figure { margin: 1.2rem 0; }
svg { max-width: 100%; height: auto; }
"""


@dataclass(frozen=True)
class Plot:
    """A picture and what it shows."""

    slug: str
    title: str
    svg: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """Tables and plots in the order of the paper; notes say what was read and left out.

    runs: every figure behind them, for a file only.
    """

    notes: tuple[str, ...]
    tables: tuple[Table, ...]
    plots: tuple[Plot, ...]
    runs: Table


def text_of(cell: Cell) -> str:
    """A cell for people."""
    return "" if cell is None else str(cell)


def markdown(report: Report) -> str:
    """All tables, one after another; plots lie beside as files."""
    parts = ["# Results", *report.notes]
    for table in report.tables:
        lines = [f"| {' | '.join(table.head)} |", f"|{'---|' * len(table.head)}"]
        for row in table.rows:
            cells = [text_of(cell).replace("|", "\\|") for cell in row]
            lines.append(f"| {' | '.join(cells)} |")
        notes = "\n".join(f"* {note}" for note in table.notes)
        parts += [f"## {table.title}", "\n".join(lines), notes]
    for plot in report.plots:
        parts += [f"## {plot.title}", f"![{plot.title}]({plot.slug}.svg)", *plot.notes]
    return "\n\n".join(part for part in parts if part) + "\n"


def comma_separated(table: Table) -> str:
    """A table as CSV: each mean in a column of its own, with deviation and count after it."""
    numeric = [any(isinstance(row[i], Value) for row in table.rows) for i in range(len(table.head))]
    head: list[str] = []
    for name, number in zip(table.head, numeric, strict=True):
        head += [name, f"{name} std", f"{name} n"] if number else [name]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(head)
    for row in table.rows:
        cells: list[str] = []
        for cell, number in zip(row, numeric, strict=True):
            cells += _numbers(cell) if number else [text_of(cell)]
        writer.writerow(cells)
    return file.getvalue()


def _numbers(cell: Cell) -> list[str]:
    if not isinstance(cell, Value):
        return [text_of(cell), "", ""]
    std = "" if cell.std is None else f"{cell.std:.4f}"
    return [f"{cell.mean:.4f}", std, str(cell.count)]


def page(report: Report) -> str:
    """One HTML page that needs nothing else."""
    parts = [f"<p>{html.escape(note)}</p>" for note in report.notes]
    for table in report.tables:
        parts.append(f"<h2>{html.escape(table.title)}</h2>")
        parts.append(f'<div class="wide"><table><thead>{_row(table.head, "th")}</thead>')
        body = "".join(_row(row, "td") for row in table.rows)
        parts.append(f"<tbody>{body}</tbody></table></div>{_notes(table.notes)}")
    for plot in report.plots:
        parts.append(f"<h2>{html.escape(plot.title)}</h2><figure>{plot.svg}</figure>")
        parts.append(_notes(plot.notes))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>Results</title>'
        f"<style>{_STYLE}</style></head><body><h1>Results</h1>{''.join(parts)}</body></html>\n"
    )


def _row(cells: Sequence[Cell], tag: str) -> str:
    inner = "".join(f"<{tag}>{html.escape(text_of(cell))}</{tag}>" for cell in cells)
    return f"<tr>{inner}</tr>"


def _notes(notes: Sequence[str]) -> str:
    items = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    return f'<ul class="notes">{items}</ul>' if items else ""
