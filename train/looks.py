"""Whether what a recipe looks at is what its backbone sees, and in which numbers."""

from __future__ import annotations

import torch

from manifests.errors import UserError
from train.models.config import BackboneConfig
from train.recipes.records import Precision, Views

_DTYPES: dict[Precision, torch.dtype] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}


def clips_dtype(precision: Precision) -> torch.dtype:
    """What clips are handed over in: the patch embedding would round them to it anyway."""
    return _DTYPES[precision]


def check_look(look: Views, config: BackboneConfig) -> None:
    """UserError when the backbone was made for pictures of another size."""
    wanted = config.vision.resolution
    if look.size != wanted:
        raise UserError(
            f"the backbone sees {wanted} x {wanted} pixels, not {look.size}: say --size {wanted} "
            f"--short-side {wanted * 8 // 7}"
        )
