"""Words and lines that the three parts of `prep describe` share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from tyro.conf import arg

from manifests.classes import ClassList, load_classes
from manifests.descriptions import Kind
from manifests.errors import UserError
from prep.descriptions.forms import KINDS
from prep.descriptions.keeping import Kept
from prep.descriptions.lint import Lint
from prep.folders import Place, set_folder
from shards.info import load_info

Kinds = Literal["both", "spatial", "temporal"]
Out = Annotated[
    Place,
    arg(
        metavar="DIR",
        help="the folder that holds NAME/descriptions",
        help_behavior_hint="(default: data/shards)",
    ),
]
Count = Annotated[int, arg(metavar="N", help="sentences of each kind for a class")]
Anew = Annotated[bool, arg(help="replace a file that holds other sentences")]
_MOST = 99


def classes_of(name: str, out: Place) -> ClassList:
    """Class list of a benchmark; for videos of one's own, that of their shards."""
    return load_info(set_folder(name, out)).classes() if name == "custom" else load_classes(name)


def kinds_of(said: Kinds) -> tuple[Kind, ...]:
    """The kinds a word stands for."""
    return KINDS if said == "both" else (said,)


def check_n(n: int) -> int:
    """Return N; UserError when no such number of sentences makes sense."""
    if not 1 <= n <= _MOST:
        raise UserError(f"--n {n}: between 1 and {_MOST} sentences for a class")
    return n


def code_of(lints: Iterable[Lint]) -> int:
    """Exit code: 1 when a class is without a sentence."""
    return 0 if all(item.usable for item in lints) else 1


def file_lines(files: Sequence[tuple[Kept, Lint]]) -> list[str]:
    """Lint and place of each file, for people."""
    return [line for kept, item in files for line in (*item.lines(), f"{kept.path}: {kept.state}")]


def file_dict(kept: Kept, item: Lint) -> dict[str, Any]:
    """Lint, place and origin of a file, for programs."""
    return {
        "file": str(kept.path),
        "state": kept.state,
        "source": dict(kept.descriptions.source),
        **item.as_dict(),
    }
