from collections import Counter
from importlib import resources

import pytest

from manifests.classes import load_classes
from manifests.descriptions import check_descriptions, find_descriptions, format_descriptions
from prep.toy.captions import KINDS, SENTENCES, caption, class_name, describe
from prep.toy.world import COLOURS, MOTIONS, SHAPES


def test_names_tell_motion_and_shape_apart():
    assert len(KINDS) == len(MOTIONS) * len(SHAPES)
    assert KINDS["two crosses meeting"] == ("meeting", "cross")
    assert class_name("growing", "ring") == "ring growing"
    assert caption("parting", "star", "blue") == "two blue stars parting"


def test_the_class_list_is_of_this_world_and_balanced():
    classes = load_classes("toy")
    assert len(classes) == 24
    assert list(classes.names) == sorted(classes.names)
    for which in ("base", "novel"):
        kinds = [KINDS[name] for name in classes.half(which).names]
        assert Counter(motion for motion, _ in kinds) == dict.fromkeys(MOTIONS, 1)
        assert Counter(shape for _, shape in kinds) == dict.fromkeys(SHAPES, 2)


def test_twins_are_held_out_together():
    """So that shape alone never gives a class away."""
    kinds = {KINDS[name] for name in load_classes("toy").names}
    motions = tuple(MOTIONS)
    for forth, back in zip(motions[::2], motions[1::2], strict=True):
        shapes = {shape for motion, shape in kinds if motion == forth}
        assert shapes == {shape for motion, shape in kinds if motion == back}


def test_captions_are_distinct():
    said = {caption(m, s, c) for m in MOTIONS for s in SHAPES for c in COLOURS}
    assert len(said) == len(MOTIONS) * len(SHAPES) * len(COLOURS)


@pytest.mark.parametrize("kind", ["spatial", "temporal"])
def test_shipped_sentences_are_those_of_the_patterns(kind, tmp_path):
    classes = load_classes("toy")
    made = describe(classes, kind)
    assert check_descriptions(made, classes) == ()
    shipped = resources.files("manifests").joinpath(f"toy/descriptions/{made.file_name}")
    assert shipped.read_bytes() == format_descriptions(made)
    assert find_descriptions("toy", tmp_path, kind, SENTENCES) == made


def test_only_temporal_sentences_tell_twins_apart():
    def swapped(kind):
        texts = describe(load_classes("toy"), kind).sentences
        return texts["circle moving left"] == texts["circle moving right"]

    assert swapped("spatial") and not swapped("temporal")
