"""Weights from the Hugging Face Hub: its cache first and, unless HF_HUB_OFFLINE says no, the Hub.

Only files of weights and their settings are fetched; nothing in them is run.
"""

from __future__ import annotations

import re
from pathlib import Path

from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, HFValidationError

from manifests.errors import UserError

# owner/name, then a file of it and a revision if wanted: owner/name/weights.pth@8484a9c
_ID = re.compile(r"(?P<repo>[\w-][\w.-]*/[\w-][\w.-]*)(?:/(?P<file>[\w./-]+))?(?:@(?P<rev>\w+))?")
_SAFE = ["*.safetensors", "*.safetensors.index.json"]
_OTHERS = ["*.pth", "*.pt", "*.bin", "*.bin.index.json"]


def looks_like_id(name: str) -> bool:
    """Whether a name that is no place on this machine could be one on the Hub."""
    return _ID.fullmatch(name) is not None


def fetch(name: str) -> Path:
    """The folder, or the file, that a Hub id names, on this machine.

    Raises UserError when it is neither in the cache nor to be had.
    """
    parts = _ID.fullmatch(name)
    assert parts is not None
    repo, file, revision = parts["repo"], parts["file"], parts["rev"]
    try:
        if file:
            return Path(hf_hub_download(repo, file, revision=revision))
        folder = Path(snapshot_download(repo, revision=revision, allow_patterns=_SAFE))
        if not any(folder.glob("*.safetensors")):  # only then the larger, older forms
            folder = Path(snapshot_download(repo, revision=revision, allow_patterns=_OTHERS))
    except (OSError, EntryNotFoundError, HFValidationError) as error:
        raise UserError(
            f"{name} is no file or folder here, and the Hub does not give it "
            f"({_first_sentence(error)}): check the name, or fetch it on a machine with network "
            "and set HF_HOME to its cache"
        ) from error
    return folder


def _first_sentence(error: Exception) -> str:
    return " ".join(str(error).split()).split(". ")[0].rstrip(".") or type(error).__name__
