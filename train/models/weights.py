"""Backbones from and to disk.

Sizes come from our own `config.json` beside the weights, from the name of a released size, or from
the shapes, so any ViCLIP or CLIP can be loaded. Tensors that are missing, unknown or of a wrong
shape are named in one message.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import save

from manifests.errors import UserError
from shards.atomic import atomic_write
from train.checkpoint import digest
from train.models.backbone import TEMPERATURE, Backbone
from train.models.build import build_backbone
from train.models.config import SIZES, BackboneConfig, TextConfig, VisionConfig
from train.models.files import MODELS, WEIGHTS, find_weights, read_weights
from train.models.forms import Form, Tensors
from train.models.resize import temporal_embedding, text_positions
from train.models.tokenizer import Tokenizer

CONFIG = "config.json"
HEAD_WIDTH = 64  # of every released model
NAMED = 6  # faulty tensors told by name, of each kind
TIME = "vision_encoder.temporal_positional_embedding"
TEXT_PLACES = "text_encoder.positional_embedding"
TimeRule = Literal["official", "linear"]


@dataclass(frozen=True)
class Weights:
    """Checked tensors under our names, float32, with the sizes they have."""

    tensors: Tensors
    config: BackboneConfig
    path: Path
    form: Form

    @property
    def digest(self) -> str:
        """Sha256 of names, shapes and numbers: the same whatever form they came in."""
        return digest(self.tensors)

    def with_frames(self, frames: int, rule: TimeRule = "official") -> Weights:
        """The same for clips of another number of frames; one frame takes the trained ones' mean.

        CLIP sees frames one by one: none of its tensors changes.
        """
        tensors, vision = dict(self.tensors), self.config.vision
        if vision.joint and frames > 1:
            tensors[TIME] = temporal_embedding(tensors[TIME], frames, rule).contiguous()
        elif vision.joint:
            return self
        return replace(
            self,
            tensors=tensors,
            config=replace(self.config, vision=replace(vision, frames=frames)),
        )

    def with_context(self, context: int) -> Weights:
        """The same for texts of another length: their last places are cut off, or zero."""
        tensors = dict(self.tensors)
        tensors[TEXT_PLACES] = text_positions(tensors[TEXT_PLACES], context).contiguous()
        text = replace(self.config.text, context=context)
        return replace(self, tensors=tensors, config=replace(self.config, text=text))


def load_backbone(
    name_or_path: str, frames: int, models: Path = MODELS
) -> tuple[Backbone, Tokenizer, str]:
    """A backbone for clips of `frames` frames, its tokenizer and the digest of its weights.

    name_or_path: a size whose weights lie in its folder below `models`, a folder, a file or a Hub
    id. The digest is that of the weights as they were trained, whatever `frames` is. Raises
    UserError.
    """
    weights = load_weights(name_or_path, models)
    identity = weights.digest
    weights = weights.with_frames(frames)
    with torch.device("meta"):
        model = build_backbone(weights.config)
    model.load_state_dict(weights.tensors, assign=True)
    text = weights.config.text
    return model, Tokenizer(text.vocabulary, text.context), identity


def load_weights(name_or_path: str, models: Path = MODELS) -> Weights:
    """The checked tensors of a size, a folder, a file or a Hub id; UserError when they are not."""
    path = find_weights(name_or_path, models)
    tensors, form = read_weights(path)
    config = _config(path, tensors, form, name_or_path)
    tensors[TEXT_PLACES] = text_positions(tensors[TEXT_PLACES], config.text.context)
    if config.vision.joint:
        tensors.setdefault("temp", torch.tensor(TEMPERATURE))
    else:
        tensors.setdefault("logit_scale", torch.tensor(-math.log(TEMPERATURE)))
    _check(path, tensors, config)
    return Weights(tensors, config, path, form)


def save_backbone(model: Backbone, folder: Path) -> None:
    """Write weights and sizes into a folder that `load_backbone` reads."""
    save_weights(dict(model.state_dict()), model.config, folder)


def save_weights(tensors: Tensors, config: BackboneConfig, folder: Path) -> None:
    """Write tensors under our names and their sizes into a folder that `load_weights` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    atomic_write(folder / CONFIG, (json.dumps(asdict(config), indent=1) + "\n").encode())
    atomic_write(folder / WEIGHTS, save(plain, metadata={"format": "pt"}))


