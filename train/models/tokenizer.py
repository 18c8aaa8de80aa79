"""Sentences to token ids: CLIP's byte-pair encoding, whole or with its first merges only.

::

    id      0 .. 255     bytes                 512 .. 511 + N   merges, by rank
          256 .. 511     bytes that end a word 512 + N, 513 + N start and end mark

With N = 48,894 these are CLIP's own ids. A small N keeps all other code unchanged (the end mark is
still the largest id) and any string encodable: a token whose merge is cut off falls apart into
those of lower rank, which is where the whole encoding had passed by.
"""

from __future__ import annotations

import functools
import html
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Final

import ftfy
import instant_clip_tokenizer
import torch

from train.models.config import BYTE_SYMBOLS, MARKS

FULL: Final = 49408
_MARK = re.compile(r"<\|(startoftext|endoftext)\|>")
_SYMBOL = re.compile(r"[^\s\w]|_")


class Tokenizer:
    """Encodes for one vocabulary and context length."""

    def __init__(self, vocabulary: int = FULL, context: int = 32) -> None:
        """vocabulary: 514 byte symbols and marks, and the merges kept. context: ids at most."""
        if not BYTE_SYMBOLS + MARKS <= vocabulary <= FULL:
            raise ValueError(f"vocabulary of {vocabulary}: between 514 and {FULL}")
        self.vocabulary, self.context = vocabulary, context
        self.start, self.end = vocabulary - 2, vocabulary - 1

    def encode(
        self, texts: Sequence[str], length: int | None = None, *, marks: bool = False
    ) -> torch.Tensor:
        """Ids `(n, L)` int64: start mark, text, end mark, then zeros.

        length: L; by default that of the longest text, which is all a causal tower needs. Longer
        texts are cut and their last id is the end mark. marks: read `<|endoftext|>` and
        `<|startoftext|>` inside a text as the marks themselves, as the official code does; by
        default they are text, for whoever writes them would end the sentence.
        """
        found = [self._marked(text, marks) for text in texts]
        longest = length or max(map(len, found), default=MARKS)
        ids = torch.zeros(len(found), min(longest, self.context), dtype=torch.int64)
        for row, line in zip(ids, found, strict=True):
            cut = line[: len(row)]
            cut[-1] = self.end if len(line) > len(row) else cut[-1]
            row[: len(cut)] = torch.tensor(cut)
        return ids

    def _marked(self, text: str, marks: bool) -> list[int]:
        """All ids of a text between its marks."""
        cleaned = clean(text)
        inner = self._with_marks(cleaned) if marks else self._plain(cleaned)
        return [self.start, *inner, self.end]

    def _plain(self, text: str) -> list[int]:
        ids: list[int] = _whole().encode(text)
        if self.vocabulary == FULL:
            return ids
        merges = self.vocabulary - BYTE_SYMBOLS - MARKS
        return [part for token in ids for part in _parts(token, merges)]

    def _with_marks(self, text: str) -> list[int]:
        """As the official pattern splits: a mark glued to other symbols is one of those."""
        ids: list[int] = []
        done = 0
        for mark in _MARK.finditer(text):
            at = mark.start()
            if at > done and _SYMBOL.match(text[at - 1]):
                continue
            ids += self._plain(text[done:at])
            ids.append(self.start if mark[1] == "startoftext" else self.end)
            done = mark.end()
        return ids + self._plain(text[done:])


def clean(text: str) -> str:
    """CLIP's cleaning: broken encodings, HTML entities (twice), white space, case."""
    text = html.unescape(html.unescape(ftfy.fix_text(text)))
    return re.sub(r"\s+", " ", text).strip().lower()


@functools.cache
def _whole() -> instant_clip_tokenizer.Tokenizer:
    """The encoder with every merge."""
    return instant_clip_tokenizer.Tokenizer()


@functools.cache
def _parts(token: int, merges: int) -> tuple[int, ...]:
    """What a token of the whole table is made of when only the first merges are kept."""
    if token < BYTE_SYMBOLS + merges:
        return (token,)
    return _merged(_symbols(token), _table(merges))


@functools.cache
def _table(merges: int) -> dict[tuple[int, int], int]:
    """The first merges: pair of ids -> id.

    A merge's pair is what all lower merges make of its text. The table that holds the pairs is
    not readable from outside, the texts are.
    """
    table: dict[tuple[int, int], int] = {}
    for token in range(BYTE_SYMBOLS, BYTE_SYMBOLS + merges):
        left, right = _merged(_symbols(token), table)
        table[left, right] = token
    return table


def _merged(symbols: tuple[int, ...], table: dict[tuple[int, int], int]) -> tuple[int, ...]:
    """Byte-pair encoding: the lowest merge first, until none applies."""
    line = list(symbols)
    while True:
        ranks = [table.get(pair, FULL) for pair in itertools.pairwise(line)]
        best = min(ranks, default=FULL)
        if best == FULL:
            return tuple(line)
        # Leftmost first, as in the original; overlapping ones are found in the next round.
        at = ranks.index(best)
        line[at : at + 2] = [best]


def _symbols(token: int) -> tuple[int, ...]:
    """The byte symbols of a token, the last one ending a word where the token does."""
    if token < BYTE_SYMBOLS:
        return (token,)
    text = _bytes(token)
    symbols = [_symbol_of_byte()[byte] for byte in text.removesuffix(b" ")]
    if text.endswith(b" "):
        symbols[-1] += 256
    return tuple(symbols)


@functools.cache
def _symbol_of_byte() -> dict[int, int]:
    """Id of each byte: printable Latin-1 first, as in CLIP's vocabulary."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in printable]
    return {byte: symbol for symbol, byte in enumerate(printable + rest)}


def _bytes(token: int) -> bytes:
    """The bytes of a merged token, a space at its end meaning that it ends a word.

    Tokens that are part of a character decode to nothing readable; with the right neighbours
    they complete one, and the neighbours are cut off again.
    """
    symbol = _symbol_of_byte()
    for before, after in _neighbours():
        ids = [*(symbol[byte] for byte in before), token, *(symbol[byte] for byte in after)]
        text: str = _whole().decode(ids)
        if "\ufffd" not in text:
            found = text.encode()
            return found[len(before) : len(found) - len(after)]
    whole: str = _whole().decode([token])  # the replacement character in its own right
    return whole.encode()


def _neighbours() -> Iterator[tuple[bytes, bytes]]:
    """Beginnings and ends of UTF-8 characters, the shortest first."""
    befores = [b"", b"\xc4", b"\xe2", b"\xe2\x80", b"\xf0\x9f", b"\xf0\x9f\x98", b"\xf1"]
    afters = [b"", b"\x80", b"\xa0", b"\x90\x80", b"\x80\x80", b"\xa0\x80", b"\x90\x80\x80"]
    return ((before, after) for after in afters for before in befores)
