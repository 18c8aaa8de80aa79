"""How class names are compared and how they become words.

Published lists spell one class in many ways: ``brush_hair`` and ``brush hair``,
``HandstandPushups`` and ``HandStandPushups``, ``Pushing [something] off of [something]`` with and
without brackets, ``ApplyEyeMakeup`` and ``Apply Eye Makeup``. All of them differ in case, blanks
and punctuation only, so two names mean the same class when their letters and digits agree. No
two classes of one benchmark collide under this rule; a test holds that.
"""

from __future__ import annotations

import re

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WHOLE_WORDS = frozenset({"YoYo"})  # a proper name, not two words


def squeeze(name: str) -> str:
    """Return the letters and digits of a name in one case: equal for all spellings of a class."""
    return "".join(character for character in name.casefold() if character.isalnum())


def split_words(name: str) -> str:
    """Return a class name as words: underscores and CamelCase become blanks.

    ``ApplyEyeMakeup`` -> ``Apply Eye Makeup``, ``shake_hands`` -> ``shake hands``; names that are
    words already stay as they are.
    """
    words = name.replace("_", " ").split()
    return " ".join(word if word in _WHOLE_WORDS else _CAMEL.sub(" ", word) for word in words)
