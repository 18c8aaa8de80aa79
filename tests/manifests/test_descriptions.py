"""Files of class descriptions: round trip, checks, where they are found."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from manifests.classes import class_list
from manifests.descriptions import (
    Descriptions,
    check_descriptions,
    find_descriptions,
    format_descriptions,
    parse_descriptions,
    stray_keys,
    unhashed,
)
from manifests.errors import UserError

CLASSES = class_list("custom", ["wave", "clap"])


def made(**sentences: tuple[str, ...]) -> Descriptions:
    return Descriptions("custom", "spatial", 2, sentences, {"model": "by hand"})


def test_round_trip():
    descriptions = made(wave=("a hand", "an arm"), clap=("zwei Hände",))
    again = parse_descriptions(format_descriptions(descriptions), "memory")
    assert again == descriptions
    assert again.file_name == "spatial-2.json"


def test_a_digest_is_of_the_sentences_of_the_classes_asked_for():
    one = made(wave=("a hand", "an arm"), clap=("two hands",))
    again = replace(made(clap=("two hands",), wave=("a hand", "an arm")), source={"by": "another"})
    assert one.digest(["wave", "clap"]) == again.digest(["wave", "clap"])
    assert one.digest(["wave", "clap"]) != one.digest(["clap", "wave"])
    other = made(wave=("a hand", "an arm"), clap=("two  hands",))
    assert one.digest(["clap"]) != other.digest(["clap"])
    assert one.digest(["wave"]) == other.digest(["wave"])
    parted = made(wave=("a hand",), clap=("an arm", "two hands"))
    assert one.digest(["wave", "clap"]) != parted.digest(["wave", "clap"])


def test_a_whole_file_has_no_fault():
    assert check_descriptions(made(wave=("a", "b"), clap=("c", "d")), CLASSES) == ()


def test_faults_are_named():
    faults = check_descriptions(made(wave=("a", "a"), jump=("c", " ")), CLASSES)
    assert faults == (
        "unknown class 'jump'",
        "class 'wave' has the same sentence twice",
        "class 'clap' has 0 sentences, not 2",
    )
    assert check_descriptions(made(wave=("a", ""), clap=("b", "c")), CLASSES) == (
        "class 'wave' has an empty sentence",
    )


def test_of_another_benchmark():
    other = class_list("toy", ["wave", "clap"])
    faults = check_descriptions(made(wave=("a", "b"), clap=("c", "d")), other)
    assert faults == ("made for custom, not for toy",)


def test_a_class_without_sentences_names_the_command():
    descriptions = made(wave=("a hand", "an arm"))
    assert descriptions.of("wave") == ("a hand", "an arm")
    with pytest.raises(UserError, match="prep describe --dataset custom --n 2"):
        descriptions.of("clap")


def broken(**change: object) -> bytes:
    record = json.loads(format_descriptions(made(wave=("a", "b"))))
    return json.dumps({**record, **change}).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[1, 2]",
        b"{}",
        b"\xff\xfe",
        broken(format=2),
        broken(kind="odd"),
        broken(classes={"wave": "a"}),
        broken(classes=[]),
        broken(n="two"),
    ],
)
def test_a_wrong_file_is_named(data):
    with pytest.raises(UserError, match=r"^here\.json is no file of class descriptions"):
        parse_descriptions(data, "here.json")


def test_a_changed_file_is_refused_and_one_by_hand_taken():
    data = format_descriptions(made(wave=("a hand", "an arm")))
    assert not unhashed(data)
    changed = data.replace(b"an arm", b"an axe")
    with pytest.raises(UserError, match=r"^here has other content than was written .* --anew"):
        parse_descriptions(changed, "here")
    record = json.loads(changed)
    record.pop("sha256")
    by_hand = json.dumps(record).encode()
    assert unhashed(by_hand)
    assert parse_descriptions(by_hand, "here") == made(wave=("a hand", "an axe"))
    assert stray_keys(by_hand) == ()
    assert stray_keys(json.dumps({**record, "rha256": ""}).encode()) == ("rha256",)


def test_the_source_is_an_object():
    with pytest.raises(UserError, match="the source is an object"):
        parse_descriptions(broken(source="me"), "here")


def test_found_beside_the_store(tmp_path):
    assert find_descriptions("custom", tmp_path, "spatial", 2) is None
    descriptions = made(wave=("a", "b"))
    folder = tmp_path / "descriptions"
    folder.mkdir()
    (folder / descriptions.file_name).write_bytes(format_descriptions(descriptions))
    assert find_descriptions("custom", tmp_path, "spatial", 2) == descriptions
    assert find_descriptions("custom", tmp_path, "temporal", 2) is None
