"""Backbone weights from and to disk.

::

    data/models/<b16 | l14 | nano>/     or any folder of that form, or one file
        model.safetensors               official parameter names; else one .pth beside it
        config.json                     sizes that shapes do not tell (heads); may be absent

Files are read without running anything in them. Sizes come from the shapes, so any ViCLIP can be
loaded; tensors that are missing, unknown or of a wrong shape are named in one message.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from manifests.errors import UserError
from shards.atomic import atomic_write
from train.checkpoint import digest
from train.models.config import SIZES, TextConfig, ViCLIPConfig, VisionConfig
from train.models.resize import temporal_embedding, text_positions
from train.models.tokenizer import Tokenizer
from train.models.viclip import TEMPERATURE, ViCLIP

MODELS = Path("data/models")
WEIGHTS, CONFIG = "model.safetensors", "config.json"
HEAD_WIDTH = 64  # of every released model
Tensors = dict[str, torch.Tensor]
_NESTS = ("model", "module", "state_dict")
_PREFIXES = ("module.", "model.")
_TIME = "vision_encoder.temporal_positional_embedding"
_TEXT_PLACES = "text_encoder.positional_embedding"
_MEND = {
    "nano": "run `prep demo`, or `accelerate launch train/run.py pretrain`, which makes it",
    "b16": "put the official ViCLIP-B weights there, as model.safetensors or .pth",
    "l14": "put the official ViCLIP-L weights there, as model.safetensors or .pth",
}


def load_backbone(
    name_or_path: str, frames: int, models: Path = MODELS
) -> tuple[ViCLIP, Tokenizer, str]:
    """A backbone for clips of `frames` frames, its tokenizer and the digest of its weights.

    name_or_path: a size whose weights lie in its folder below `models`, a folder or a file. The
    digest is that of the weights as they were trained, whatever `frames` is. Raises UserError.
    """
    path = _find(name_or_path, models)
    tensors = _read(path)
    config = _config(path, tensors, name_or_path)
    tensors[_TEXT_PLACES] = text_positions(tensors[_TEXT_PLACES], config.text.context)
    tensors.setdefault("temp", torch.tensor(TEMPERATURE))
    _check(path, tensors, config)
    identity = digest(tensors)
    if frames > 1:  # one frame alone takes the mean of the trained ones
        tensors[_TIME] = temporal_embedding(tensors[_TIME], frames).contiguous()
        config = replace(config, vision=replace(config.vision, frames=frames))
    with torch.device("meta"):
        model = ViCLIP(config)
    model.load_state_dict(tensors, assign=True)
    return model, Tokenizer(config.text.vocabulary, config.text.context), identity


def save_backbone(model: ViCLIP, folder: Path) -> None:
    """Write weights and sizes into a folder that `load_backbone` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    atomic_write(folder / CONFIG, (json.dumps(asdict(model.config), indent=1) + "\n").encode())
    atomic_write(folder / WEIGHTS, save(tensors, metadata={"format": "pt"}))


def _find(name_or_path: str, models: Path) -> Path:
    """The file of weights."""
    place = models / name_or_path if name_or_path in SIZES else Path(name_or_path)
    if place.is_file():
        return place
    if (place / WEIGHTS).is_file():
        return place / WEIGHTS
    others = sorted(path for path in place.glob("*") if path.suffix in (".pth", ".pt"))
    if len(others) == 1:
        return others[0]
    if others:
        raise UserError(f"{place} holds {len(others)} files of weights: name one of them")
    mend = _MEND.get(name_or_path, f"name a folder with {WEIGHTS}, a file, or {', '.join(SIZES)}")
    raise UserError(f"no backbone weights in {place}: {mend}")


def _read(path: Path) -> Tensors:
    """All tensors of a file under official names, as float32."""
    try:
        if path.suffix == ".safetensors":
            found: Any = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, RuntimeError, ValueError, EOFError) as error:
        raise UserError(
            f"{path} is no readable file of weights ({error}): fetch it again"
        ) from error
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} holds more than tensors and is not opened: save its 'model' entry alone, "
            "best as safetensors, on a machine where you trust it"
        ) from error
    return _named(path, found)


