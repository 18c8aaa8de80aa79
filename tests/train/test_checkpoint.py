"""Adapter files and states: the same bits again, whole or not at all, only where they belong."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import nn

from manifests.errors import UserError
from tests.train.toy_set import same
from train import checkpoint
from train.checkpoint import (
    AdapterInfo,
    Progress,
    check_adapter,
    digest,
    latest_progress,
    load_adapter,
    load_state,
    register,
    save_adapter,
    save_state,
    state_folders,
    trainable,
)
from train.recipes.published import RECIPES, Choice

pytestmark = pytest.mark.usefixtures("one_process")

INFO = AdapterInfo(
    method="msta",
    recipe=RECIPES["few-shot"](Choice("ucf101")).as_json(),
    benchmark="ucf101",
    classes="c" * 64,
    dataset="d" * 64,
    subset="e" * 64,
    backbone="b" * 64,
    epoch=7,
    selection="best-on-test",
    versions={"torch": "2", "python": "3"},
)
TENSORS = {
    "a.weight": torch.tensor([[1.0, -0.0], [float("nan"), float("inf")]]),
    "a.bias": torch.tensor(3.25),
    "b.half": torch.arange(6, dtype=torch.bfloat16).reshape(3, 2).T,  # not contiguous
    "b.none": torch.zeros(0, 4),
}
PROGRESS = Progress(1, 2, 12, {"seed": 1}, "subset", "dataset", 1, "loader", 3.5, [{"top1": 5.0}])


def bits(tensors: dict[str, torch.Tensor]) -> dict[str, tuple[torch.dtype, torch.Size, bytes]]:
    return {
        name: (t.dtype, t.shape, t.contiguous().flatten().view(torch.uint8).numpy().tobytes())
        for name, t in tensors.items()
    }


# adapters


def test_an_adapter_is_read_back_to_the_bit(tmp_path):
    path = tmp_path / "new" / "adapter-last.safetensors"
    save_adapter(path, TENSORS, INFO)
    tensors, info = load_adapter(path)
    assert bits(tensors) == bits(TENSORS)
    assert info == INFO
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    save_adapter(path, {"other": torch.ones(1)}, replace(INFO, epoch=8))
    tensors, info = load_adapter(path)
    assert list(tensors) == ["other"] and info.epoch == 8


def test_a_file_cut_anywhere_is_no_adapter(tmp_path):
    path = tmp_path / "whole"
    save_adapter(path, TENSORS, INFO)
    data = path.read_bytes()
    cut = tmp_path / "cut"
    for length in [*range(0, 64, 7), *range(64, len(data), 97), len(data) - 1]:
        cut.write_bytes(data[:length])
        with pytest.raises(UserError, match="name a file that train/run") as told:
            load_adapter(cut)
        assert "\n" not in str(told.value)


def test_what_is_no_adapter_is_told(tmp_path):
    files = {
        name: tmp_path / name for name in ("absent", "folder", "page", "plain", "newer", "odd")
    }
    files["folder"].mkdir()
    files["page"].write_text("<html>" * 100)
    save_file({"x": torch.ones(2)}, str(files["plain"]))
    save_file({"x": torch.ones(2)}, str(files["newer"]), {"format": "2"})
    save_file({"x": torch.ones(2)}, str(files["odd"]), {"format": "1", "method": "msta"})
    for path in files.values():
        with pytest.raises(UserError, match="name a file that train/run") as told:
            load_adapter(path)
        assert str(path) in str(told.value)
    with pytest.raises(UserError, match="no such file"):
        load_adapter(files["absent"])


def test_an_adapter_fits_what_it_was_trained_with():
    where = Path("a.safetensors")
    check_adapter(where, INFO, replace(INFO, epoch=0, selection="last", subset="", versions={}))
    # Other clips, another benchmark: what zero-shot tests are made of.
    check_adapter(where, INFO, replace(INFO, benchmark="hmdb51", classes="f" * 64, dataset=""))


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"method": "full"}, "holds msta, not full: say --method msta"),
        ({"backbone": "f" * 64}, "other backbone weights \\(b16\\): name those with --backbone"),
        ({"classes": "f" * 64}, "another class list of ucf101"),
    ],
)
def test_an_adapter_is_refused_elsewhere(other, told):
    with pytest.raises(UserError, match=told):
        check_adapter(Path("a"), INFO, replace(INFO, **other))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"mid": 64}, "trained with mid 128: say the same"),
        ({"blocks": [1, 12], "scale": 1.0}, r"trained with blocks \[8, 12\], scale 0.005"),
    ],
)
def test_an_adapter_is_refused_with_other_options(changes, told):
    options = INFO.recipe["options"] | changes
    with pytest.raises(UserError, match=told):
        check_adapter(Path("a"), INFO, replace(INFO, recipe=INFO.recipe | {"options": options}))


@given(st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=4, unique=True))
def test_a_digest_is_of_names_and_contents_whatever_their_order(names):
    tensors = {name: torch.full((2, 3), float(i)) for i, name in enumerate(names)}
    found = digest(tensors)
    assert digest(dict(reversed(tensors.items()))) == found
    assert digest({name: t.T.contiguous().T for name, t in tensors.items()}) == found
    first = names[0]
    for other in (
        {f"{first}_": tensors[first]},
        {first: tensors[first].reshape(3, 2)},
        {first: tensors[first].to(torch.int32)},
        {first: tensors[first] + 1e-6},
    ):
        rest = {name: tensor for name, tensor in tensors.items() if name != first}
        assert digest(rest | other) != found


# states


class Half(nn.Module):
    """One layer trains, one is frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.Linear(3, 3).requires_grad_(False)
        self.trained = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.trained(self.frozen(x))
        return found


