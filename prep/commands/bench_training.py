"""`prep bench --train`: what adapting a backbone costs, as ratios; each pipeline a process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from manifests.errors import UserError
from prep.processes import ask
from prep.text import aligned

# Key of the result, and what it says.
_RATIOS = {
    "train_step_ratio": "training step, MSTA / full tuning",
    "memory_ratio": "most memory of its tensors in that step, weights and optimiser included",
    "process_ratio": "most memory of its process, interpreter and malloc included",
    "inference_ratio": "videos a second, tuned / frozen",
    "inference_published_ratio": "videos a second, tuned / tuned with all tokens in every block",
    "text_ratio": "texts, forward and backward: times faster than 77 tokens",
    "text_ratio_32": "texts, forward and backward: times faster than 32 tokens",
}


def bench_training(rounds: int) -> CostReport:
    """Measure ViCLIP-B/16: 2 clips and 51 classes on CPU (minutes), 32 and 400 on a GPU."""
    if rounds < 1:
        raise UserError(f"--rounds {rounds}: at least 1")
    return CostReport(ask("train.bench", {"rounds": rounds}, heard=True))


@dataclass(frozen=True)
class CostReport:
    """Ratios by adapter width and blocks, and what they are of."""

    found: dict[str, Any]

    exit_code = 0

    def text(self) -> str:
        """A line a ratio, a column for each width and blocks."""
        found = self.found
        load, machine = found["load"], found["machine"]
        names = list(found["train_step_ratio"])
        rows = [("width/blocks", *names)]
        for key, said in _RATIOS.items():
            rows.append((said, *(f"{found[key][n]:.2f}" for n in names)))
            busy = found["cpu_ratios"].get(key)
            if busy and machine["device"] == "cpu":
                rows.append(("  in processor time", *(f"{busy[n]:.2f}" for n in names)))
        return "\n".join(
            [
                f"ViCLIP {load['backbone']}, {load['frames']} frames, batch {load['batch']}, "
                f"{load['classes']} classes, {load['precision']} on {machine['device']}, "
                f"{machine['threads']} threads",
                "all pipelines with the same economies and fused attention but where all tokens or "
                "77 or 32 are said",
                f"each in a process of its own, taking turns; medians of {load['rounds']} rounds, "
                "three times as many of inference",
                *aligned(rows),
                f"load of the machine at the end: {machine['load_average'][0]:.1f} on "
                f"{machine['cores']} cores",
            ]
        )

    def as_dict(self) -> dict[str, Any]:
        """Ratios, medians and bytes."""
        return self.found
