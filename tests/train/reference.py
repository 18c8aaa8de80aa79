"""Reading of reference tensors, and towers of the sizes their files state."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from train.models.config import BackboneConfig, TextConfig, VisionConfig
from train.models.viclip import ViCLIP

TOWERS = ("vision_encoder.", "text_encoder.", "temp")


@dataclass(frozen=True)
class Reference:
    """One file: its tensors, the sizes it was made with, and how near one must come."""

    tensors: dict[str, torch.Tensor]
    config: dict[str, Any]
    atol: float
    rtol: float

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.tensors[name]

    def assert_near(self, found: torch.Tensor, name: str) -> None:
        torch.testing.assert_close(
            found.detach(),
            self.tensors[name],
            atol=self.atol,
            rtol=self.rtol,
            msg=lambda text: f"{name}: {text}",
        )

    def below(self, prefix: str) -> dict[str, torch.Tensor]:
        """Tensors whose name begins with `prefix`, without it."""
        found = {key: value for key, value in self.tensors.items() if key.startswith(prefix)}
        return {key.removeprefix(prefix): value for key, value in found.items()}

    def backbone(self) -> ViCLIP:
        """The towers with the file's weights."""
        model = ViCLIP(self.sizes())
        weights = self.below("weights.")
        model.load_state_dict({k: v for k, v in weights.items() if k.startswith(TOWERS)})
        return model

    def sizes(self) -> BackboneConfig:
        c = self.config
        return BackboneConfig(
            VisionConfig(c["vw"], c["vl"], c["vh"], c["patch"], c["res"], c["T"]),
            TextConfig(c["tw"], c["tl"], c["th"], c["ctx"], c["vocab"]),
            c["embed"],
        )


def read_reference(path: Path) -> Reference:
    with safe_open(str(path), framework="pt") as file:
        meta = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    config = json.loads(meta.get("config") or meta["cases"])
    return Reference(tensors, config, float(meta["atol"]), float(meta.get("rtol", meta["atol"])))
