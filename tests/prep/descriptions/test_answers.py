"""Sentences come out of an answer whole, whatever list they stand in and whatever is around it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prep.descriptions.answers import is_refusal, sentences_in, split_sentences

WORD = st.text("abcdefghijklmnopqrstuvwxyzäé'-", min_size=2, max_size=9).filter(
    lambda word: word.strip("'-") == word
)
SENTENCE = st.lists(WORD, min_size=2, max_size=8).map(lambda ws: f"A video of {' '.join(ws)}.")
SENTENCES = st.lists(SENTENCE, min_size=1, max_size=9, unique=True)
LISTS = {
    "1.": lambda texts: "\n".join(f"{i}. {t}" for i, t in enumerate(texts, 1)),
    "1)": lambda texts: "\n".join(f"{i}) {t}" for i, t in enumerate(texts, 1)),
    "(1)": lambda texts: "\n\n".join(f"({i}) {t}" for i, t in enumerate(texts, 1)),
    "bold": lambda texts: "\n".join(f"**{i}.** {t}" for i, t in enumerate(texts, 1)),
    "Sentence 1:": lambda texts: "\n".join(f"Sentence {i}: {t}" for i, t in enumerate(texts, 1)),
    "quoted": lambda texts: "\n".join(f'{i}. "{t}"' for i, t in enumerate(texts, 1)),
    "-": lambda texts: "\n".join(f"- {t}" for t in texts),
    "*": lambda texts: "\n".join(f"  * **{t}**" for t in texts),
    "•": lambda texts: "\r\n".join(f"• {t}" for t in texts),
    "json": json.dumps,
    "fence": lambda texts: f"```json\n{json.dumps(texts, indent=2)}\n```",
    "object": lambda texts: json.dumps({"sentences": texts}),
    "objects": lambda texts: json.dumps([{"sentence": t} for t in texts]),
    "by number": lambda texts: json.dumps({str(i): t for i, t in enumerate(texts)}),
    "lines": lambda texts: "\n".join(texts),
}
BEFORE = (
    "",
    "Sure! Here are the sentences:\n\n",
    "Certainly, here you go:\n",
    "<think>1. one\n2. two\n3. three</think>\n",
)
AFTER = ("", "\n\nLet me know if you need more!", "\n\nI hope this helps.")


@given(SENTENCES, st.sampled_from(sorted(LISTS)), st.sampled_from(BEFORE), st.sampled_from(AFTER))
def test_any_list_with_prose_around_it(texts, form, before, after):
    answer = before + LISTS[form](texts) + after
    assert sentences_in(answer, len(texts)) == tuple(texts)


@given(SENTENCES, st.sampled_from(sorted(LISTS)), st.integers(1, 9))
def test_a_wrong_number_stays_wrong(texts, form, n):
    found = sentences_in(LISTS[form](texts), n)
    assert (len(found) == n) == (len(texts) == n)


@given(st.text(max_size=200), st.integers(1, 9))
def test_anything_at_all_is_read_without_an_error(answer, n):
    assert all(text and text == text.strip() for text in sentences_in(answer, n))


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("", ()),
        ("I cannot do that.", ("I cannot do that.",)),
        ("A bow is drawn. An arrow flies.", ("A bow is drawn.", "An arrow flies.")),
        (
            "1. A long one\n   that goes on.\n2. B is short.",
            ("A long one that goes on.", "B is short."),
        ),
        ("1. Grip:\n   - the bar is held\n2. Pull:\n   - it is pulled", ("Grip:", "Pull:")),
        (
            "1. [something] moves.\n2. 3.5 metres are run.",
            ("[something] moves.", "3.5 metres are run."),
        ),
        ("1. a\n2. b\nThat is all.", ("a", "b")),
        ('["A, so", "B, so"] and more', ("A, so", "B, so")),
        ("“A bow.”\n“An arrow.”", ("A bow.", "An arrow.")),
        ("1. so\n2. hm\n</think>\n\n1. A bow.\n2. An arrow.", ("A bow.", "An arrow.")),
        ("<think>1. so\n2. hm", ()),
        ("当然：\n\n1、一张弓。\n2、一支箭。", ("一张弓。", "一支箭。")),
        ("（1）Ein Bogen.\n（2）Ein Pfeil.", ("Ein Bogen.", "Ein Pfeil.")),
        (
            "1. **Looks**: A video about a bow.\n2. **Place:** A video of a range.",
            ("A video about a bow.", "A video of a range."),
        ),
    ],
)
def test_answers_as_models_write_them(answer, found):
    assert sentences_in(answer, 2) == found


def test_sentences_of_a_paragraph():
    assert split_sentences("A bow, e.g. a long one. It bends! Does it?\nYes.") == (
        "A bow, e.g. a long one.",
        "It bends!",
        "Does it?",
        "Yes.",
    )
    assert split_sentences("no end") == ("no end",)
    assert split_sentences(" ") == ()


@pytest.mark.parametrize("text", ["I'm sorry, but no.", "I cannot do that.", "As an AI I"])
def test_a_refusal_is_no_sentence(text):
    assert is_refusal(text)
    assert not is_refusal(f"A video about {text}")
