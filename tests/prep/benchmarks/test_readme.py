"""The table of the page: protocols are those there are, counts those of the official lists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from manifests.protocols import PROTOCOLS, protocol_row
from prep.benchmarks import SOURCES, official_list
from prep.benchmarks.layout import OfficialList
from prep.sizes import protocol_sizes

PAGE = Path(__file__).resolve().parents[3] / "prep" / "benchmarks" / "README.md"
COLUMNS = ("benchmark", "layouts", "annotation files", "splits", "protocols", "counts")


def table() -> dict[str, dict[str, str]]:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]
    return {row[0]: dict(zip(COLUMNS, row, strict=True)) for row in cells}


ROWS = table()


def numbers(text: str) -> set[int]:
    """Whole numbers of a cell that count clips: those above a hundred."""
    found = (int(number.replace(",", "")) for number in re.findall(r"\b\d[\d,]*\b", text))
    return {number for number in found if number > 100}


def test_every_benchmark_has_a_row():
    assert list(ROWS) == list(SOURCES)


@pytest.mark.parametrize("benchmark", [name for name in SOURCES if name != "custom"])
def test_protocols_are_those_there_are(benchmark):
    rows = [row for name in PROTOCOLS if (row := protocol_row(benchmark, name))]
    parts = {
        "": [row.protocol for row in rows if row.in_paper],
        "beyond the paper: ": [row.protocol for row in rows if not row.in_paper],
    }
    told = "; ".join(start + ", ".join(names) for start, names in parts.items() if names)
    assert ROWS[benchmark]["protocols"] == told


def counted(official: OfficialList) -> set[int]:
    """Clips of an official list: all, of each split, of neither side, of each half of the tests."""
    members = official.columns.splits
    sizes = {int(member.sum()) for member in members.values()}
    pairs = [(f"train{number}", f"test{number}") for number in (1, 2, 3)]
    unused = {
        int((~members[train] & ~members[test]).sum())
        for train, test in pairs
        if train in members and test in members
    }
    halves = protocol_sizes(official).get("base-novel", ())
    return {
        len(official.columns.rows),
        *sizes,
        *unused,
        *(size.clips for size in halves if size.what in ("base", "novel") and size.clips),
    }


@pytest.mark.parametrize(
    ("benchmark", "folders"),
    [
        ("ucf101", ["ucf101"]),
        ("hmdb51", ["hmdb51"]),
        ("kinetics400", ["kinetics400", "kinetics400/crawler"]),
        ("kinetics600", ["kinetics600", "kinetics600/crawler"]),
        ("ssv2", ["ssv2"]),
    ],
)
def test_counts_are_those_of_the_official_lists(annotations, benchmark, folders):
    found: set[int] = set()
    for folder in folders:
        if not (annotations / folder).is_dir():
            pytest.skip(f"no {annotations / folder}")
        found |= counted(official_list(benchmark, Path("absent"), annotations / folder))
    told = numbers(ROWS[benchmark]["counts"])
    assert told
    assert told <= found, told - found
