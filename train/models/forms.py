"""The names that published weights come under, turned into ours.

=========  ==================================  ================================================
form       known by                            published as
=========  ==================================  ================================================
viclip     vision_encoder.conv1.weight, 5-D    ViCLIP's .pth and Hub folder; what we write
clip       vision_encoder.conv1.weight, 4-D    what we write of a CLIP
openai     visual.conv1.weight                 OpenAI's archive or its state dict
hf         vision_model.embeddings…            safetensors of `transformers`
=========  ==================================  ================================================

Ours are the official names of ViCLIP; a CLIP has `logit_scale` where ViCLIP has `temp`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal

import torch

Tensors = dict[str, torch.Tensor]
Form = Literal["viclip", "clip", "openai", "hf"]
_OURS = "vision_encoder.conv1.weight"
_OPENAI = "visual.conv1.weight"
_HF = "vision_model.embeddings.patch_embedding.weight"
# Sizes that OpenAI's archive keeps as tensors; they are told by the others.
_NO_WEIGHTS: Final = frozenset({"input_resolution", "context_length", "vocab_size"})


def form_of(tensors: Mapping[str, torch.Tensor]) -> tuple[Form, str] | None:
    """The form, and what stands before every name ("" or "module." …); None for none of them."""
    for anchor in (_OURS, _OPENAI, _HF):
        for name, tensor in tensors.items():
            before = name.removesuffix(anchor)
            if name.endswith(anchor) and (not before or before.endswith(".")):
                return _form(anchor, tensor), before
    return None


def _form(anchor: str, weight: torch.Tensor) -> Form:
    if anchor == _OURS:
        return "viclip" if weight.ndim == 5 else "clip"
    return "openai" if anchor == _OPENAI else "hf"


def renamed(tensors: Mapping[str, torch.Tensor], form: Form, before: str) -> Tensors:
    """The tensors under our names; names that belong to none of ours stay as they are."""
    plain = {name.removeprefix(before): tensor for name, tensor in tensors.items()}
    if form == "openai":
        return {
            _from_openai(name): value for name, value in plain.items() if name not in _NO_WEIGHTS
        }
    return _from_hf(plain) if form == "hf" else plain


def _from_openai(name: str) -> str:
    if name.startswith("visual."):
        return f"vision_encoder.{name.removeprefix('visual.')}"
    return name if name == "logit_scale" else f"text_encoder.{name}"


_HF_NAMES: Final[Mapping[str, str]] = {
    "vision_model.embeddings.class_embedding": "vision_encoder.class_embedding",
    _HF: _OURS,
    "vision_model.embeddings.position_embedding.weight": "vision_encoder.positional_embedding",
    "vision_model.pre_layrnorm.weight": "vision_encoder.ln_pre.weight",  # spelt so
    "vision_model.pre_layrnorm.bias": "vision_encoder.ln_pre.bias",
    "vision_model.post_layernorm.weight": "vision_encoder.ln_post.weight",
    "vision_model.post_layernorm.bias": "vision_encoder.ln_post.bias",
    "text_model.embeddings.token_embedding.weight": "text_encoder.token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "text_encoder.positional_embedding",
    "text_model.final_layer_norm.weight": "text_encoder.ln_final.weight",
    "text_model.final_layer_norm.bias": "text_encoder.ln_final.bias",
}
_HF_TRANSPOSED: Final[Mapping[str, str]] = {
    "visual_projection.weight": "vision_encoder.proj",
    "text_projection.weight": "text_encoder.text_projection",
}
_HF_LAYER = re.compile(r"(vision|text)_model\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)")
_HF_PARTS: Final[Mapping[str, str]] = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}


def _from_hf(plain: Tensors) -> Tensors:
    found: Tensors = {}
    for name, tensor in plain.items():
        layer = _HF_LAYER.fullmatch(name)
        if name in _HF_TRANSPOSED:
            found[_HF_TRANSPOSED[name]] = tensor.T.contiguous()
        elif layer is not None and layer[3] in _HF_PARTS:
            found[f"{_block(layer)}.{_HF_PARTS[layer[3]]}.{layer[4]}"] = tensor
        elif not name.endswith(".position_ids"):  # 0, 1, 2 …
            found[_HF_NAMES.get(name, name)] = tensor
    return _fused(found)


def _fused(tensors: Tensors) -> Tensors:
    """Queries, keys and values of a layer as one projection, in that order."""
    for name in [name for name in tensors if ".self_attn.q_proj." in name]:
        parts = [name.replace("q_proj", part) for part in ("q_proj", "k_proj", "v_proj")]
        layer = _HF_LAYER.fullmatch(name)
        if layer is not None and all(part in tensors for part in parts):
            joined = torch.cat([tensors.pop(part) for part in parts])
            tensors[f"{_block(layer)}.attn.in_proj_{layer[4]}"] = joined
    return tensors


def _block(layer: re.Match[str]) -> str:
    return f"{layer[1]}_encoder.transformer.resblocks.{layer[2]}"
