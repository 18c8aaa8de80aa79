"""A backbone from its sizes."""

from __future__ import annotations

from train.models.backbone import Backbone
from train.models.clip import CLIP
from train.models.config import BackboneConfig
from train.models.viclip import ViCLIP


def build_backbone(config: BackboneConfig, seed: int = 0) -> Backbone:
    """A model of these sizes that has learnt nothing yet, drawn from `seed`."""
    return ViCLIP(config, seed) if config.vision.joint else CLIP(config, seed)
