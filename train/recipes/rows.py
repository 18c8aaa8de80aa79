"""The rows of the paper's Tables 2 to 5 that are run here, one function each.

A row is a method on a backbone, with or without the consistency loss; the task says the table and
the dataset the column. Each launch line is one column; the other columns change `--dataset`, in
Table 3 also `--shots`. Lines of the ablations (Tables 6 and 7) are in `ablations.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from train.recipes.published import RECIPES, Choice
from train.recipes.records import Reading, Recipe, Task

AnyRecipe = Recipe[Any, Any]
Row = Callable[[Task, str, Reading], AnyRecipe]
# Vanilla CLIP of the paper; the papers its figures come from have ViT-B/16 throughout.
CLIP: Final = "clip-b16"
CLIP_FRAMES: Final = 32  # of Vanilla CLIP in Table 4, where every row of ViCLIP has 8


def vanilla_clip(task: Task, dataset: str, reading: Reading = "paper") -> AnyRecipe:
    """CLIP as it is, frame by frame: Tables 2, 3 and 4, the last with 32 frames.

    accelerate launch train/run.py base-novel --dataset hmdb51 --method zero-shot \
        --backbone clip-b16
    accelerate launch train/run.py few-shot --dataset hmdb51 --method zero-shot --backbone clip-b16
    accelerate launch train/run.py zero-shot --dataset k400 --method zero-shot \
        --backbone clip-b16 --frames 32
    """
    return _on_clip(RECIPES[task](Choice(dataset, "zero-shot", reading)))


def vanilla_clip_tuned(task: Task, dataset: str, reading: Reading = "paper") -> AnyRecipe:
    """All of CLIP trained: Tables 2 and 3.

    accelerate launch train/run.py base-novel --dataset hmdb51 --method full --backbone clip-b16
    accelerate launch train/run.py few-shot --dataset hmdb51 --method full --backbone clip-b16
    """
    return _on_clip(RECIPES[task](Choice(dataset, "full", reading)))


def viclip(task: Task, dataset: str, reading: Reading = "paper") -> AnyRecipe:
    """All of ViCLIP trained: Tables 2 to 5.

    accelerate launch train/run.py base-novel --dataset hmdb51 --method full
    accelerate launch train/run.py few-shot --dataset hmdb51 --method full
    accelerate launch train/run.py zero-shot --dataset k400 --method full
    accelerate launch train/run.py full-supervised --dataset k400 --method full
    """
    return RECIPES[task](Choice(dataset, "full", reading))


def zero_viclip(task: Task, dataset: str, reading: Reading = "paper") -> AnyRecipe:
    """ViCLIP as it is: Tables 2, 3 and 4.

    accelerate launch train/run.py base-novel --dataset hmdb51 --method zero-shot
    accelerate launch train/run.py few-shot --dataset hmdb51 --method zero-shot
    accelerate launch train/run.py zero-shot --dataset k400 --method zero-shot
    """
    return RECIPES[task](Choice(dataset, "zero-shot", reading))


def adaptformer(task: Task, dataset: str, reading: Reading = "paper") -> AnyRecipe:
    """AdaptFormer on ViCLIP, 7.9 M: Tables 2 to 5.

    accelerate launch train/run.py base-novel --dataset hmdb51 --method adaptformer
    accelerate launch train/run.py few-shot --dataset hmdb51 --method adaptformer
    accelerate launch train/run.py zero-shot --dataset k400 --method adaptformer
    accelerate launch train/run.py full-supervised --dataset k400 --method adaptformer
    """
    return RECIPES[task](Choice(dataset, "adaptformer", reading))


def lora(task: Task, dataset: str, reading: Reading = "paper") -> AnyRecipe:
    """LoRA on ViCLIP, 9.4 M by a rank and places that are ours: Tables 2 to 5.

    accelerate launch train/run.py base-novel --dataset hmdb51 --method lora
    accelerate launch train/run.py few-shot --dataset hmdb51 --method lora
    accelerate launch train/run.py zero-shot --dataset k400 --method lora
    accelerate launch train/run.py full-supervised --dataset k400 --method lora
    """
    return RECIPES[task](Choice(dataset, "lora", reading))


def msta(task: Task, dataset: str, reading: Reading = "paper") -> AnyRecipe:
    """MSTA without the consistency loss: Tables 2 to 5.

    accelerate launch train/run.py base-novel --dataset hmdb51 --consistency none
    accelerate launch train/run.py few-shot --dataset hmdb51 --consistency none
    accelerate launch train/run.py zero-shot --dataset k400 --consistency none
    accelerate launch train/run.py full-supervised --dataset k400 --consistency none
    """
    recipe = RECIPES[task](Choice(dataset, "msta", reading))
    return replace(recipe, loss=replace(recipe.loss, consistency="none"))


def msta_consistent(task: Task, dataset: str, reading: Reading = "paper") -> AnyRecipe:
    """MSTA with the consistency loss: Tables 2 to 5.

    accelerate launch train/run.py base-novel --dataset hmdb51
    accelerate launch train/run.py few-shot --dataset hmdb51
    accelerate launch train/run.py zero-shot --dataset k400
    accelerate launch train/run.py full-supervised --dataset k400
    """
    return RECIPES[task](Choice(dataset, "msta", reading))


def _on_clip(recipe: AnyRecipe) -> AnyRecipe:
    look = recipe.look
    if recipe.task == "zero-shot":
        look = replace(look, frames=CLIP_FRAMES)
    return replace(recipe, backbone=CLIP, look=look)


# Names as printed, in the order of the tables.
ROWS: Final[Mapping[str, Row]] = {
    "Vanilla CLIP (zero-shot)": vanilla_clip,
    "Vanilla CLIP (tuned)": vanilla_clip_tuned,
    "ViCLIP": viclip,
    "Zero-ViCLIP": zero_viclip,
    "+ AdaptFormer": adaptformer,
    "+ LoRA": lora,
    "+ MSTA": msta,
    "+ MSTA + L_cc": msta_consistent,
}
