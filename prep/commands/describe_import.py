"""`prep describe import`: published sentences, by class name."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from tyro.conf import Positional, arg

from manifests.classes import ClassList, canonical
from manifests.descriptions import Descriptions, Kind
from manifests.errors import UserError
from prep.commands.describe_words import Anew, Out, check_n, classes_of, code_of, file_dict
from prep.descriptions.keeping import IMPORT, Kept, keep
from prep.descriptions.lint import Lint, lint, named, pieces
from prep.descriptions.orders import Order, order_of
from prep.descriptions.published import (
    Part,
    check_numbers,
    guess,
    part_names,
    part_of,
    read_labels,
    read_published,
)
from prep.folders import SHARDS, set_folder
from prep.locks import hold_descriptions
from prep.text import count


@dataclass(frozen=True)
class Import:
    """Take over a published file, {"0": ["...", ...], ...}, its numbers turned into class names.

    What its name says (2_t_description_hmdb_base.json, temporal_8_descriptors.json) need not be
    said again.
    """

    file: Annotated[Positional[Path], arg(metavar="FILE", help="the published JSON file")]
    dataset: Annotated[
        str | None,
        arg(metavar="NAME", help="the benchmark", help_behavior_hint="(default: by the name)"),
    ] = None
    kind: Annotated[
        Literal["spatial", "temporal"] | None,
        arg(
            metavar="spatial|temporal",
            help="looks or steps",
            help_behavior_hint="(default: by the name)",
        ),
    ] = None
    n: Annotated[
        int | None,
        arg(metavar="N", help="sentences for a class", help_behavior_hint="(default: by the name)"),
    ] = None
    part: Annotated[
        Part | None,
        arg(
            metavar="|".join(get_args(Part)),
            help="the classes it is about: halves and zero-shot lists count from 0 again",
            help_behavior_hint="(default: by the name)",
        ),
    ] = None
    labels: Annotated[
        Path | None,
        arg(
            metavar="CSV",
            help="the file's own order of classes, rows id,name",
            help_behavior_hint="(default: that of the public label lists)",
        ),
    ] = None
    as_published: Annotated[
        bool, arg(help="keep several sentences in one string as they are, and blank ones")
    ] = False
    out: Out = SHARDS
    anew: Anew = False

    def run(self) -> ImportReport:
        """Read, look over as it was published, mend what is sure, keep."""
        said = guess(self.file)
        published = read_published(self.file)
        name, kind, n = self._what(said.dataset, said.kind, said.n)
        classes = classes_of(name, self.out)
        part = self.part or part_of(name, said.part, len(published))
        if self.labels is None and name == "custom":
            raise UserError("custom has no public order of classes: give --labels id,name.csv")
        order = self._order(published, classes, part)
        texts = dict(zip(order.names, (published[i] for i in range(len(published))), strict=True))
        found = lint(kind, n, order.names, texts, classes.names)
        if 2 * len(found.found["conflicts"]) > found.sentences:
            raise UserError(_misnumbered(self.file, order, found))
        mended = texts if self.as_published else {k: _mended(v, n) for k, v in texts.items()}
        source = {
            "by": IMPORT,
            "files": [
                {
                    "name": self.file.name,
                    "sha256": hashlib.sha256(self.file.read_bytes()).hexdigest(),
                    "order": order.name,
                }
            ],
        }
        folder = set_folder(name, self.out) / "descriptions"
        new = Descriptions(name, kind, n, mended, source)
        with hold_descriptions(folder):
            kept = keep(folder, new, classes.names, anew=self.anew)
        split = tuple(k for k, own in texts.items() if len(mended[k]) > len(own))
        without = tuple(k for k in classes.names if not kept.descriptions.sentences.get(k))
        return ImportReport(name, part, order, kept, found, split, without)

    def _order(
        self, published: dict[int, tuple[str, ...]], classes: ClassList, part: Part
    ) -> Order:
        """The classes by number: as --labels says, else as lists number them and sentences tell."""
        if self.labels:
            order = Order(read_labels(self.labels, classes), self.labels.name)
            check_numbers(published, order.names, self.file, str(self.labels))
            return order
        names = part_names(classes.benchmark, part)
        check_numbers(published, names, self.file, f"{classes.benchmark}, {part} classes,")
        return order_of(published, classes.benchmark, part, names)

    def _what(self, dataset: str | None, kind: Kind | None, n: int | None) -> tuple[str, Kind, int]:
        """Dataset, kind and N, said or read off the name."""
        found_dataset, found_kind, found_n = self.dataset or dataset, self.kind or kind, self.n or n
        for word, value in (
            ("--dataset NAME", found_dataset),
            ("--kind spatial or --kind temporal", found_kind),
            ("--n N", found_n),
        ):
            if not value:
                raise UserError(f"the name of {self.file} does not tell {word.split()[0]}: {word}")
        assert found_dataset and found_kind and found_n
        return canonical(found_dataset), found_kind, check_n(found_n)


@dataclass(frozen=True)
class ImportReport:
    """What the published file is like, and what was kept of it."""

    benchmark: str
    part: str
    order: Order
    kept: Kept
    found: Lint
    split: tuple[str, ...]
    without: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """1 when a class of the file is without a sentence."""
        return code_of([self.found])

    def text(self) -> str:
        """The file as published, what was mended, and what is still without sentences."""
        lines = [f"{self.benchmark}, {self.part} classes, as published:", *self.found.lines()]
        if self.order.witnesses:
            told = count(self.order.witnesses, "string")
            lines.append(f"  numbered as {self.order.name}: {told} tell it")
        if self.split:
            lines.append(f"  taken apart into {self.found.n} sentences each: {named(self.split)}")
        if self.without:
            lines.append(
                f"  {len(self.without):,} classes of {self.benchmark} are still without: import "
                "their file too"
            )
        return "\n".join([*lines, f"{self.kept.path}: {self.kept.state}"])

    def as_dict(self) -> dict[str, Any]:
        """The same for programs; findings are those of the file as published."""
        return {
            "benchmark": self.benchmark,
            "part": self.part,
            "order": self.order.name,
            **file_dict(self.kept, self.found),
            "split": list(self.split),
            "without": list(self.without),
        }


def _misnumbered(file: Path, order: Order, found: Lint) -> str:
    conflicts = found.found["conflicts"]
    return (
        f"{file}: {len(conflicts):,} of {found.sentences:,} sentences name another class than "
        f"their number stands for ({order.name}); first: {conflicts[0]!r}: say --part, or give "
        "the file's own order with --labels id,name.csv"
    )


def _mended(texts: tuple[str, ...], n: int) -> tuple[str, ...]:
    """Without blank strings; strings taken apart where that gives exactly N sentences."""
    texts = tuple(text for text in texts if text.strip())
    apart = pieces(texts, n)
    return apart if len(apart) == n else texts
