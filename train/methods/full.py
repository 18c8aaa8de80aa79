"""Full tuning: the backbone itself is trained."""

from __future__ import annotations

from train.methods.method import Method
from train.methods.options import FullOptions
from train.models.backbone import Backbone


class Full(Method):
    """Every weight trains, but for the token table and the temperature unless asked.

    Without those two ViCLIP-B has 124,306,944 trained parameters, the paper's 124.3 M.
    """

    def __init__(self, backbone: Backbone, options: FullOptions) -> None:
        super().__init__(backbone)
        backbone.requires_grad_(True)
        backbone.text_encoder.token_embedding.requires_grad_(options.token_table)
        backbone.temperature.requires_grad_(options.temperature)

    @property
    def frozen_text_blocks(self) -> None:
        """The tower trains from its input on."""
        return
