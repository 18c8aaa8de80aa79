"""Every published form of weights, made small here, read without running anything in it."""

from __future__ import annotations

import argparse
import json
import os
import pickle
import sys
import types
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from manifests.errors import UserError
from train.models import hub
from train.models.clip import CLIP
from train.models.config import BackboneConfig, TextConfig, VisionConfig
from train.models.convert import Convert, convert
from train.models.files import find_weights, read_weights
from train.models.forms import Tensors
from train.models.resize import temporal_embedding
from train.models.viclip import ViCLIP
from train.models.weights import TEXT_PLACES, TIME, load_backbone, load_weights

# Heads of 64 channels, as in every released model; more blocks in one tower than in the other.
VISION = VisionConfig(64, 3, 1, 8, 24, 8, joint=False)
TINY = BackboneConfig(VISION, TextConfig(64, 2, 1, 77, 700), 20)


@pytest.fixture(scope="module")
def ours() -> Tensors:
    return {key: value.clone() for key, value in CLIP(TINY, seed=4).state_dict().items()}


@pytest.fixture(scope="module")
def half(ours: Tensors) -> Tensors:
    """What is left of the numbers in a file of half precision."""
    return {key: value.half().float() for key, value in ours.items()}


def openai(tensors: Tensors) -> Tensors:
    """OpenAI's names."""
    found = {}
    for name, tensor in tensors.items():
        vision = name.replace("vision_encoder.", "visual.")
        found[vision.replace("text_encoder.", "")] = tensor
    return found


def transformers(tensors: Tensors) -> Tensors:
    """The names of the library `transformers`; queries, keys and values apart."""
    parts = {
        ".transformer.resblocks.": ".encoder.layers.",
        "vision_encoder.": "vision_model.",
        "text_encoder.": "text_model.",
        "attn.out_proj": "self_attn.out_proj",
        "ln_1.": "layer_norm1.",
        "ln_2.": "layer_norm2.",
        "c_fc": "fc1",
        "c_proj": "fc2",
        "ln_pre": "pre_layrnorm",
        "ln_post": "post_layernorm",
        "ln_final": "final_layer_norm",
        "model.conv1.": "model.embeddings.patch_embedding.",
        "model.class_embedding": "model.embeddings.class_embedding",
        "model.token_embedding": "model.embeddings.token_embedding",
        "model.positional_embedding": "model.embeddings.position_embedding.weight",
    }
    found: Tensors = {"text_model.embeddings.position_ids": torch.arange(77)[None]}
    for name, tensor in tensors.items():
        plain = name
        for mine, theirs in parts.items():
            plain = plain.replace(mine, theirs)
        if name == "vision_encoder.proj":
            found["visual_projection.weight"] = tensor.T.contiguous()
        elif name == "text_encoder.text_projection":
            found["text_projection.weight"] = tensor.T.contiguous()
        elif ".in_proj_" in plain:
            before, kind = plain.split("attn.in_proj_")
            for letter, part in zip("qkv", tensor.chunk(3), strict=True):
                found[f"{before}self_attn.{letter}_proj.{kind}"] = part.contiguous()
        else:
            found[plain] = tensor
    return found


