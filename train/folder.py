"""The folder of a run: its name, whose it is, and whether a state in it may be gone on from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from manifests.errors import UserError
from train.checkpoint import Progress
from train.recipes.records import Recipe, differences
from train.recipes.words import Where
from train.results import Result, load_result

# What a state belongs to, as a message names it.
_IDENTITIES = {
    "dataset": "another shard set",
    "subset": "another training subset",
    "plan": "another plan version",
    "loader": "another order, frames or augmentation",
    "backbone": "other backbone weights",
    "spatial": "other spatial descriptions",
    "temporal": "other temporal descriptions",
}


def default_out(recipe: Recipe[Any, Any], variant: str = "") -> Path:
    """Folder of a run that names none: the words that tell runs apart."""
    shots = getattr(recipe.protocol, "shots", None)
    parts = [recipe.task, recipe.dataset, recipe.method]
    # The rows of one table differ in these: each has a folder of its own.
    backbone, held = Path(recipe.backbone).stem, recipe.loss.consistency
    parts += [backbone] if backbone not in ("b16", "nano") else []
    parts += [f"{shots}shot"] if shots else []
    parts += [variant] if variant else []
    usual = "both" if recipe.method == "msta" else "none"
    parts += [f"consistency-{held}"] if held != usual and not variant else []
    return Path("runs") / "-".join([*parts, f"seed{recipe.seed}"])


def check_out(out: Path, recipe: Recipe[Any, Any], where: Where) -> Result | None:
    """Refuse a folder that holds another run; the result, when this very run is finished."""
    written = out / "recipe.json"
    if where.resume and where.overwrite:
        raise UserError("--resume and --overwrite together: choose one")
    if not written.is_file() or where.overwrite:
        return None
    if not where.resume:
        raise UserError(
            f"{out} holds a run already: go on with --resume, start anew with --overwrite, or "
            "name another folder with --out"
        )
    odd = differences(recipe.as_json(), json.loads(written.read_text()))
    if odd:
        raise UserError(
            f"the run in {out} has another recipe ({'; '.join(odd[:3])}): say the same words, or "
            "name another folder with --out"
        )
    result = out / "result.json"
    return load_result(result) if result.is_file() else None


def clear(out: Path) -> None:
    """Remove what an earlier run left there; files of others stay."""
    shutil.rmtree(out / "state", ignore_errors=True)
    for old in (
        out / "result.json",
        out / "log.jsonl",
        *out.glob("adapter-*.safetensors"),
        *out.glob("confusion-*.svg"),
    ):
        old.unlink(missing_ok=True)


def check_same(saved: Progress, fresh: Progress, out: Path) -> None:
    """Refuse to go on over other clips, in another order, or with other weights or sentences."""
    for name, words in _IDENTITIES.items():
        theirs, mine = (
            str({**vars(state), **state.descriptions}.get(name, "")) for state in (saved, fresh)
        )
        if theirs != mine:
            raise UserError(
                f"the state in {out} was saved with {words} ({theirs[:12]}, now "
                f"{mine[:12]}): bring that back, or start anew with --overwrite"
            )
