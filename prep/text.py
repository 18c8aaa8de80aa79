"""Reports as people read them: aligned columns, lists cut to a screen."""

from __future__ import annotations

from collections.abc import Sequence

SCREEN_LINES = 20


def aligned(rows: Sequence[Sequence[str | int]]) -> list[str]:
    """Lines of a table, two blanks between columns; numbers to the right with thousands marked."""
    cells = [[f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    right = [any(isinstance(cell, int) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in cells
    ]


def cut(lines: Sequence[str], limit: int = SCREEN_LINES) -> list[str]:
    """The first lines, and how many more there are."""
    more = len(lines) - limit
    if more <= 0:
        return list(lines)
    return [*lines[:limit], f"... and {more:,} more (all of them with --json)"]


def one_line(name: str) -> str:
    """A name of a file with whatever would break the line, or colour the screen, escaped."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in name)


def count(number: int, thing: str) -> str:
    """A number and its thing: "1 clip", "2,000 clips"."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def size(number: int) -> str:
    """Bytes in the largest unit that leaves a whole digit: "2.4 MB", "512 B"."""
    value, units = float(number), ["B", "kB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.1f} {units[0]}" if number >= 1000 else f"{number} B"
