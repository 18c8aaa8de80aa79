"""`python -m train.bench WORDS`: cost ratios in one run; words and result are JSON objects.

Started by `prep bench --train`. Words: `rounds`, and whatever of `Load` is to differ from the
defaults of the device: on CPU 2 clips and 51 classes in fp32, on a GPU 32 clips and 400 classes in
bf16. Progress goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, replace
from typing import Any

import torch

from manifests.classes import load_classes
from manifests.errors import UserError
from train.bench.compare import PAPER, Adapters, inference, merged, text, training
from train.bench.pipelines import Load
from train.models.config import SIZES

ROUNDS = 5


def default_load() -> Load:
    """What is measured on this machine unless something else is asked for."""
    if torch.cuda.is_available():
        return Load(batch=32, benchmark="kinetics400", device="cuda", precision="bf16")
    return Load()


def measure(load: Load, rounds: int, adapters: Adapters) -> dict[str, Any]:
    """All ratios, each an object by adapter width and blocks, and what they are of."""
    if load.batch < 1 or rounds < 1:
        raise UserError(f"--batch {load.batch}, --rounds {rounds}: at least 1 each")
    found: dict[str, Any] = {}
    for part in (training, inference, text):
        sys.stderr.write(f"{part.__name__}:\n")
        found = merged(found, part(load, rounds, adapters))
    vision = SIZES[load.backbone].vision
    machine = {
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if load.device == "cuda" else "cpu",
        "torch": torch.__version__,
        "load_average": list(os.getloadavg()),
    }
    classes = len(load_classes(load.benchmark))
    return {
        **found,
        "load": {**asdict(load), "frames": vision.frames, "classes": classes, "rounds": rounds},
        "machine": machine,
    }


def main(words: dict[str, Any]) -> int:
    """Measure and print; 0 done, 1 refused."""
    rounds = words.pop("rounds", ROUNDS)
    adapters = {
        name: (mid, (first, last))
        for name, (mid, (first, last)) in words.pop("adapters", PAPER).items()
    }
    asked = {name: value for name, value in words.items() if value is not None}
    try:
        found = measure(replace(default_load(), **asked), rounds, adapters)
    except UserError as error:
        found = {"error": str(error)}
    sys.stdout.write(json.dumps(found) + "\n")
    return int("error" in found)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}))
