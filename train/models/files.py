"""Where weights lie, and their tensors, whatever form they were published in.

::

    data/models/<size>/            or any folder of that form, one file, or a Hub id
        model.safetensors          or in parts with model.safetensors.index.json
        *.pth *.pt *.bin           where there is exactly one: official checkpoints, state dicts,
                                   TorchScript archives

Nothing in a file is ever run.
"""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from manifests.errors import UserError
from manifests.near import did_you_mean
from train.models.archives import (
    ForeignClassError,
    Inert,
    flattened,
    is_torchscript,
    read_archive,
)
from train.models.config import SIZES
from train.models.forms import Form, Tensors, form_of, renamed
from train.models.hub import fetch, looks_like_id

MODELS = Path("data/models")
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
_ALIGNMENT = 64  # bytes
_NESTS = ("model", "module", "state_dict")
_OTHER_SUFFIXES = (".pth", ".pt", ".bin", ".safetensors")
_DAMAGED = (
    OSError,
    SafetensorError,
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    zipfile.BadZipFile,
    pickle.UnpicklingError,
)
_PRETRAINED = "run `prep demo`, or `accelerate launch train/run.py pretrain"
_PUT = "put them there as model.safetensors, .pth or .pt, or convert them with `prep weights"
_MEND: Final[Mapping[str, str]] = {
    "nano": f"{_PRETRAINED}`, which makes it",
    "clip-nano": f"{_PRETRAINED} --backbone clip-nano`, which makes it",
    "b16": f"official ViCLIP-B weights: {_PUT} convert FILE b16`",
    "l14": f"official ViCLIP-L weights: {_PUT} convert FILE l14`",
    "clip-b32": f"CLIP ViT-B/32 weights: {_PUT} convert FILE clip-b32`",
    "clip-b16": f"CLIP ViT-B/16 weights: {_PUT} convert FILE clip-b16`",
    "clip-l14": f"CLIP ViT-L/14 weights: {_PUT} convert FILE clip-l14`",
}


def find_weights(name_or_path: str, models: Path = MODELS) -> Path:
    """The file of weights of a size, a folder, a file or a Hub id; UserError when there is none."""
    place = models / name_or_path if name_or_path in SIZES else Path(name_or_path)
    if not place.exists() and name_or_path not in SIZES and looks_like_id(name_or_path):
        place = fetch(name_or_path)
    if place.is_file():
        return place
    for name in (WEIGHTS, INDEX):
        if (place / name).is_file():
            return place / name
    others = sorted(path for path in place.glob("*") if path.suffix in _OTHER_SUFFIXES)
    if len(others) == 1:
        return others[0]
    if others:
        names = ", ".join(path.name for path in others[:4])
        raise UserError(f"{place} holds {len(others)} files of weights ({names}): name one of them")
    mend = _MEND.get(
        name_or_path,
        f"name a folder with {WEIGHTS}, a file, a Hub id, or {', '.join(SIZES)}"
        f"{did_you_mean(name_or_path, SIZES)}",
    )
    raise UserError(f"no backbone weights in {place}: {mend}")


def read_weights(path: Path) -> tuple[Tensors, Form]:
    """All tensors of a file under our names, as float32, and the form they came in.

    Raises UserError when it cannot be read or holds neither ViCLIP nor CLIP.
    """
    try:
        found = _read(path)
    except ForeignClassError as error:
        raise UserError(
            f"{path} holds more than tensors (it names {error}) and is not opened: save its "
            "'model' entry alone, best as safetensors, on a machine where you trust it"
        ) from error
    except _DAMAGED as error:
        raise UserError(
            f"{path} is no readable file of weights ({_reason(error)}): fetch it again"
        ) from error
    tensors = _tensors(path, found)
    recognised = form_of(tensors)
    if recognised is None:
        present = ", ".join(sorted(tensors)[:3]) or "nothing"
        raise UserError(
            f"{path} holds no ViCLIP and no CLIP: no vision_encoder.conv1.weight, "
            f"visual.conv1.weight or vision_model.embeddings; it holds {present} …"
        )
    return renamed(tensors, *recognised), recognised[0]


def _read(path: Path) -> Any:
    if path.suffix == ".safetensors":
        return load_file(path)
    if path.suffix == ".json":
        parts = sorted(set(json.loads(path.read_text())["weight_map"].values()))
        return dict(pair for part in parts for pair in load_file(_beside(path, part)).items())
    if is_torchscript(path):
        return flattened(read_archive(path))
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if zipfile.is_zipfile(path):
            return read_archive(path)
        with path.open("rb") as file:
            if file.read(1) != pickle.PROTO:
                raise
        raise ForeignClassError("objects in the format before PyTorch 1.6") from error


def _reason(error: Exception) -> str:
    if isinstance(error, pickle.UnpicklingError):  # its text is advice to trust the file
        return "neither safetensors nor a checkpoint"
    return " ".join(str(error).split())[:200]


def _beside(path: Path, part: str) -> Path:
    if Path(part).name != part:
        raise ValueError(f"it refers to {part}")
    return path.with_name(part)


def _tensors(path: Path, found: Any) -> Tensors:
    """Descend to the tensors of a checkpoint."""
    while isinstance(found, Mapping):
        nest = next((key for key in _NESTS if _is_nest(found.get(key))), None)
        if nest is None:
            break
        found = found[nest]
    if not isinstance(found, Mapping):
        raise UserError(f"{path} holds a {type(found).__name__}, no named tensors")
    return {
        str(key): _aligned(value.float().contiguous())
        for key, value in found.items()
        if isinstance(value, torch.Tensor)
    }


def _aligned(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor where the allocator would put it.

    Products round differently over numbers that lie elsewhere, as they do in a file that is mapped
    into memory: one backbone would give other features in every form of its file.
    """
    return tensor.clone() if tensor.data_ptr() % _ALIGNMENT else tensor


def _is_nest(value: Any) -> bool:
    return isinstance(value, Mapping) and not isinstance(value, Inert)
