"""Sizes of the protocols, counted on official lists: those that the protocols name."""

from __future__ import annotations

from itertools import pairwise

import pytest

from manifests.protocols import PROTOCOLS, zero_shot_classes
from prep.benchmarks import official_list
from tests.prep.commands.said import refused, said


def counted(benchmark: str, annotations: object) -> dict[str, list[tuple[str, int | None]]]:
    """Sets of each protocol with their clips, as `prep subset protocols` counts them."""
    found = said(
        "subset", "protocols", "--dataset", benchmark, "--annotations", annotations, "--json"
    )
    assert found.code == 0, found.err
    return {
        protocol: [(size["what"], size["clips"]) for size in sizes]
        for protocol, sizes in found.json["protocols"].items()
    }


@pytest.mark.parametrize(
    ("benchmark", "sizes"),
    [
        (
            "hmdb51",
            {
                "few-shot": [("train", 816), ("test", 1530)],
                "base-novel": [("train", 416), ("base", 780), ("novel", 750)],
                "zero-shot": [("split 1", 1530), ("split 2", 1530), ("split 3", 1530)],
                "full": [("train", 3570), ("test", 1530)],
            },
        ),
        (
            "ucf101",
            {
                "few-shot": [("train", 1616), ("test", 3783)],
                "base-novel": [("train", 816), ("base", 2088), ("novel", 1695)],
                "zero-shot": [("split 1", 3783), ("split 2", 3734), ("split 3", 3696)],
                "full": [("train", 9537), ("test", 3783)],
            },
        ),
        (
            "ssv2",  # its train list is not at hand
            {
                "few-shot": [("train", None), ("test", 24777)],
                "base-novel": [("train", None), ("base", 17562), ("novel", 7215)],
                "full": [("train", None), ("test", 24777)],
            },
        ),
    ],
)
def test_sizes_of_the_paper(annotations, benchmark, sizes):
    assert counted(benchmark, annotations / benchmark) == sizes


@pytest.mark.parametrize("edition", ["", "crawler"])
def test_kinetics_halves_make_up_the_whole(annotations, edition):
    """Editions differ in their rows; in each, the halves are the whole validation list."""
    sizes = dict(counted("kinetics400", annotations / "kinetics400" / edition)["base-novel"])
    whole = dict(counted("kinetics400", annotations / "kinetics400" / edition)["full"])
    assert sizes["base"] + sizes["novel"] == whole["test"]


def test_kinetics600_counts_clips_of_the_160_classes(annotations):
    folder = annotations / "kinetics600"
    official = official_list("kinetics600", folder, folder)
    ids = official.columns.class_ids[official.columns.splits["test"]].tolist()
    expected = []
    for split in (1, 2, 3):
        among = {official.classes.id_of(name) for name in zero_shot_classes("kinetics600", split)}
        expected.append((f"split {split}", sum(number in among for number in ids)))
    assert counted("kinetics600", folder)["zero-shot"] == expected


def test_a_test_list_without_labels_is_not_counted(annotations):
    """The crawler publishes the names of the test clips alone."""
    sizes = counted("kinetics600", annotations / "kinetics600" / "crawler")
    assert [clips for _, clips in sizes["zero-shot"]] == [None] * 3


def test_protocols_come_in_one_order(annotations):
    for name in ("hmdb51", "ucf101"):
        places = [PROTOCOLS.index(p) for p in counted(name, annotations / name)]
        assert all(a < b for a, b in pairwise(places))


def test_text_and_what_has_none(annotations):
    text = said(
        "subset", "protocols", "--dataset", "ssv2", "--annotations", annotations / "ssv2"
    ).out
    assert "no list with labels" in text and "24,777" in text
    marked = {line.split()[0] for line in text.splitlines() if line.endswith("not in the paper")}
    assert marked == {"full"}
    assert "toy is in no published protocol" in refused("subset", "protocols", "--dataset", "toy")
