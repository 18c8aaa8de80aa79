"""Adapter files, and the state that a stopped run goes on from.

An adapter is one safetensors file, never a pickle: the trained tensors by name, and in its
metadata the recipe, the hashes of class list, subset and backbone, and the versions. It is loaded
only onto the backbone and the method it was trained with.

A run's state is a folder written whole or not at all::

    <out>/state/step-00000120/          renamed from step-00000120.tmp, then older ones removed
        progress.json                   epoch, step, seed, hashes, evaluations so far
        trainable.safetensors           what is trained; the frozen backbone is not saved again
        optimizer.bin random_states_0.pkl …    Accelerate's own
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save, save_file

from manifests.errors import UserError
from shards.atomic import atomic_write

FORMAT = "1"


@dataclass(frozen=True)
class AdapterInfo:
    """What an adapter file says of itself."""

    method: str
    recipe: dict[str, Any]
    benchmark: str
    classes: str  # hash of the benchmark's class list
    dataset: str  # identity of the shard store
    subset: str  # hash of the training subset
    backbone: str  # digest of the frozen weights
    epoch: int
    selection: str  # "last", "best-on-test" …
    versions: dict[str, str]


def save_adapter(path: Path, tensors: Mapping[str, torch.Tensor], info: AdapterInfo) -> None:
    """Write the file at once: a reader sees the old one or the new one."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    texts = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in asdict(info).items()
    }
    atomic_write(path, save(plain, metadata={"format": FORMAT, **texts}))


def load_adapter(path: Path) -> tuple[dict[str, torch.Tensor], AdapterInfo]:
    """Tensors by name and what the file says of itself.

    Raises UserError when it is absent, damaged or no adapter of this project.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            texts = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if texts.pop("format", None) != FORMAT:
            raise UserError(
                f"{path} holds no adapter of format {FORMAT}: name a file that train/run.py wrote"
            )
        plain = ("recipe", "versions", "epoch")
        info = {key: json.loads(text) if key in plain else text for key, text in texts.items()}
        return tensors, AdapterInfo(**info)
    except (OSError, SafetensorError, ValueError, TypeError) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise UserError(
            f"{path} is no readable adapter ({reason}): name a file that train/run.py wrote"
        ) from error


def check_adapter(path: Path, info: AdapterInfo, mine: AdapterInfo) -> None:
    """Refuse an adapter of another method, backbone or class list; `mine` is what the run has."""
    if info.method != mine.method:
        raise UserError(
            f"{path} holds {info.method}, not {mine.method}: say --method {info.method}"
        )
    theirs, ours = info.recipe["options"], mine.recipe["options"]
    if theirs != ours:
        odd = [f"{key} {theirs.get(key)}" for key in theirs if theirs.get(key) != ours.get(key)]
        raise UserError(
            f"{path} was trained with {', '.join(odd)}: say the same on the command line"
        )
    if info.backbone != mine.backbone:
        raise UserError(
            f"{path} belongs to other backbone weights ({info.recipe['backbone']}): "
            "name those with --backbone"
        )
    if info.benchmark == mine.benchmark and info.classes != mine.classes:
        raise UserError(
            f"{path} was trained on another class list of {info.benchmark}: "
            "shard the benchmark with the same version, or train again"
        )


def digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """Sha256 hex digest of names, shapes, types and bytes, in the order of names."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        found.update(f"{name}\t{tuple(tensor.shape)}\t{tensor.dtype}\n".encode())
        found.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


@dataclass(frozen=True)
class Progress:
    """Where a run stands: the next step to do, and what that step means."""

    epoch: int
    step: int  # next step inside the epoch
    update: int  # updates done since the beginning
    recipe: dict[str, Any]
    subset: str
    dataset: str
    plan: int  # version of the rules that make batches of a seed
    loader: str  # identity of order, frames and augmentation
    seconds: float  # spent training so far
    history: list[dict[str, Any]]  # evaluations so far
    substituted: int = 0  # clips shown so far in place of others that could not be read
    backbone: str = ""  # digest of the frozen weights
    descriptions: dict[str, str] = field(default_factory=dict)  # digests by kind
    first_losses: list[float] = field(default_factory=list)  # that divergence is judged by


def state_folders(out: Path) -> list[Path]:
    """Finished states of a run, oldest first."""
    return sorted(
        path
        for path in (out / "state").glob("step-*")
        if (path / "progress.json").is_file() and path.suffix != ".tmp"
    )


def latest_progress(out: Path) -> tuple[Path, Progress] | None:
    """Newest state of a run, or None when it has none; UserError when it is of another version."""
    found = state_folders(out)
    if not found:
        return None
    path = found[-1] / "progress.json"
    try:
        return found[-1], Progress(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"{path} is no progress of this version ({error}): start anew with --overwrite"
        ) from error


def trainable(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Parameters that are trained, by name; the tensors themselves, not copies."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def register(accelerator: Accelerator) -> None:
    """Have Accelerate save and load what is trained instead of the whole backbone."""

    def save_trained(models: list[torch.nn.Module], weights: list[Any], folder: str) -> None:
        weights.clear()
        if accelerator.is_main_process:
            tensors = trainable(accelerator.unwrap_model(models[0]))
            plain = {name: tensor.detach().cpu() for name, tensor in tensors.items()}
            save_file(plain, str(Path(folder) / "trainable.safetensors"))

    def load_trained(models: list[torch.nn.Module], folder: str) -> None:
        tensors = trainable(accelerator.unwrap_model(models.pop()))
        saved = load_file(str(Path(folder) / "trainable.safetensors"))
        if saved.keys() != tensors.keys():
            odd = sorted(saved.keys() ^ tensors.keys())
            raise UserError(f"{folder} holds other trained tensors ({odd[0]}, …): start anew")
        with torch.no_grad():
            for name, tensor in tensors.items():
                tensor.copy_(saved[name])

    accelerator.register_save_state_pre_hook(save_trained)
    accelerator.register_load_state_pre_hook(load_trained)


def save_state(accelerator: Accelerator, out: Path, progress: Progress) -> Path:
    """Save everything a resumed run needs; called by all ranks, which see one shared folder."""
    final = out / "state" / f"step-{progress.update:08d}"
    partial = final.with_name(final.name + ".tmp")
    if accelerator.is_main_process:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    accelerator.wait_for_everyone()
    accelerator.save_state(str(partial))
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        (partial / "progress.json").write_text(json.dumps(asdict(progress), indent=1))
        _commit(partial, final)
    accelerator.wait_for_everyone()
    return final


def _commit(partial: Path, final: Path) -> None:
    """Flush and rename; only then remove older states and what killed runs left."""
    for path in [*partial.iterdir(), partial]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    shutil.rmtree(final, ignore_errors=True)
    partial.rename(final)
    for old in final.parent.glob("step-*"):
        if old != final:
            shutil.rmtree(old)


def load_state(accelerator: Accelerator, folder: Path) -> None:
    """Put a saved state back into the prepared model and optimizer and the random generators."""
    accelerator.load_state(str(folder))
