"""What adapting a backbone costs: ratios that `train.bench` measures in processes of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prep.text import aligned
from prep.training import run_module

# Key of the result, what it says, and whether less is better.
_RATIOS = {
    "train_step_ratio": "training step, MSTA / full tuning",
    "memory_ratio": "peak memory of that step, weights and optimiser included",
    "inference_ratio": "videos a second, tuned / frozen",
    "inference_published_ratio": "videos a second, tuned / tuned with all tokens in all blocks",
    "text_ratio": "texts, forward and backward: gain over 77 tokens",
    "text_ratio_32": "texts, forward and backward: gain over 32 tokens",
}


def measure_training(rounds: int, batch: int | None = None) -> dict[str, Any]:
    """All ratios, each an object by adapter width and blocks ("128/8-12"); minutes on CPU.

    batch: clips of a step; None: 2 on CPU, 32 on a GPU. Raises UserError when a pipeline fails.
    """
    return run_module("train.bench", {"rounds": rounds, "batch": batch})


def training_lines(found: Mapping[str, Any]) -> list[str]:
    """The ratios as a table, and what they are of."""
    load, machine = found["load"], found["machine"]
    names = list(found["train_step_ratio"])
    rows = [("width/blocks", *names)]
    rows += [(text, *(f"{found[key][n]:.2f}" for n in names)) for key, text in _RATIOS.items()]
    return [
        f"ViCLIP {load['backbone']}, {load['frames']} frames, batch {load['batch']}, "
        f"{load['classes']} classes, {load['precision']} on {machine['device']}, "
        f"{machine['threads']} threads; each pipeline a process, taking turns; medians of "
        f"{load['rounds']} rounds; both sides with the same economies and fused attention",
        *aligned(rows),
        f"load of the machine {machine['load_average'][0]:.1f} on {machine['cores']} cores: "
        "other work makes single figures coarse, ratios less so",
    ]
