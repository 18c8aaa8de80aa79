"""How long a sentence is for CLIP's text tower: ids with start and end mark, nothing cut off."""

from __future__ import annotations

import functools
import html
import re

import ftfy
import instant_clip_tokenizer

_MARKS = 2


def clip_tokens(text: str) -> int:
    """Number of ids of a text, both marks included, after CLIP's own cleaning."""
    text = html.unescape(html.unescape(ftfy.fix_text(text)))
    text = re.sub(r"\s+", " ", text).strip().lower()
    return len(_encoder().encode(text)) + _MARKS


@functools.cache
def _encoder() -> instant_clip_tokenizer.Tokenizer:
    return instant_clip_tokenizer.Tokenizer()
