"""`prep describe lint`: the sentences that are stored, looked over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from tyro.conf import arg

from manifests.classes import canonical
from manifests.errors import UserError
from prep.commands.describe_words import (
    Count,
    Kinds,
    Out,
    check_n,
    classes_of,
    code_of,
    file_dict,
    file_lines,
    kinds_of,
)
from prep.descriptions.keeping import Kept, stored
from prep.descriptions.lint import Lint, lint, named
from prep.descriptions.published import Part, part_names
from prep.folders import SHARDS, set_folder
from prep.words import Dataset


@dataclass(frozen=True)
class LintStored:
    """Look over the sentences that lie beside the shards."""

    dataset: Dataset
    n: Count = 2
    kind: Annotated[Kinds, arg(help="looks, steps, or both")] = "both"
    part: Annotated[Part, arg(help="the classes that must have sentences")] = "all"
    out: Out = SHARDS

    def run(self) -> LintReport:
        """Refused, in one line, when there is no such file."""
        name = canonical(self.dataset)
        folder = set_folder(name, self.out) / "descriptions"
        classes = classes_of(name, self.out)
        chosen = classes.names if self.part == "all" else part_names(name, self.part)
        files = []
        for kind in kinds_of(self.kind):
            found = stored(folder, kind, check_n(self.n))
            path = folder / f"{kind}-{self.n}.json"
            if found is None:
                raise UserError(
                    f"there is no {path}: make it with `prep describe --dataset {name} "
                    f"--n {self.n}`, or import a published file"
                )
            if found.benchmark != name:
                raise UserError(f"{path} was made for {found.benchmark}, not for {name}")
            unknown = [key for key in found.sentences if key not in set(classes.names)]
            if unknown:
                raise UserError(f"{path} names {named(unknown)}: no class of {name}; make it anew")
            told = lint(kind, found.n, chosen, found.sentences, classes.names)
            files.append((Kept(path, found, "already there"), told))
        return LintReport(name, tuple(files))


@dataclass(frozen=True)
class LintReport:
    """The stored files and what they are like."""

    benchmark: str
    files: tuple[tuple[Kept, Lint], ...]

    @property
    def exit_code(self) -> int:
        """1 when a class is without a sentence."""
        return code_of(item for _, item in self.files)

    def text(self) -> str:
        """File after file."""
        return "\n".join([self.benchmark, *file_lines(self.files)])

    def as_dict(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "benchmark": self.benchmark,
            "files": [file_dict(kept, item) for kept, item in self.files],
        }
