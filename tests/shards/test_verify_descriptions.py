"""Every damaged byte of a file of descriptions is found; what has no hash is told apart."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from manifests.descriptions import Descriptions, format_descriptions
from shards.verify_descriptions import description_faults, unhashed_descriptions
from tests.shards.made import CLASSES, HEADER

MADE = Descriptions(
    "custom", "spatial", 2, {CLASSES[0]: ("a bow", "an é"), CLASSES[3]: ("x", "y")}, {"by": "me"}
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "descriptions").mkdir()
    return tmp_path / "descriptions" / "spatial-2.json"


def _told(place: Path, data: bytes) -> list[str]:
    place.write_bytes(data)
    faults = list(description_faults(place.parents[1], HEADER))
    assert {fault.place for fault in faults} <= {f"descriptions/{place.name}"}
    assert {fault.mend for fault in faults} <= {"by hand"}
    return [fault.what for fault in faults]


def test_a_whole_file_has_no_fault(place):
    assert _told(place, format_descriptions(MADE)) == []
    assert unhashed_descriptions(place.parents[1]) == ()


@pytest.mark.parametrize("mask", [1, 0x20, 0xFF])
def test_every_byte_counts(place, mask):
    data = format_descriptions(MADE)
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]
        assert len(_told(place, changed)) == 1, (at, changed[at - 9 : at + 9])
    for left in range(len(data)):
        assert len(_told(place, data[:left])) == 1


def test_a_file_by_hand_is_held_to_its_form_alone(place):
    record = json.loads(format_descriptions(MADE))
    record.pop("sha256")
    assert _told(place, json.dumps(record).encode()) == []
    assert unhashed_descriptions(place.parents[1]) == ("spatial-2.json",)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (replace(MADE, kind="temporal"), "holds temporal sentences, 2 a class: temporal-2.json"),
        (replace(MADE, n=4), "holds spatial sentences, 4 a class: spatial-4.json"),
        (replace(MADE, benchmark="toy"), "is of toy, the set is of custom"),
        (replace(MADE, sentences={"waving": ("a", "b")}), "(1, first 'waving')"),
    ],
)
def test_sentences_of_something_else(place, other, told):
    (what,) = _told(place, format_descriptions(other))
    assert told in what
    assert "prep describe --dataset custom" in what


def test_what_cannot_be_read(place):
    place.symlink_to(place.with_name("nowhere"))
    (fault,) = description_faults(place.parents[1], HEADER)
    assert "cannot be read: no such file" in fault.what
    place.unlink()
    place.mkdir()
    (fault,) = description_faults(place.parents[1], HEADER)
    assert "cannot be read: is a directory" in fault.what
