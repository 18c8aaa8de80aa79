"""Whether what a recipe looks at is what its backbone sees."""

from __future__ import annotations

from manifests.errors import UserError
from train.models.config import ViCLIPConfig
from train.recipes.records import Views


def check_look(look: Views, config: ViCLIPConfig) -> None:
    """UserError when the backbone was made for pictures of another size."""
    wanted = config.vision.resolution
    if look.size != wanted:
        raise UserError(
            f"the backbone sees {wanted} x {wanted} pixels, not {look.size}: say --size {wanted} "
            f"--short-side {wanted * 8 // 7}"
        )
