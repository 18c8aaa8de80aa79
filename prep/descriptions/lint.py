"""What is wrong with the sentences of a benchmark, counted and named.

Only a class without any sentence makes a set unfit; the rest are notes: published files have all
of it, and what they were used for worked. Sentences are compared by their letters and digits.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from manifests.descriptions import Kind
from manifests.spelling import split_words, squeeze
from prep.descriptions.answers import split_sentences
from prep.descriptions.forms import has_form, step_of
from prep.descriptions.tokens import clip_tokens
from prep.text import count

Sentences = Mapping[str, Sequence[str]]

VICLIP_CONTEXT, CLIP_CONTEXT = 32, 77  # ids, both marks included; what is longer is cut
_SHOWN = 100  # characters of an example in a report

# key -> (what is counted, what it means)
FINDINGS: dict[str, tuple[str, str]] = {
    "missing": ("class", "no sentence at all"),
    "ragged": ("class", "another number than N"),
    "run_together": ("class", "several sentences in one string"),
    "empty": ("sentence", "nothing but blanks"),
    "duplicates_inside": ("class", "the same sentence twice"),
    "duplicates_across": ("sentence", "the same for several classes"),
    "off_pattern": ("sentence", "not of the published form"),
    "slips": ("sentence", '"A videos of"'),
    "bracketed": ("sentence", "the step in brackets"),
    "glued": ("sentence", "the class name without its blanks"),
    "other_name": ("sentence", "the class under another name"),
    "conflicts": ("sentence", "the name of another class of the benchmark"),
    "mixed_names": ("class", "sentences that name different things"),
    "over_32": ("sentence", "longer than ViCLIP's 32 tokens"),
    "over_77": ("sentence", "longer than CLIP's 77 tokens"),
}


@dataclass(frozen=True)
class Lint:
    """What was looked at, and the items of each finding: classes, or "class: sentence"."""

    kind: Kind
    n: int
    classes: int
    sentences: int
    found: Mapping[str, tuple[str, ...]]

    @property
    def usable(self) -> bool:
        """Does every class have a sentence?"""
        return not self.found["missing"]

    @property
    def counts(self) -> dict[str, int]:
        """Number of items of each finding."""
        return {key: len(items) for key, items in self.found.items()}

    def lines(self) -> list[str]:
        """A line for the whole, and one for each finding there is, with its first item."""
        lines = [
            f"{self.kind}, N = {self.n}: {count(self.sentences, 'sentence')} "
            f"for {_many(self.classes, 'class')}"
        ]
        for key, items in self.found.items():
            unit, meaning = FINDINGS[key]
            if items:
                head = f"  {key.replace('_', ' ')}: {_many(len(items), unit)}, {meaning}; first: "
                lines.append(head + _short(items[0]))
        return lines if len(lines) > 1 else [lines[0] + ", nothing to note"]

    def as_dict(self) -> dict[str, Any]:
        """All counts and all items."""
        return {
            "kind": self.kind,
            "n": self.n,
            "classes": self.classes,
            "sentences": self.sentences,
            "usable": self.usable,
            "counts": self.counts,
            "items": {key: list(items) for key, items in self.found.items() if items},
        }


def lint(
    kind: Kind, n: int, names: Sequence[str], sentences: Sentences, known: Sequence[str]
) -> Lint:
    """Look at the sentences of these classes; ``names`` are all that must have some.

    known: all classes of the benchmark, which a sentence of another one may name.
    """
    texts = {name: tuple(sentences.get(name, ())) for name in names}
    found = {
        "missing": [name for name, own in texts.items() if not any(map(str.strip, own))],
        "ragged": [
            f"{name}: {count(len(own), 'sentence')}" for name, own in texts.items() if len(own) != n
        ],
        "run_together": [name for name, own in texts.items() if len(pieces(own, n)) > len(own)],
        "empty": [name for name, text in _pairs(texts) if not text.strip()],
        "duplicates_inside": [name for name, own in texts.items() if _repeated(own)],
        "duplicates_across": _across(texts),
        **_of_form(kind, texts, known),
        "glued": [_item(name, text) for name, text in _pairs(texts) if _glued(name, text)],
        **_lengths(texts),
    }
    return Lint(
        kind,
        n,
        sum(1 for own in texts.values() if own),
        sum(map(len, texts.values())),
        {key: tuple(found[key]) for key in FINDINGS},
    )


def pieces(texts: Sequence[str], n: int) -> tuple[str, ...]:
    """The strings of a class that has too few of them, taken apart at the ends of sentences."""
    if len(texts) >= n:
        return tuple(texts)
    return tuple(piece for text in texts for piece in (split_sentences(text) or (text,)))


def _pairs(texts: Sentences) -> Iterator[tuple[str, str]]:
    return ((name, text) for name, own in texts.items() for text in own)


def _item(name: str, text: str) -> str:
    return f"{name}: {text}"


def _repeated(texts: Sequence[str]) -> bool:
    keys = [squeeze(text) for text in texts if text.strip()]
    return len(set(keys)) < len(keys)


def _across(texts: Sentences) -> list[str]:
    """Sentences that serve several classes, in the words of the first, each with its classes."""
    owners: dict[str, list[str]] = {}
    words: dict[str, str] = {}
    for name, own in texts.items():
        for key, text in {squeeze(text): text for text in own if text.strip()}.items():
            owners.setdefault(key, []).append(name)
            words.setdefault(key, text)
    return [f"{words[key]} ({', '.join(names)})" for key, names in owners.items() if len(names) > 1]


def _of_form(kind: Kind, texts: Sentences, known: Sequence[str]) -> dict[str, list[str]]:
    """Sentences that are not of the form, and what stands in the places of those that are."""
    found: dict[str, list[str]] = {
        key: []
        for key in ("off_pattern", "slips", "bracketed", "other_name", "conflicts", "mixed_names")
    }
    classes = {_bare(name) for name in known}
    for name, own in texts.items():
        found["off_pattern"] += [_item(name, t) for t in own if t.strip() and not has_form(kind, t)]
        steps = [] if kind == "spatial" else [(t, s) for t in own if (s := step_of(t))]
        found["slips"] += [_item(name, t) for t, s in steps if s.slip]
        found["bracketed"] += [_item(name, t) for t, s in steps if s.step.startswith(("(", "["))]
        own_name = _bare(name)
        found["other_name"] += [_item(name, t) for t, s in steps if _bare(s.name) != own_name]
        found["conflicts"] += [
            _item(name, t) for t, s in steps if own_name != _bare(s.name) in classes
        ]
        if len(said := Counter(_bare(s.name) for _, s in steps)) > 1:
            found["mixed_names"].append(f"{name}: {', '.join(sorted(said))}")
    return found


def _bare(name: str) -> str:
    """A class name for comparing: without article, blanks, punctuation and case."""
    words = name.split()
    return squeeze(" ".join(words[1:] if words and words[0].lower() in _ARTICLES else words))


_ARTICLES = ("a", "an", "the")


def _glued(name: str, text: str) -> bool:
    """Does a name of several words stand in the text as one?"""
    if len(split_words(name).split()) < 2:
        return False
    return squeeze(name) in re.findall(r"\w+", text.casefold())


def _lengths(texts: Sentences) -> dict[str, list[str]]:
    long = [(clip_tokens(text), _item(name, text)) for name, text in _pairs(texts)]
    return {
        "over_32": [item for tokens, item in long if tokens > VICLIP_CONTEXT],
        "over_77": [item for tokens, item in long if tokens > CLIP_CONTEXT],
    }


def _many(number: int, unit: str) -> str:
    return f"{number:,} classes" if unit == "class" and number != 1 else count(number, unit)


def _short(text: str) -> str:
    """An example for a line: no sign in it moves the cursor of a terminal."""
    text = "".join(sign if sign.isprintable() else " " for sign in text)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def named(names: Iterable[str], limit: int = 3) -> str:
    """The first names of many, for one line."""
    names = list(names)
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(map(repr, names[:limit])) + more
