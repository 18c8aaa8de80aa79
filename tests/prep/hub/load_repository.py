"""Load a repository with Hugging Face `datasets`, both ways, and print what came out as JSON.

Run as a program of its own, so that it sees a folder and nothing of this project.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
from typing import Any

from datasets import load_dataset


def clip_said(clip: dict[str, Any]) -> dict[str, Any]:
    """What is compared of a clip: its label, sidecar, and the hash of each of its JPEGs."""
    sizes = clip["json"]["frame_sizes"]
    ends = itertools.accumulate(sizes)
    jpegs = [clip["mjpg"][end - size : end] for end, size in zip(ends, sizes, strict=True)]
    return {
        "cls": clip["cls"],
        "json": clip["json"],
        "key": clip["__key__"],
        "jpegs": [hashlib.sha256(jpeg).hexdigest() for jpeg in jpegs],
        "left": len(clip["mjpg"]) - sum(sizes),
    }


def loaded(folder: str, streaming: bool) -> dict[str, Any]:
    """Class names and clips of every split, in the order they come in."""
    splits = load_dataset(folder, streaming=streaming)
    return {
        name: {
            "names": split.features["cls"].names,
            "features": sorted(split.features),
            "declared": split.info.splits[name].num_examples,
            "clips": [clip_said(clip) for clip in split],
        }
        for name, split in splits.items()
    }


if __name__ == "__main__":
    found = {
        folder: {str(streaming): loaded(folder, streaming) for streaming in (False, True)}
        for folder in sys.argv[1:]
    }
    print(json.dumps(found))
