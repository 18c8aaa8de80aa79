"""Token ids against CLIP's, and the table cut to its first merges."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from train.models.tokenizer import (
    FULL,
    Tokenizer,
    _merged,
    _symbols,
    _table,
    _whole,
    clean,
)

SMALL = 4608
LETTERS = st.characters(codec="utf-8", exclude_categories=("Cs",))


@pytest.fixture(scope="module")
def official(oracles: Path) -> dict[str, Any]:
    return json.loads((oracles / "clip_tokens.json").read_text())


@pytest.mark.parametrize("context", [32, 77])
def test_ids_are_clip_s_own(official: dict[str, Any], context: int) -> None:
    tokenizer = Tokenizer(official["vocab_size"], context)
    assert (tokenizer.start, tokenizer.end) == (official["sot"], official["eot"])
    for item in official["items"]:
        ids = tokenizer.encode([item["text"]], context, marks=True)[0]
        assert ids.tolist() == item[f"context{context}"], item["text"]
        assert int(ids.argmax()) == item[f"eot_index{context}"]


def test_many_texts_are_cut_to_the_longest(official: dict[str, Any]) -> None:
    short = [item for item in official["items"] if item["fits32"]]
    ids = Tokenizer().encode([item["text"] for item in short], marks=True)
    assert ids.shape == (len(short), max(item["length"] for item in short))
    assert ids.dtype == torch.int64
    for row, item in zip(ids.tolist(), short, strict=True):
        assert row == (item["ids"] + [0] * len(row))[: len(row)]


def test_a_mark_in_a_text_is_text() -> None:
    """Whoever writes <|endoftext|> into a description does not end it."""
    tokenizer = Tokenizer()
    ids = tokenizer.encode(["a video <|endoftext|> of <|startoftext|> running"])[0].tolist()
    assert ids.count(tokenizer.end) == 1 and ids[-1] == tokenizer.end
    assert ids.count(tokenizer.start) == 1
    glued = tokenizer.encode(["wow!<|endoftext|>"], marks=True)[0].tolist()
    assert glued.count(tokenizer.end) == 1, "glued to symbols it is part of them"
    twice = tokenizer.encode(["a<|endoftext|><|endoftext|>b"], marks=True)[0].tolist()
    assert twice.count(tokenizer.end) == 3


def test_long_texts_end_with_the_mark() -> None:
    tokenizer = Tokenizer(context=8)
    ids = tokenizer.encode(["one two three four five six seven eight nine", "one"])
    assert ids.shape == (2, 8)
    assert ids[0, -1] == tokenizer.end and ids[1, 2] == tokenizer.end
    assert not ids[1, 3:].any()


def test_no_texts() -> None:
    assert Tokenizer().encode([]).shape[0] == 0


@pytest.mark.parametrize("vocabulary", [513, FULL + 1])
def test_impossible_vocabularies(vocabulary: int) -> None:
    with pytest.raises(ValueError, match="between 514"):
        Tokenizer(vocabulary)


def test_the_table_read_back_is_the_whole_table(official: dict[str, Any]) -> None:
    """Plain byte-pair encoding with the recovered merges gives CLIP's ids for every text."""
    table = _table(FULL - 514)
    assert len(table) == FULL - 514
    for item in official["items"]:
        ids: list[int] = _whole().encode(clean(item["text"]))
        words = [_symbols(token) for token in ids]
        line: tuple[int, ...] = ()
        found: list[int] = []
        for word in words:
            line += word
            if word[-1] >= 256:  # a word ends here
                found += _merged(line, table)
                line = ()
        assert found == ids, item["text"]


@settings(max_examples=60)
@given(text=st.text(LETTERS, max_size=30), vocabulary=st.integers(514, 9000))
def test_a_cut_table_is_byte_pair_encoding_with_its_merges(text: str, vocabulary: int) -> None:
    """Cutting the ids of the whole table apart equals encoding the bytes with fewer merges."""
    tokenizer = Tokenizer(vocabulary, context=1000)
    ids = tokenizer.encode([text])[0].tolist()[1:-1]
    assert all(token < vocabulary - 2 for token in ids)
    whole: list[int] = _whole().encode(clean(text))
    table, line, expected = _table(vocabulary - 514), (), []
    for symbols in map(_symbols, whole):
        line += symbols
        if symbols[-1] >= 256:
            expected += _merged(line, table)
            line = ()
    assert ids == expected
    assert list(itertools.chain(*map(_symbols, ids))) == list(
        itertools.chain(*map(_symbols, whole))
    )


def test_small_vocabulary_keeps_common_words_whole() -> None:
    small, whole = Tokenizer(SMALL, 40), Tokenizer(context=40)
    text = ["a video of a red circle moving to the left."]
    assert small.encode(text)[0, 1:-1].max() < SMALL - 2
    assert small.encode(text)[0, -1] == SMALL - 1
    assert small.encode(text).shape[1] - whole.encode(text).shape[1] in range(4)
