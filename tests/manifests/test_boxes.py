"""Paragraphs of the boxes that tyro draws."""

from __future__ import annotations

from manifests.boxes import paragraphs


def test_a_box_of_paragraphs_and_a_text_without_one():
    box = "╭─ Wrong ──╮\n│ it is    │\n│ wrong    │\n│ ──────── │\n│ see more │\n╰──────────╯\n"
    assert paragraphs(box) == ["it is wrong", "see more"]
    bare = " Wrong \n -------- \n  it is \n  --wrong \n\n  also \n  ------- \n  see more \n\n"
    assert paragraphs(bare) == ["it is --wrong", "also", "see more"]
    assert paragraphs("plain\n  words\n") == ["plain words"]
