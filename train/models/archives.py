"""Tensors out of archives that `torch.load(weights_only=True)` does not take, running nothing.

Two kinds of published files need it: TorchScript archives (OpenAI's CLIP), and checkpoints that
hold a trainer's configuration object beside the weights (ViCLIP). Both are zip files::

    <name>/data.pkl             a pickle: containers, names, and where each tensor lies
           data/0, data/1 …     the numbers
           code/…               TorchScript only, never looked at

A pickle can call whatever it names. Here it names tensors, plain containers and a few harmless
classes, for which a dictionary that does nothing stands in; any other name ends the reading.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final

import torch

# Classes of settings that trainers save; their contents are of no use here.
_SETTINGS: Final = frozenset({"EasyDict", "Namespace", "CfgNode", "AttrDict"})
_HARMLESS_MODULES: Final = frozenset({"numpy", "numpy.core.multiarray", "numpy._core.multiarray"})
_DTYPES: Final[Mapping[str, torch.dtype]] = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class ForeignClassError(Exception):
    """The archive names something that is neither a tensor nor known to be harmless."""


class Inert(dict[Any, Any]):
    """Stands for an object of another program: keeps what it is given and does nothing."""

    def __new__(cls, *_args: Any, **_words: Any) -> Inert:
        """Made from anything."""
        return super().__new__(cls)

    def __init__(self, *_args: Any, **_words: Any) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.update(state)

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)


def is_torchscript(path: Path) -> bool:
    """Whether the file is an archive with code in it."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def read_archive(path: Path) -> Any:
    """What the archive holds, other programs' objects as `Inert`.

    Raises ForeignClassError for anything else, and ValueError, KeyError, EOFError, RuntimeError,
    zipfile.BadZipFile or pickle.UnpicklingError for a damaged one.
    """
    with zipfile.ZipFile(path) as archive:
        pickles = [name for name in archive.namelist() if name.count("/") == 1]
        main = next((name for name in pickles if name.endswith("/data.pkl")), None)
        if main is None:
            raise ValueError("it has no data.pkl")
        with archive.open(main) as stream:
            return _Reader(stream, archive, main.removesuffix("data.pkl")).load()


def flattened(module: Mapping[Any, Any], prefix: str = "") -> dict[str, torch.Tensor]:
    """Tensors of a tree of modules under dotted names."""
    found: dict[str, torch.Tensor] = {}
    for name, value in module.items():
        if isinstance(value, torch.Tensor):
            found[f"{prefix}{name}"] = value
        elif isinstance(value, Inert):
            found.update(flattened(value, f"{prefix}{name}."))
    return found


class _Reader(pickle.Unpickler):
    def __init__(self, stream: IO[bytes], archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(stream)
        self._archive, self._root = archive, root

    def find_class(self, module: str, name: str) -> Any:
        known = _KNOWN.get((module, name))
        if known is not None:
            return known
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        if module.split(".")[0] == "__torch__" or module == "torch.jit._pickle":
            return Inert
        if name in _SETTINGS or module in _HARMLESS_MODULES:
            return Inert
        raise ForeignClassError(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> torch.Tensor:
        """The numbers of one storage, as a flat tensor."""
        kind, dtype, key, _, count = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype):
            raise ValueError(f"it refers to a {kind}")
        raw = bytearray(self._archive.read(f"{self._root}data/{key}"))
        return torch.frombuffer(raw, dtype=dtype, count=count) if count else torch.empty(0)


def _tensor(
    storage: torch.Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> torch.Tensor:
    """A tensor over a storage; RuntimeError where it would reach beyond it."""
    return storage.as_strided(size, stride, offset)


def _parameter(data: torch.Tensor, *_: Any) -> torch.Tensor:
    return data


_KNOWN: Final[Mapping[tuple[str, str], Any]] = {
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("collections", "OrderedDict"): OrderedDict,
    ("_codecs", "encode"): Inert,
}
