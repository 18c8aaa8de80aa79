"""Any published form of weights as `model.safetensors` once.

`prep weights convert` starts this module with its words as one JSON object and reads from it what
was done, or `{"error": …}`, as another.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from manifests.errors import UserError
from train.models.config import SIZES
from train.models.files import WEIGHTS
from train.models.resize import clip_as_viclip
from train.models.weights import TimeRule, Weights, load_weights, save_weights

VICLIP_CONTEXT = 32  # token ids of a text; CLIP's 77 are cut


@dataclass(frozen=True)
class Convert:
    """Words of the conversion."""

    source: str  # a size, a file, a folder or a Hub id
    models: str  # folder of the sizes
    target: str | None = None  # a size, or the folder that gets model.safetensors; None: none
    inflate: bool = False  # make a ViCLIP of a CLIP
    frames: int | None = None  # of a ViCLIP's time embedding; None as in the source
    time: TimeRule = "official"  # how that is reached
    context: int | None = None  # longest text in token ids; None as in the source
    overwrite: bool = False


@dataclass(frozen=True)
class Converted:
    """What was read, and written if it was."""

    source: str
    form: str
    kind: str
    tensors: int
    parameters: int
    frames: int | None
    context: int
    resolution: int
    digest: str
    written: str | None


def convert(words: Convert) -> Converted:
    """Read, change what was asked for, and write; UserError when that cannot be."""
    folder = None if words.target is None else _folder(words.target, words)
    weights = _changed(load_weights(words.source, Path(words.models)), words)
    if folder is not None:
        _check_size(weights, str(words.target))
        save_weights(weights.tensors, weights.config, folder)
    config = weights.config
    return Converted(
        source=str(weights.path),
        form=weights.form,
        kind="ViCLIP" if config.vision.joint else "CLIP",
        tensors=len(weights.tensors),
        parameters=sum(tensor.numel() for tensor in weights.tensors.values()),
        frames=config.vision.frames if config.vision.joint else None,
        context=config.text.context,
        resolution=config.vision.resolution,
        digest=weights.digest,
        written=str(folder / WEIGHTS) if folder else None,
    )


def _folder(target: str, words: Convert) -> Path:
    folder = Path(words.models) / target if target in SIZES else Path(target)
    if folder.suffix or folder.is_file():
        raise UserError(f"{folder} is a file's name: name the folder that is to hold {WEIGHTS}")
    if (folder / WEIGHTS).exists() and not words.overwrite:
        raise UserError(f"{folder / WEIGHTS} exists: say --overwrite, or name another folder")
    return folder


def _changed(weights: Weights, words: Convert) -> Weights:
    context = words.context
    if words.inflate:
        weights = _inflated(weights)
        context = context or VICLIP_CONTEXT
    if words.frames is not None:
        if not weights.config.vision.joint:
            raise UserError("--frames is of ViCLIP; a CLIP sees frames one by one: leave it out")
        if words.frames < 2:
            raise UserError(f"--frames {words.frames}: at least 2; one frame needs no change")
        weights = weights.with_frames(words.frames, words.time)
    if context is not None:
        if context < 3:
            raise UserError(f"--context {context}: at least 3 ids, two of them the marks")
        weights = weights.with_context(context)
    return weights


def _inflated(weights: Weights) -> Weights:
    config = weights.config
    if config.vision.joint:
        raise UserError(f"{weights.path} holds a ViCLIP already: leave out --inflate")
    frames = 8  # of every released ViCLIP
    vision = replace(config.vision, joint=True, frames=frames)
    return replace(
        weights,
        tensors=clip_as_viclip(weights.tensors, frames),
        config=replace(config, vision=vision),
    )


def _check_size(weights: Weights, target: str) -> None:
    """Refuse to write one size into another's folder."""
    known = SIZES.get(target)
    if known is None:
        return
    if known.vision.joint != weights.config.vision.joint:
        kinds = ("CLIP", "ViCLIP, say --inflate") if known.vision.joint else ("ViCLIP", "CLIP")
        raise UserError(
            f"{weights.path} holds a {kinds[0]}, and {target} is a {kinds[1]}: name a size of its "
            "kind, or a folder of its own"
        )
    vision = replace(known.vision, frames=weights.config.vision.frames)
    text = replace(known.text, context=weights.config.text.context)
    wanted = replace(known, vision=vision, text=text)
    if weights.config != wanted:
        mine, theirs = asdict(weights.config), asdict(wanted)
        odd = [
            f"{part} {name} {mine[part][name]} instead of {value}"
            for part in ("vision", "text")
            for name, value in theirs[part].items()
            if mine[part][name] != value
        ]
        raise UserError(
            f"{weights.path} does not hold a {target} ({', '.join(odd) or 'another embed'}): "
            "name its size, or a folder of its own"
        )


def main(words: str) -> int:
    """Convert what the words say; 0 done, 1 refused."""
    try:
        found = asdict(convert(Convert(**json.loads(words))))
    except UserError as error:
        found = {"error": str(error)}
    sys.stdout.write(json.dumps(found) + "\n")
    return int("error" in found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
