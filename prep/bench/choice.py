"""Which ways can be measured here, and why the others cannot."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch

from loaders.clips import dali_installed
from manifests.errors import UserError
from prep.bench.child import WAYS

PIPELINES = ("published", "cpu", "dali-cpu", "dali-gpu")
"""Whole chains that are compared."""


def available(root: Path | None) -> tuple[list[str], dict[str, str]]:
    """Names of the ways, and for each chain that is left out, the reason.

    root: raw files of the set, if there are any.
    """
    reasons: dict[str, str] = {}
    if importlib.util.find_spec("decord") is None:
        reasons["published"] = "decord is not installed (there is none for this machine)"
    elif root is None:
        reasons["published"] = "no raw files: name them by --root"
    if not dali_installed():
        reasons["dali-cpu"] = reasons["dali-gpu"] = "DALI is not installed (extras cuda12, cuda13)"
    if not torch.cuda.is_available():
        reasons["dali-gpu"] = reasons["cpu/device"] = "no GPU"
    names = [name for name in WAYS if name not in reasons and name.split("/", 1)[0] not in reasons]
    return names, {chain: reasons[chain] for chain in PIPELINES if chain in reasons}


def raw_root(root: Path, asked: bool) -> Path | None:
    """The raw folder where it is there; UserError when one was asked for that is not."""
    if root.is_dir():
        return root
    if asked:
        raise UserError(f"{root} is no folder: name the raw files of the set by --root")
    return None