def _named(path: Path, found: Any) -> Tensors:
    """Descend to the tensors and strip what trainers put before their names."""
    while isinstance(found, Mapping):
        nest = next((key for key in _NESTS if isinstance(found.get(key), Mapping)), None)
        if nest is None:
            break
        found = found[nest]
    if not isinstance(found, Mapping):
        raise UserError(f"{path} holds a {type(found).__name__}, no named tensors")
    tensors: Tensors = {}
    for key, value in found.items():
        name = str(key)
        for prefix in _PREFIXES:
            name = name.removeprefix(prefix)
        if isinstance(value, torch.Tensor):
            tensors[name] = value.float()
    return tensors


def _config(path: Path, tensors: Tensors, name: str) -> ViCLIPConfig:
    """Sizes: of the file beside the weights if it is ours, else from shapes."""
    try:
        return _config_of_file(path.with_name(CONFIG)) or _config_of_shapes(tensors, name)
    except (KeyError, IndexError, ValueError) as error:
        present = ", ".join(sorted(tensors)[:3]) or "nothing"
        raise UserError(
            f"{path} holds no ViCLIP: {error} is absent or of another form; it holds {present} …"
        ) from error


def _config_of_file(path: Path) -> ViCLIPConfig | None:
    """The sizes `save_backbone` wrote; None when the file is absent or of another kind."""
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text())
        vision, text = VisionConfig(**record["vision"]), TextConfig(**record["text"])
        return ViCLIPConfig(vision, text, int(record["embed"]))
    except (ValueError, KeyError, TypeError):
        return None  # another program's config.json; the shapes tell


def _config_of_shapes(tensors: Tensors, name: str) -> ViCLIPConfig:
    width, _, _, patch, _ = tensors["vision_encoder.conv1.weight"].shape
    places = len(tensors["vision_encoder.positional_embedding"])
    vocabulary, text_width = tensors["text_encoder.token_embedding.weight"].shape
    known = SIZES.get(name)
    return ViCLIPConfig(
        VisionConfig(
            width=width,
            blocks=_blocks(tensors, "vision_encoder"),
            heads=known.vision.heads if known else max(1, width // HEAD_WIDTH),
            patch=patch,
            resolution=patch * round((places - 1) ** 0.5),
            frames=tensors[_TIME].shape[1],
        ),
        TextConfig(
            width=text_width,
            blocks=_blocks(tensors, "text_encoder"),
            heads=known.text.heads if known else max(1, text_width // HEAD_WIDTH),
            context=known.text.context if known else len(tensors[_TEXT_PLACES]),
            vocabulary=vocabulary,
        ),
        embed=tensors["vision_encoder.proj"].shape[1],
    )


def _blocks(tensors: Tensors, tower: str) -> int:
    start = f"{tower}.transformer.resblocks."
    return 1 + max(int(key[len(start) :].split(".")[0]) for key in tensors if key.startswith(start))


def _check(path: Path, tensors: Tensors, config: ViCLIPConfig) -> None:
    """Every tensor there, none more, each of its shape; else one UserError that names them."""
    with torch.device("meta"):
        wanted = {key: tuple(value.shape) for key, value in ViCLIP(config).state_dict().items()}
    missing = sorted(wanted.keys() - tensors.keys())
    unexpected = sorted(tensors.keys() - wanted.keys())
    misshapen = [
        f"{key} {tuple(tensors[key].shape)} instead of {shape}"
        for key, shape in sorted(wanted.items())
        if key in tensors and tuple(tensors[key].shape) != shape
    ]
    faults = {"missing": missing, "unexpected": unexpected, "misshapen": misshapen}
    told = [f"{kind} {', '.join(names)}" for kind, names in faults.items() if names]
    if told:
        raise UserError(f"{path} is no ViCLIP of these sizes: {'; '.join(told)}")
