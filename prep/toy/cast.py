"""Which clips a toy set holds: pure functions of the seed, before a pixel is drawn.

Two sets. `toy` is the benchmark: clips of the 24 held-out (motion, shape) combinations of
manifests/toy, seen by another camera, in the splits train, val and test. The captioned set is
what a nano ViCLIP learns from before it meets them: clips of the 48 other combinations, each with
its caption in place of a class.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from manifests.classes import load_classes
from prep.toy.captions import KINDS, caption
from prep.toy.dice import Dice
from prep.toy.film import CODECS, Damage
from prep.toy.world import COLOURS

#: Containers in the proportion in which clips get them.
_CONTAINERS = (".mp4", ".mp4", ".mp4", ".avi", ".webm")
_DAMAGES: tuple[Damage, ...] = ("empty", "page", "cut")


@dataclass(frozen=True)
class Part:
    """One clip to be rendered.

    `stream` names its draws, `text` its class or caption, `file` its place below the raw folder;
    `other_camera` says whether the shift of appearance applies, `damage` what breaks the file.
    """

    stream: str
    motion: str
    shape: str
    colour: str
    text: str
    split: str
    file: str
    other_camera: bool
    damage: Damage = ""


def benchmark_cast(seed: int, per_class: dict[str, int], broken: int = 0) -> list[Part]:
    """Clips of the toy benchmark: `per_class` of every class in each split, and `broken` more.

    Broken clips stand in the split train, spread over its classes, and come last.
    """
    names = load_classes("toy").names
    parts = [
        _downstream(seed, name, split, number)
        for split, count in per_class.items()
        for name in names
        for number in range(count)
    ]
    spare = [
        _downstream(seed, names[i * 7 % len(names)], "train", per_class["train"] + i)
        for i in range(broken)
    ]
    return parts + _broken(spare)


def captioned_cast(seed: int, count: int, broken: int = 0) -> list[Part]:
    """Captioned clips of the combinations that the benchmark does not hold, and `broken` more."""
    held_out = set(load_classes("toy").names)
    kinds = [kind for name, kind in KINDS.items() if name not in held_out]
    parts = [_captioned(seed, *kinds[i % len(kinds)], i) for i in range(count + broken)]
    return parts[:count] + _broken(parts[count:])


def _downstream(seed: int, name: str, split: str, number: int) -> Part:
    motion, shape = KINDS[name]
    stem = f"{name.replace(' ', '_')}_{split}_{number:03d}"
    dice = Dice(seed, f"{stem}/kind", 2)
    colour, suffix = dice.one_of(tuple(COLOURS)), dice.one_of(_CONTAINERS)
    file = f"videos/{name.replace(' ', '_')}/{stem}{suffix}"
    return Part(stem, motion, shape, colour, name, split, file, other_camera=True)


def _captioned(seed: int, motion: str, shape: str, number: int) -> Part:
    stem = f"captioned_{number:05d}"
    dice = Dice(seed, f"{stem}/kind", 2)
    colour, suffix = dice.one_of(tuple(COLOURS)), dice.one_of(_CONTAINERS)
    text = caption(motion, shape, colour)
    file = f"videos/{number // 500:02d}/{stem}{suffix}"
    return Part(stem, motion, shape, colour, text, "train", file, other_camera=False)


def _broken(parts: list[Part]) -> list[Part]:
    """The parts with one kind of damage after the other; only an .avi breaks cleanly in half."""
    broken = []
    for i, part in enumerate(parts):
        damage = _DAMAGES[i % len(_DAMAGES)]
        suffix = ".avi" if damage == "cut" else tuple(CODECS)[i % len(CODECS)]
        file = part.file.rsplit(".", 1)[0] + suffix
        broken.append(replace(part, damage=damage, file=file))
    return broken