def _config(path: Path, tensors: Tensors, form: Form, name: str) -> BackboneConfig:
    """Sizes: of the file beside the weights if it is ours, else from name and shapes."""
    known = SIZES.get(name)
    if known is not None and known.vision.joint != (form == "viclip"):
        kinds = ("ViCLIP", "CLIP") if known.vision.joint else ("CLIP", "ViCLIP")
        mend = f"; or make a ViCLIP of it: `prep weights convert {path} {name} --inflate`"
        raise UserError(
            f"{name} is a {kinds[0]}, and {path} holds a {kinds[1]}: name the file itself with "
            f"--backbone{mend if known.vision.joint else ''}"
        )
    try:
        return _config_of_file(path.with_name(CONFIG)) or _config_of_shapes(tensors, known)
    except (KeyError, IndexError, ValueError) as error:
        present = ", ".join(sorted(tensors)[:3]) or "nothing"
        raise UserError(
            f"{path} holds no whole {'ViCLIP' if form == 'viclip' else 'CLIP'}: {error} is absent "
            f"or of another form; it holds {present} …"
        ) from error


def _config_of_file(path: Path) -> BackboneConfig | None:
    """The sizes `save_backbone` wrote; None when the file is absent or of another kind."""
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text())
        vision, text = VisionConfig(**record["vision"]), TextConfig(**record["text"])
        return BackboneConfig(vision, text, int(record["embed"]))
    except (ValueError, KeyError, TypeError):
        return None  # another program's config.json; the shapes tell


def _config_of_shapes(tensors: Tensors, known: BackboneConfig | None) -> BackboneConfig:
    weight = tensors["vision_encoder.conv1.weight"]
    joint = TIME in tensors or weight.ndim == 5
    width, patch = weight.shape[0], weight.shape[-1]
    places = len(tensors["vision_encoder.positional_embedding"])
    vocabulary, text_width = tensors["text_encoder.token_embedding.weight"].shape
    return BackboneConfig(
        VisionConfig(
            width=width,
            blocks=_blocks(tensors, "vision_encoder"),
            heads=known.vision.heads if known else max(1, width // HEAD_WIDTH),
            patch=patch,
            resolution=patch * round((places - 1) ** 0.5),
            frames=tensors[TIME].shape[1] if joint else 8,
            joint=joint,
        ),
        TextConfig(
            width=text_width,
            blocks=_blocks(tensors, "text_encoder"),
            heads=known.text.heads if known else max(1, text_width // HEAD_WIDTH),
            context=known.text.context if known else len(tensors[TEXT_PLACES]),
            vocabulary=vocabulary,
        ),
        embed=tensors["vision_encoder.proj"].shape[1],
    )


def _blocks(tensors: Tensors, tower: str) -> int:
    start = f"{tower}.transformer.resblocks."
    return 1 + max(int(key[len(start) :].split(".")[0]) for key in tensors if key.startswith(start))


def _check(path: Path, tensors: Tensors, config: BackboneConfig) -> None:
    """Every tensor there, none more, each of its shape; else one UserError that names them."""
    with torch.device("meta"):
        shapes = build_backbone(config).state_dict()
    wanted = {key: tuple(value.shape) for key, value in shapes.items()}
    misshapen = [
        f"{key} {tuple(tensors[key].shape)} instead of {shape}"
        for key, shape in sorted(wanted.items())
        if key in tensors and tuple(tensors[key].shape) != shape
    ]
    faults = {
        "missing": sorted(wanted.keys() - tensors.keys()),
        "unexpected": sorted(tensors.keys() - wanted.keys()),
        "misshapen": misshapen,
    }
    told = [f"{kind} {_some(names)}" for kind, names in faults.items() if names]
    if told:
        kind = "ViCLIP" if config.vision.joint else "CLIP"
        raise UserError(f"{path} is no {kind} of these sizes: {'; '.join(told)}")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" * (len(names) > NAMED)
    return ", ".join(names[:NAMED]) + more
