"""Methods of adapting a backbone, by name.

Their names and options are here without torch, which takes two seconds: wrong words should not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from manifests.errors import UserError
from manifests.near import did_you_mean
from train.methods.options import (
    AdaptFormerOptions,
    FullOptions,
    LoRAOptions,
    MSTAOptions,
    Options,
    ZeroShotOptions,
)

if TYPE_CHECKING:
    from train.methods.method import Method
    from train.models.backbone import Backbone

__all__ = [
    "METHODS",
    "AdaptFormerOptions",
    "FullOptions",
    "LoRAOptions",
    "MSTAOptions",
    "Options",
    "ZeroShotOptions",
    "build_method",
    "default_options",
]

_DEFAULTS: Final[Mapping[str, Options]] = {
    "msta": MSTAOptions(),
    "adaptformer": AdaptFormerOptions(),
    "lora": LoRAOptions(),
    "full": FullOptions(),
    "zero-shot": ZeroShotOptions(),
}
METHODS: Final = tuple(_DEFAULTS)


def default_options(method: str, **changes: Any) -> Options:
    """Options of a method with some of them changed; UserError when there is no such method."""
    if method not in _DEFAULTS:
        hint = did_you_mean(method, METHODS)
        raise UserError(f"there is no method {method!r}: use one of {', '.join(METHODS)}{hint}")
    return replace(_DEFAULTS[method], **changes)


def build_method(method: str, backbone: Backbone, options: Options, seed: int) -> Method:
    """The method on a backbone, which it takes over: what trains has `requires_grad` now.

    seed: decides the first values of what is added. Raises UserError when options and backbone
    do not fit.
    """
    from train.methods.adaptformer import AdaptFormer
    from train.methods.full import Full
    from train.methods.lora import LoRA
    from train.methods.method import ZeroShot
    from train.methods.msta import MSTA

    if isinstance(options, MSTAOptions):
        built: Method = MSTA(backbone, options, seed)
    elif isinstance(options, AdaptFormerOptions):
        built = AdaptFormer(backbone, options, seed)
    elif isinstance(options, LoRAOptions):
        built = LoRA(backbone, options, seed)
    elif isinstance(options, FullOptions):
        built = Full(backbone, options)
    else:
        built = ZeroShot(backbone)
    if type(options) is not type(default_options(method)):
        raise UserError(f"{type(options).__name__} are no options of {method}")
    return built
