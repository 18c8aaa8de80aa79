"""The language of the toy world: class names, captions and the sentences that describe a class."""

from __future__ import annotations

from manifests.classes import ClassList
from manifests.descriptions import Descriptions, Kind
from prep.toy.world import MOTIONS, SHAPES

SENTENCES = 2

_PLURALS = {shape: f"{shape}s" for shape in SHAPES} | {"cross": "crosses"}
_TOGETHER = ("meeting", "parting")

_LOOKS = {
    "circle": "filled and round",
    "square": "with four equal sides",
    "triangle": "with three corners",
    "star": "with five points",
    "ring": "round with a hole in the middle",
    "cross": "with four equal arms",
}
#: Where the things of a motion are seen, whatever the order of time.
_PLACES = {
    "moving left": "on a level path across the picture",
    "moving right": "on a level path across the picture",
    "moving up": "on an upright path through the picture",
    "moving down": "on an upright path through the picture",
    "growing": "both small and large, at one place",
    "shrinking": "both small and large, at one place",
    "appearing": "both seen and unseen, at one place",
    "vanishing": "both seen and unseen, at one place",
    "meeting": "on both sides of the middle",
    "parting": "on both sides of the middle",
    "circling clockwise": "on a round path about the middle",
    "circling counter-clockwise": "on a round path about the middle",
}
#: How a motion begins and how it ends: the two directions of time.
_STEPS = {
    "moving left": ("{the} is near the right edge", "{the} is near the left edge"),
    "moving right": ("{the} is near the left edge", "{the} is near the right edge"),
    "moving up": ("{the} is near the bottom", "{the} is near the top"),
    "moving down": ("{the} is near the top", "{the} is near the bottom"),
    "growing": ("{the} is small", "{the} is large"),
    "shrinking": ("{the} is large", "{the} is small"),
    "appearing": ("nothing is there", "{the} is there"),
    "vanishing": ("{the} is there", "nothing is there"),
    "meeting": ("{the} are far apart", "{the} are side by side"),
    "parting": ("{the} are side by side", "{the} are far apart"),
    "circling clockwise": (
        "{the} passes the top going right",
        "{the} passes the bottom going left",
    ),
    "circling counter-clockwise": (
        "{the} passes the top going left",
        "{the} passes the bottom going right",
    ),
}


def class_name(motion: str, shape: str) -> str:
    """What a class is called: `circle moving left`, `two crosses meeting`."""
    return f"{_things(motion, shape)} {motion}"


def caption(motion: str, shape: str, colour: str) -> str:
    """What is said about a pre-training clip: `red circle moving left`."""
    if motion in _TOGETHER:
        return f"two {colour} {_PLURALS[shape]} {motion}"
    return f"{colour} {shape} {motion}"


def sentences(motion: str, shape: str, kind: Kind) -> tuple[str, ...]:
    """The two sentences of one kind for a class."""
    if kind == "spatial":
        bright = "two bright" if motion in _TOGETHER else "a bright"
        noun = _PLURALS[shape] if motion in _TOGETHER else shape
        return (
            f"A video about {bright} {noun}, {_LOOKS[shape]}, on a dark background.",
            f"A video about {bright} {noun} {_PLACES[motion]}.",
        )
    name, the = class_name(motion, shape), f"the {_things(motion, shape)}"
    first, last = (step.format(the=the) for step in _STEPS[motion])
    return (
        f"A video of {name}, in which at first {first}.",
        f"A video of {name}, in which at last {last}.",
    )


def describe(classes: ClassList, kind: Kind) -> Descriptions:
    """Sentences for every class of the toy benchmark, as the package ships them."""
    return Descriptions(
        benchmark="toy",
        kind=kind,
        n=SENTENCES,
        sentences={name: sentences(*KINDS[name], kind) for name in classes.names},
        source={"by": "sentence patterns of prep.toy.captions"},
    )


def _things(motion: str, shape: str) -> str:
    return f"two {_PLURALS[shape]}" if motion in _TOGETHER else shape


#: Class name -> (motion, shape), for all seventy-two of them, held out or not.
KINDS: dict[str, tuple[str, str]] = {
    class_name(motion, shape): (motion, shape) for motion in MOTIONS for shape in SHAPES
}