class Run:
    """A small training run that Accelerate prepared."""

    def __init__(self) -> None:
        torch.manual_seed(3)
        self.accelerator = Accelerator(cpu=True)
        model = Half()
        optimizer = torch.optim.AdamW(trainable(model).values(), lr=0.1)
        register(self.accelerator)
        self.model, self.optimizer = self.accelerator.prepare(model, optimizer)

    def update(self, count: int) -> None:
        for _ in range(count):
            # Its noise is part of the state: the generators come back too.
            self.model(torch.randn(4, 3)).square().sum().backward()
            self.optimizer.step()
            self.optimizer.zero_grad()

    def save(self, out: Path, update: int) -> Path:
        return save_state(self.accelerator, out, replace(PROGRESS, update=update))

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        return {name: tensor.detach().clone() for name, tensor in self.model.named_parameters()}


def test_a_run_goes_on_from_its_state_to_the_same_bits(tmp_path):
    run = Run()
    run.update(3)
    folder = run.save(tmp_path, 3)
    run.update(4)
    whole = run.weights
    other = Run()
    other.update(1)
    load_state(other.accelerator, folder)
    other.update(4)
    assert same(other.weights, whole)


def test_what_is_frozen_is_not_saved(tmp_path):
    folder = Run().save(tmp_path, 3)
    names = {path.name for path in folder.iterdir()}
    assert {"progress.json", "trainable.safetensors", "optimizer.bin"} <= names
    assert not any(name.startswith(("model", "pytorch_model")) for name in names)
    saved = load_file(folder / "trainable.safetensors")
    assert saved.keys() == {"trained.weight", "trained.bias"}


def test_the_newest_state_alone_is_kept(tmp_path):
    run = Run()
    assert latest_progress(tmp_path) is None
    for update in (9, 10, 100):
        folder = run.save(tmp_path, update)
        assert folder.name == f"step-{update:08d}"
        assert state_folders(tmp_path) == [folder]
        assert latest_progress(tmp_path) == (folder, replace(PROGRESS, update=update))


def test_half_written_states_are_never_taken_and_are_cleared(tmp_path):
    run = Run()
    good = run.save(tmp_path, 5)
    partial = good.with_name("step-00000009.tmp")
    partial.mkdir()
    (partial / "progress.json").write_text(json.dumps(asdict(replace(PROGRESS, update=9))))
    empty = good.with_name("step-00000008")
    empty.mkdir()
    assert state_folders(tmp_path) == [good]
    assert latest_progress(tmp_path) == (good, replace(PROGRESS, update=5))
    newest = run.save(tmp_path, 9)
    assert [path.name for path in newest.parent.iterdir()] == [newest.name]


class Killed(BaseException):
    """In place of the signal that no code can see."""


def _killed(*_: object, **__: object) -> None:
    raise Killed


@pytest.mark.parametrize("moment", ["writing", "progress", "flushing", "renaming", "clearing"])
def test_a_run_killed_while_it_saves_goes_on_from_a_whole_state(tmp_path, monkeypatch, moment):
    run = Run()
    run.update(2)
    run.save(tmp_path, 2)
    before = run.weights
    run.update(1)
    with monkeypatch.context() as patch:
        if moment == "writing":
            patch.setattr(run.accelerator, "save_state", _killed)
        elif moment == "progress":
            patch.setattr(checkpoint, "asdict", _killed)
        elif moment == "flushing":
            patch.setattr(checkpoint.os, "fsync", _killed)
        elif moment == "renaming":
            patch.setattr(Path, "rename", _killed)
        else:  # after the rename; a new run has nothing to clear before
            patch.setattr(Path, "glob", _killed)
        with pytest.raises(Killed):
            run.save(tmp_path, 3)
    found = latest_progress(tmp_path)
    assert found is not None
    assert found[1].update == (3 if moment == "clearing" else 2)
    other = Run()
    load_state(other.accelerator, found[0])
    assert same(other.weights, run.weights if moment == "clearing" else before)
    other.save(tmp_path, 4)
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["step-00000004"]


def test_a_state_of_other_trained_tensors_is_refused(tmp_path):
    folder = Run().save(tmp_path, 1)
    other = Run()
    other.model.frozen.bias.requires_grad_(True)
    with pytest.raises(UserError, match=r"other trained tensors \(frozen.bias, …\)"):
        load_state(other.accelerator, folder)


@pytest.mark.parametrize("text", ["", "{", "{}", '{"epoch": 1}', "[1]"])
def test_a_damaged_progress_is_told(tmp_path, text):
    folder = Run().save(tmp_path, 1)
    (folder / "progress.json").write_text(text)
    with pytest.raises(UserError, match="start anew with --overwrite"):
        latest_progress(tmp_path)
