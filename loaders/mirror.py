"""What a horizontal flip makes of a class: one that says left or right becomes the other.

Of Something-Something V2 six classes change places: pulling and pushing from left to right and
from right to left, turning the camera left and right. They are found by their names, so any list
will do: a class changes when its name with left and right exchanged is a class too ("pulling it
right out" has no such partner and stays).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_SIDE = re.compile(r"\b(left|right)\b", re.IGNORECASE)
_OTHER = {"left": "right", "right": "left"}

UNFLIPPED = -1
"""In place of a label: no clip of this class may be flipped."""


def mirrored_name(name: str) -> str:
    """The name with the words left and right exchanged, capitals kept."""

    def other(side: re.Match[str]) -> str:
        word = _OTHER[side[0].lower()]
        return word.capitalize() if side[0][0].isupper() else word

    return _SIDE.sub(other, name)


def mirrored_labels(classes: Sequence[str], official: Sequence[str]) -> npt.NDArray[np.int64]:
    """The label of a flipped clip of each candidate class, int64 (C,).

    classes: candidates by official name, in the order of the labels. official: all classes of the
    benchmark; where the other side of a candidate is among them but no candidate, UNFLIPPED.
    """
    place, known = {name: i for i, name in enumerate(classes)}, set(official)
    found = []
    for i, name in enumerate(classes):
        other = mirrored_name(name)
        found.append(place.get(other, UNFLIPPED) if other in known else i)
    return np.array(found, dtype=np.int64)