def module_of(tensors: Tensors) -> nn.Module:
    """A tree of modules that holds the tensors as CLIP's does; its forward is never called."""

    class Node(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    root = Node()
    for name, tensor in tensors.items():
        *path, leaf = name.split(".")
        node: nn.Module = root
        for part in path:
            if part not in node._modules:
                node.add_module(part, Node())
            node = node._modules[part]  # type: ignore[assignment]
        node.register_parameter(leaf, nn.Parameter(tensor, requires_grad=False))
    return root


def torchscript(tensors: Tensors, path: Path) -> None:
    """As OpenAI publishes: traced, in half precision, sizes among the tensors."""
    module = module_of({name: tensor.half() for name, tensor in openai(tensors).items()})
    for name, value in (("input_resolution", 24), ("context_length", 77), ("vocab_size", 700)):
        module.register_buffer(name, torch.tensor(value))
    torch.jit.save(torch.jit.trace(module, torch.zeros(1)), path)


def same(found: Tensors, wanted: Tensors) -> bool:
    return found.keys() == wanted.keys() and all(
        torch.equal(found[name], wanted[name]) for name in wanted
    )


FORMS: dict[str, Callable[[Tensors, Path], None]] = {
    "openai state dict .pt": lambda t, p: torch.save(openai(t), p / "w.pt"),
    "openai, half": lambda t, p: torch.save(
        {k: v.half() for k, v in openai(t).items()}, p / "w.pt"
    ),
    "openai archive .pt": lambda t, p: torchscript(t, p / "w.pt"),
    "wrapped by ranks": lambda t, p: torch.save(
        {"state_dict": {f"module.{k}": v for k, v in openai(t).items()}, "epoch": 3}, p / "w.pth"
    ),
    "transformers .safetensors": lambda t, p: save_file(transformers(t), p / "model.safetensors"),
    "transformers .bin": lambda t, p: torch.save(transformers(t), p / "pytorch_model.bin"),
    "ours": lambda t, p: save_file(t, p / "model.safetensors"),
}


@pytest.mark.parametrize("form", FORMS)
def test_clip_in_every_published_form(
    form: str, ours: Tensors, half: Tensors, tmp_path: Path
) -> None:
    FORMS[form](ours, tmp_path)
    model, tokenizer, digest = load_backbone(str(tmp_path), frames=4)
    assert isinstance(model, CLIP) and model.config.vision.frames == 4
    rounded = "half" in form or "archive" in form
    assert same(dict(model.state_dict()), half if rounded else ours)
    assert (tokenizer.vocabulary, tokenizer.context) == (700, 77)
    assert model.encode_video(torch.zeros(1, 4, 3, 24, 24)).shape == (1, TINY.embed)
    assert digest == load_backbone(str(tmp_path), frames=8)[2], "frames are no part of the weights"


def test_weights_in_several_parts(ours: Tensors, tmp_path: Path) -> None:
    names = sorted(transformers(ours))
    places = {name: f"model-{1 + i % 2:05d}-of-00002.safetensors" for i, name in enumerate(names)}
    for part in set(places.values()):
        chosen = {k: v for k, v in transformers(ours).items() if places[k] == part}
        save_file(chosen, tmp_path / part)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    assert same(dict(load_backbone(str(tmp_path), 8)[0].state_dict()), ours)
    index.write_text(json.dumps({"weight_map": {"a": "../../other.safetensors"}}))
    with pytest.raises(UserError, match=r"no readable file of weights .*\.\./\.\./other"):
        load_backbone(str(tmp_path), 8)


@pytest.fixture
def easydict() -> Iterator[type]:
    """The class of settings that ViCLIP's trainer saves; gone again when the file is read."""
    module = types.ModuleType("utils.easydict")

    class EasyDict(dict):  # type: ignore[type-arg]
        pass

    EasyDict.__module__, EasyDict.__qualname__ = "utils.easydict", "EasyDict"
    module.EasyDict = EasyDict  # type: ignore[attr-defined]
    sys.modules["utils"], sys.modules["utils.easydict"] = types.ModuleType("utils"), module
    yield EasyDict
    for name in ("utils", "utils.easydict"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def viclip() -> Tensors:
    sizes = BackboneConfig(VisionConfig(64, 3, 1, 8, 24, 8), TextConfig(64, 2, 1, 32, 700), 20)
    return {key: value.clone() for key, value in ViCLIP(sizes, seed=4).state_dict().items()}


@pytest.mark.parametrize("nest", ["model", "module"])
def test_a_checkpoint_with_its_trainer_s_settings(
    nest: str, viclip: Tensors, easydict: type, tmp_path: Path
) -> None:
    settings = easydict(model=easydict(vit="b16", layers=(1, 2)), seed=4, path=None)
    settings.extra = [1.5, "two"]
    whole = {
        nest: viclip,
        "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 1e-5}]},
        "config": settings,
        "args": argparse.Namespace(lr=1e-4),
        "epoch": 4,
    }
    torch.save(whole, tmp_path / "ViCLIP.pth")
    for name in ("utils", "utils.easydict"):
        sys.modules.pop(name)
    model, _, _ = load_backbone(str(tmp_path / "ViCLIP.pth"), 8)
    assert same(dict(model.state_dict()), viclip)
    assert "utils" not in sys.modules, "the class was looked for"


class Runs:
    """Runs a command when it is unpickled in the ordinary way."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def test_nothing_in_a_file_is_run(viclip: Tensors, ours: Tensors, tmp_path: Path) -> None:
    mark = tmp_path / "was_run"
    torch.save({"model": viclip, "config": Runs(mark)}, tmp_path / "one.pth")
    torch.save({"model": viclip, "config": Runs(mark)}, tmp_path / "old.pth",
               _use_new_zipfile_serialization=False)  # fmt: skip
    torchscript(ours, tmp_path / "whole.pt")
    with zipfile.ZipFile(tmp_path / "whole.pt") as source:
        names = source.namelist()
        root = names[0].split("/")[0]
        with zipfile.ZipFile(tmp_path / "two.pt", "w") as changed:
            for name in names:
                evil = name == f"{root}/data.pkl"
                changed.writestr(name, pickle.dumps(Runs(mark), 2) if evil else source.read(name))
    for name in ("one.pth", "old.pth", "two.pt"):
        with pytest.raises(UserError, match="holds more than tensors") as caught:
            load_backbone(str(tmp_path / name), 8)
        assert "\n" not in str(caught.value)
        assert name == "old.pth" or "mkdir" in str(caught.value)
    assert not mark.exists()
    # The file of the check itself would have run.
    with zipfile.ZipFile(tmp_path / "two.pt") as archive:
        pickle.loads(archive.read(f"{root}/data.pkl"))
    assert mark.exists()


def test_a_tensor_that_reaches_beyond_its_numbers(ours: Tensors, tmp_path: Path) -> None:
    torchscript(ours, tmp_path / "whole.pt")
    with (
        zipfile.ZipFile(tmp_path / "whole.pt") as source,
        zipfile.ZipFile(tmp_path / "cut.pt", "w") as cut,
    ):
        for name in source.namelist():
            data = source.read(name)
            cut.writestr(name, data[: len(data) // 2] if "/data/" in name else data)
    with pytest.raises(UserError, match="no readable file of weights"):
        load_backbone(str(tmp_path / "cut.pt"), 8)


def test_faults_are_named_in_our_names_and_counted(ours: Tensors, tmp_path: Path) -> None:
    faulty = transformers(ours)
    del faulty["vision_model.encoder.layers.1.self_attn.k_proj.weight"]
    del faulty["text_model.final_layer_norm.bias"]
    faulty["visual_projection.weight"] = torch.zeros(20, 64, 1)[..., 0][:, :60].contiguous()
    for number in range(9):
        faulty[f"vision_model.head.{number}"] = torch.zeros(1)
    save_file(faulty, tmp_path / "model.safetensors")
    with pytest.raises(UserError) as caught:
        load_backbone(str(tmp_path), 8)
    told = str(caught.value)
    assert "\n" not in told and "is no CLIP of these sizes" in told
    assert "text_encoder.ln_final.bias" in told
    assert "vision_encoder.transformer.resblocks.1.attn.in_proj_weight" in told
    assert "vision_encoder.proj (60, 20) instead of (64, 20)" in told
    assert "unexpected vision_model.encoder.layers.1.self_attn.q_proj.weight" in told
    assert "and 5 more" in told


def test_the_wrong_kind_in_a_size_s_folder(ours: Tensors, viclip: Tensors, tmp_path: Path) -> None:
    for size, tensors, words in (
        ("b16", ours, r"b16 is a ViCLIP, .* holds a CLIP: .*prep weights convert .* b16 --inflate"),
        ("clip-b16", viclip, "clip-b16 is a CLIP, .* holds a ViCLIP"),
    ):
        (tmp_path / size).mkdir()
        save_file(tensors, tmp_path / size / "model.safetensors")
        with pytest.raises(UserError, match=words):
            load_backbone(size, 8, tmp_path)


def test_converted_once_it_is_the_same(ours: Tensors, half: Tensors, tmp_path: Path) -> None:
    torchscript(ours, tmp_path / "w.pt")
    source, target = str(tmp_path / "w.pt"), str(tmp_path / "made")
    found = convert(Convert(source, str(tmp_path), target))
    assert (found.form, found.kind, found.frames, found.context) == ("openai", "CLIP", None, 77)
    assert found.tensors == len(ours) and found.resolution == 24
    model, _, digest = load_backbone(target, 8)
    assert same(dict(model.state_dict()), half) and digest == found.digest
    assert digest == load_backbone(source, 8)[2]
    shown = convert(Convert(source, str(tmp_path)))
    assert shown.written is None and shown.digest == digest
    with pytest.raises(UserError, match="exists: say --overwrite"):
        convert(Convert(source, str(tmp_path), target))
    with pytest.raises(UserError, match="is a file's name"):
        convert(Convert(source, str(tmp_path), target + ".safetensors"))
    with pytest.raises(
        UserError, match=r"does not hold a clip-b16 \(vision width 64 instead of 768"
    ):
        convert(Convert(source, str(tmp_path), "clip-b16"))
    with pytest.raises(UserError, match="holds a CLIP, and b16 is a ViCLIP, say --inflate"):
        convert(Convert(source, str(tmp_path), "b16"))
    assert not (tmp_path / "clip-b16").exists() and not (tmp_path / "b16").exists()


def test_a_viclip_of_a_clip(ours: Tensors, tmp_path: Path) -> None:
    """It sees a clip of one frame as CLIP sees the picture."""
    save_file(ours, tmp_path / "clip.safetensors")
    words = Convert(str(tmp_path / "clip.safetensors"), "", str(tmp_path / "made"), inflate=True)
    found = convert(words)
    assert (found.kind, found.frames, found.context) == ("ViCLIP", 8, 32)
    model, _, _ = load_backbone(str(tmp_path / "made"), 8)
    assert isinstance(model, ViCLIP)
    state = model.state_dict()
    assert not state[TIME].any() and state[TIME].shape == (1, 8, 64)
    assert torch.equal(state[TEXT_PLACES], ours[TEXT_PLACES][:32])
    assert torch.equal(
        state["vision_encoder.conv1.weight"][:, :, 0], ours["vision_encoder.conv1.weight"]
    )
    assert model.tau.item() == pytest.approx(float(torch.exp(-ours["logit_scale"])))
    clip, _, _ = load_backbone(str(tmp_path / "clip.safetensors"), 1)
    picture = torch.randn(2, 1, 3, 24, 24)
    with torch.no_grad():
        torch.testing.assert_close(model.encode_video(picture), clip.encode_video(picture))
    with pytest.raises(UserError, match="holds a ViCLIP already"):
        convert(Convert(str(tmp_path / "made"), "", str(tmp_path / "again"), inflate=True))


@pytest.mark.parametrize(("frames", "rule"), [(4, "official"), (4, "linear"), (16, "official")])
def test_frames_and_context_are_changed_on_demand(
    frames: int, rule: Any, viclip: Tensors, tmp_path: Path
) -> None:
    save_file(viclip, tmp_path / "model.safetensors")
    source, target = str(tmp_path), str(tmp_path / "made")
    convert(Convert(source, "", target, frames=frames, time=rule, context=77))
    state = load_weights(target).tensors
    assert torch.equal(state[TIME], temporal_embedding(viclip[TIME], frames, rule))
    assert torch.equal(state[TEXT_PLACES][:32], viclip[TEXT_PLACES])
    assert len(state[TEXT_PLACES]) == 77 and not state[TEXT_PLACES][32:].any()
    assert load_backbone(target, frames)[0].config.vision.frames == frames


def test_a_hub_id_is_looked_up_in_the_cache(
    ours: Tensors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked: list[tuple[Any, ...]] = []

    def snapshot(repo: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        asked.append((repo, revision, allow_patterns[0]))
        folder = tmp_path / "cache"
        folder.mkdir(exist_ok=True)
        if "*.pth" in allow_patterns:
            torch.save(ours, folder / "weights.pth")
        return str(folder)

    monkeypatch.setattr(hub, "snapshot_download", snapshot)
    path = find_weights("somebody/vi.clip-b16@8484a9c")
    assert path.name == "weights.pth" and same(read_weights(path)[0], ours)
    assert asked == [
        ("somebody/vi.clip-b16", "8484a9c", "*.safetensors"),
        ("somebody/vi.clip-b16", "8484a9c", "*.pth"),
    ]
    (tmp_path / "somebody/vi.clip-b16").mkdir(parents=True)
    with pytest.raises(UserError, match=r"no backbone weights in somebody/vi\.clip-b16"):
        find_weights("somebody/vi.clip-b16")  # a folder that is here comes first


def test_offline_the_cache_is_all_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants as constants

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match="no file or folder here, and the Hub does not") as caught:
        find_weights("somebody/never-fetched")
    assert "\n" not in str(caught.value)
