from collections import Counter

from manifests.classes import load_classes
from prep.toy.captions import KINDS
from prep.toy.cast import benchmark_cast, captioned_cast
from prep.toy.film import CODECS

PER_CLASS = {"train": 3, "val": 1, "test": 2}


def test_every_class_has_its_clips_in_every_split():
    parts = benchmark_cast(1, PER_CLASS)
    counts = Counter((part.text, part.split) for part in parts)
    assert counts == {
        (name, split): count
        for name in load_classes("toy").names
        for split, count in PER_CLASS.items()
    }
    assert all(part.other_camera and not part.damage for part in parts)
    assert all(KINDS[part.text] == (part.motion, part.shape) for part in parts)


def test_broken_clips_come_on_top_and_after():
    parts = benchmark_cast(1, PER_CLASS, broken=4)
    assert parts[:-4] == benchmark_cast(1, PER_CLASS)
    assert [part.damage for part in parts[-4:]] == ["empty", "page", "cut", "empty"]
    assert len({part.text for part in parts[-4:]}) == 4
    assert {part.split for part in parts[-4:]} == {"train"}


def test_files_streams_and_containers():
    parts = benchmark_cast(1, PER_CLASS, broken=3) + captioned_cast(1, 480, broken=3)
    assert len({part.file for part in parts}) == len(parts)
    assert len({part.stream for part in parts}) == len(parts)
    suffixes = Counter(part.file[part.file.rfind(".") :] for part in parts)
    assert set(suffixes) == set(CODECS)
    assert suffixes[".mp4"] > suffixes[".avi"] > 50


def test_captions_never_speak_of_a_held_out_combination():
    parts = captioned_cast(1, 480, broken=2)
    held_out = {KINDS[name] for name in load_classes("toy").names}
    kinds = Counter((part.motion, part.shape) for part in parts[:480])
    assert len(kinds) == 48 and not held_out & set(kinds)
    assert set(kinds.values()) == {10}
    assert not any(part.other_camera for part in parts)
    assert [part.damage for part in parts[480:]] == ["empty", "page"]


def test_a_cast_depends_on_its_seed_alone():
    assert captioned_cast(1, 96) == captioned_cast(1, 96)
    assert captioned_cast(1, 96) == captioned_cast(1, 192)[:96]
    assert captioned_cast(1, 96) != captioned_cast(2, 96)
