"""The sentences in a model's answer: JSON, numbered or bulleted lists, with prose around them.

::

    Sure! Here are two sentences:        1. or 1) or (1) or Step 1:      - * •
                                         ["...", "..."]   {"sentences": [...]}   ```json
    1. A video about a bow.        ->    ("A video about a bow.", "A video about a target.")
    2. "A video about a target."
                                         no list at all: the lines, or the sentences of the one
    Let me know if you need more!        paragraph, without those that only talk
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

# Some servers leave the opening mark out, and an answer that is cut off lacks the closing one.
_THOUGHT = re.compile(r"\A.*</think>|<think>.*\Z", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"^\s*```\w*\s*$", re.MULTILINE)
_NUMBER = re.compile(
    r"^\s*(?:[*_#]+\s*)?(?:(?:sentence|step|no\.?)\s*)?"
    r"(?:[(（]\d{1,3}[)）]|#?\d{1,3}\s*(?:[.):](?!\d)|[、．：）]))(?:[*_]+)?[ \t]*(?P<text>.*)$",
    re.IGNORECASE,
)
_BULLET = re.compile(r"^\s*[-*•‣◦–—·]\s+(?P<text>.*)$")
_LABEL = re.compile(r"^(?:sentence|step)\s*\d{1,3}\s*[:.)-]\s*", re.IGNORECASE)
# "**Looks**: A video about ...": a heading before the form that was asked for
_HEADING = re.compile(r"^[^:]{1,60}:\s*(?=A videos? (?:about|of)\b)")
_REFUSAL = re.compile(
    r"^(?:i['’]?m (?:very )?sorry|i am (?:very )?sorry|sorry\b|i can(?:no|['’])t\b|i can not\b|"
    r"i['’]?m (?:not able|unable)|i am (?:not able|unable)|as an ai\b|unfortunately, i)",
    re.IGNORECASE,
)
_TALK = re.compile(
    r"^(?:sure|certainly|of course|here (?:are|is)|okay|ok\b|let me know|i hope|hope this|note\b|"
    r"please let|feel free|these sentences|absolutely|great|if you)",
    re.IGNORECASE,
)
_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|mr|mrs|dr|st|no)|\b\w)\.$", re.I)
_QUOTES = {'"': '"', "“": "”", "'": "'", "‘": "’", "«": "»"}


def sentences_in(answer: str, n: int) -> tuple[str, ...]:
    """Sentences of an answer that was to have ``n`` of them.

    The first reading (JSON, numbers, bullets, plain lines) that gives n counts; when none does,
    the first that gives any, so that a wrong number can be told. Empty when there are none.
    """
    text = _FENCE.sub("", _THOUGHT.sub("", answer)).strip()
    first: tuple[str, ...] = ()
    for reading in _READINGS:
        for items in reading(text):
            found = tuple(item for item in map(_clean, items) if item)
            if len(found) == n:
                return found
            first = first or found
        if first and reading is not _numbered:  # numbers may head blocks of bullets
            return first
    return first


def is_refusal(sentence: str) -> bool:
    """Does a sentence say that the model will not answer?"""
    return bool(_REFUSAL.match(sentence))


def split_sentences(text: str) -> tuple[str, ...]:
    """Sentences of a paragraph: cut after ``.``, ``!``, ``?`` at line ends, not after "e.g."."""
    pieces: list[str] = []
    for part in (piece for line in text.splitlines() for piece in _END.split(line)):
        if pieces and _ABBREVIATION.search(pieces[-1]):
            pieces[-1] += f" {part}"
        elif part.strip():
            pieces.append(part.strip())
    return tuple(pieces)


def _from_json(text: str) -> Iterator[list[str]]:
    """Lists of texts written as JSON anywhere in the answer, the longest one first."""
    found, at = [], 0
    decoder = json.JSONDecoder()
    while (start := _next_bracket(text, at)) is not None:
        try:
            value, at = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            at = start + 1
            continue
        found += list(_text_lists(value))
    yield from sorted(found, key=len, reverse=True)


def _next_bracket(text: str, at: int) -> int | None:
    places = [place for place in (text.find("[", at), text.find("{", at)) if place >= 0]
    return min(places, default=None)


def _text_lists(value: object) -> Iterator[list[str]]:
    """``["a"]``, ``[{"sentence": "a"}]``, ``{"sentences": [...]}``, ``{"1": "a", "2": "b"}``."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from _text_lists(inner) if isinstance(inner, list | dict) else ()
        texts = [inner for inner in value.values() if isinstance(inner, str)]
        if texts and len(texts) == len(value):
            yield texts
    elif isinstance(value, list) and value:
        if all(isinstance(item, str) for item in value):
            yield list(value)
        elif all(isinstance(item, dict) for item in value):
            texts = [
                next((inner for inner in item.values() if isinstance(inner, str)), "")
                for item in value
            ]
            if all(texts):
                yield texts


def _numbered(text: str) -> Iterator[list[str]]:
    yield _marked(text, _NUMBER)


def _bulleted(text: str) -> Iterator[list[str]]:
    yield _marked(text, _BULLET)


def _marked(text: str, mark: re.Pattern[str]) -> list[str]:
    """Items of a list; an indented line goes on with the item above it, any other is prose."""
    items: list[str] = []
    open_item = False
    for line in text.splitlines():
        found = mark.match(line)
        if found:
            items.append(found["text"])
            open_item = True
        elif open_item and line[:1].isspace() and line.strip() and not _BULLET.match(line):
            items[-1] = f"{items[-1]} {line.strip()}"
        else:
            open_item = False
    return items


def _plain(text: str) -> Iterator[list[str]]:
    lines = [line for line in text.splitlines() if line.strip() and not _is_talk(line)]
    yield lines
    yield [piece for line in lines for piece in split_sentences(line) if not _is_talk(piece)]


def _is_talk(line: str) -> bool:
    return bool(_TALK.match(line.strip(" *_"))) or line.rstrip(" *_").endswith((":", "："))


_READINGS: tuple[Callable[[str], Iterator[list[str]]], ...] = (
    _from_json,
    _numbered,
    _bulleted,
    _plain,
)


def _clean(item: str) -> str:
    """One sentence without emphasis, its own label, or quotes around the whole of it.

    Half a surrogate pair, which JSON can spell and no file can hold, becomes a question mark.
    """
    item = item.encode("utf-8", "replace").decode()
    item = " ".join(re.sub(r"\*\*|__|`", "", item).split())
    item = _LABEL.sub("", item).rstrip(",") if item.endswith('",') else _LABEL.sub("", item)
    closing = _QUOTES.get(item[:1])
    if closing and len(item) > 1 and item.endswith(closing) and closing not in item[1:-1]:
        item = item[1:-1].strip()
    return _HEADING.sub("", item)
