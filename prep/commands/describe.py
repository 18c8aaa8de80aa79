"""`prep describe`: sentences for every class, asked of a model or imported; and their lint."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from tyro.conf import Positional, arg, subcommand

from manifests.classes import ClassList, canonical, load_classes
from manifests.descriptions import Descriptions, Kind
from manifests.errors import UserError
from prep.descriptions.asking import Answers, Endpoint, ask_all, failure, host, need_openai
from prep.descriptions.cache import Cache, Question
from prep.descriptions.forms import KINDS, instruction, prompt
from prep.descriptions.keeping import IMPORT, Kept, check_free, keep, stored
from prep.descriptions.lint import Lint, lint, named, pieces
from prep.descriptions.published import (
    Part,
    by_name,
    guess,
    part_names,
    part_of,
    read_labels,
    read_published,
)
from prep.folders import SHARDS, set_folder
from prep.text import count
from prep.words import Dataset
from shards.info import load_info

Kinds = Literal["both", "spatial", "temporal"]
Out = Annotated[
    Path,
    arg(
        metavar="DIR",
        help="the folder that holds NAME/descriptions",
        help_behavior_hint="(default: data/shards)",
    ),
]
Count = Annotated[int, arg(metavar="N", help="sentences of each kind for a class")]
Anew = Annotated[bool, arg(help="replace a file that holds other sentences")]
_MOST = 99


@dataclass(frozen=True)
class Ask:
    """Ask an OpenAI-compatible endpoint for the sentences of every class.

    Answers are kept one by one: the same words again ask only for what is missing.
    """

    dataset: Dataset
    n: Count = 2
    kind: Annotated[Kinds, arg(help="looks, steps, or both")] = "both"
    base_url: Annotated[
        str | None,
        arg(
            metavar="URL",
            help="address of the API, often ending with /v1",
            help_behavior_hint="(default: OPENAI_BASE_URL of the environment)",
        ),
    ] = None
    model: Annotated[
        str | None,
        arg(
            metavar="NAME",
            help="the model, as the endpoint names it",
            help_behavior_hint="(default: OPENAI_MODEL of the environment)",
        ),
    ] = None
    key_env: Annotated[
        str, arg(metavar="VARIABLE", help="variable of the environment that holds the key")
    ] = "OPENAI_API_KEY"
    key_file: Annotated[
        Path | None, arg(metavar="FILE", help="file that holds the key, instead of a variable")
    ] = None
    parallel: Annotated[int, arg(metavar="N", help="requests at a time")] = 8
    timeout: Annotated[float, arg(metavar="SECONDS", help="longest wait for one answer")] = 120.0
    out: Out = SHARDS
    anew: Anew = False

    def run(self) -> AskReport:
        """Ask, keep, look over; nothing is written but the cache unless every class is answered."""
        name = canonical(self.dataset)
        endpoint = self._endpoint()
        need_openai()
        classes = _classes(name, self.out)
        folder = set_folder(name, self.out) / "descriptions"
        kinds = _kinds(self.kind)
        sources = {kind: _source(endpoint, kind, self.n) for kind in kinds}
        if not self.anew:
            for kind in kinds:
                check_free(folder, kind, self.n, sources[kind])
        questions = [
            Question(kind, self.n, item, words)
            for kind in kinds
            for item, words in zip(classes.names, classes.prompts("split"), strict=True)
        ]
        answers = ask_all(questions, endpoint, Cache(folder / ".cache", endpoint.model))
        if answers.failed:
            raise UserError(failure(endpoint, answers.failed))
        kept = []
        for kind in kinds:
            texts = {q.name: answers.sentences[q] for q in questions if q.kind == kind}
            new = Descriptions(name, kind, self.n, texts, sources[kind])
            kept.append(keep(folder, new, classes.names, anew=self.anew))
        return AskReport(name, endpoint.model, answers, _looked_over(kept, classes.names))

    def _endpoint(self) -> Endpoint:
        url = self.base_url or os.environ.get("OPENAI_BASE_URL", "")
        model = self.model or os.environ.get("OPENAI_MODEL", "")
        if not _is_address(url):
            raise UserError("no endpoint: say --base-url https://.../v1, or set OPENAI_BASE_URL")
        if not model:
            raise UserError("no model: say --model NAME, or set OPENAI_MODEL")
        for word, value in (("--parallel", self.parallel), ("--timeout", self.timeout)):
            if not value > 0:
                raise UserError(f"{word} {value} is not above 0")
        _check_n(self.n)
        key, key_from = self._key(), str(self.key_file or self.key_env)
        if not (key.isascii() and key.isprintable()):
            raise UserError(f"the key of {key_from} holds signs that no request can carry")
        return Endpoint(url, model, key, key_from, self.parallel, self.timeout)

    def _key(self) -> str:
        """The key; empty for servers that want none."""
        if self.key_file is None:
            return os.environ.get(self.key_env, "").strip()
        try:
            return self.key_file.read_text().strip()
        except UnicodeDecodeError:
            raise UserError(f"{self.key_file} holds no key: it is no text") from None


@dataclass(frozen=True)
class AskReport:
    """What was asked, where the sentences lie, and what they are like."""

    benchmark: str
    model: str
    answers: Answers
    files: tuple[tuple[Kept, Lint], ...]

    @property
    def exit_code(self) -> int:
        """1 when a class is without a sentence."""
        return _code(item for _, item in self.files)

    def text(self) -> str:
        """What it took, then the files."""
        tally = self.answers.tally
        return "\n".join(
            [
                f"{self.benchmark} by {self.model}: {count(tally.requests, 'request')} sent "
                f"({tally.retries:,} again after trouble, {tally.refused:,} after a wrong answer), "
                f"{count(tally.cached, 'answer')} there before",
                *_file_lines(self.files),
            ]
        )

    def as_dict(self) -> dict[str, Any]:
        """The same for programs."""
        tally = self.answers.tally
        return {
            "benchmark": self.benchmark,
            "model": self.model,
            "requests": tally.requests,
            "cached": tally.cached,
            "retries": tally.retries,
            "asked_again": tally.refused,
            "files": [_file(kept, item) for kept, item in self.files],
        }


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
        Literal["spatial", "temporal"] | None, arg(help_behavior_hint="(default: by the name)")
    ] = None
    n: Annotated[
        int | None,
        arg(metavar="N", help="sentences for a class", help_behavior_hint="(default: by the name)"),
    ] = None
    part: Annotated[
        Part | None,
        arg(
            help="the classes it is about: halves and zero-shot lists count from 0 again",
            help_behavior_hint="(default: by the name)",
        ),
    ] = None
    labels: Annotated[
        Path | None,
        arg(metavar="CSV", help="the file's own order of classes, rows id,name"),
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
        classes = _classes(name, self.out)
        part = self.part or part_of(name, said.part, len(published))
        if self.labels is None and name == "custom":
            raise UserError("custom has no public order of classes: give --labels id,name.csv")
        names = read_labels(self.labels, classes) if self.labels else part_names(name, part)
        about = f"{self.labels}" if self.labels else f"{name}, {part} classes,"
        texts = by_name(published, names, self.file, about)
        found = lint(kind, n, names, texts)
        mended = texts if self.as_published else {k: _mended(v, n) for k, v in texts.items()}
        source = {
            "by": IMPORT,
            "files": [
                {
                    "name": self.file.name,
                    "sha256": hashlib.sha256(self.file.read_bytes()).hexdigest(),
                    "order": self.labels.name if self.labels else part,
                }
            ],
        }
        folder = set_folder(name, self.out) / "descriptions"
        new = Descriptions(name, kind, n, mended, source)
        kept = keep(folder, new, classes.names, anew=self.anew)
        split = tuple(k for k, own in texts.items() if len(mended[k]) > len(own))
        without = tuple(k for k in classes.names if not kept.descriptions.sentences.get(k))
        return ImportReport(name, part, kept, found, split, without)

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
        return canonical(found_dataset), found_kind, _check_n(found_n)


@dataclass(frozen=True)
class ImportReport:
    """What the published file is like, and what was kept of it."""

    benchmark: str
    part: str
    kept: Kept
    found: Lint
    split: tuple[str, ...]
    without: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """1 when a class of the file is without a sentence."""
        return _code([self.found])

    def text(self) -> str:
        """The file as published, what was mended, and what is still without sentences."""
        lines = [f"{self.benchmark}, {self.part} classes, as published:", *self.found.lines()]
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
            **_file(self.kept, self.found),
            "split": list(self.split),
            "without": list(self.without),
        }


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
        classes = _classes(name, self.out)
        chosen = classes.names if self.part == "all" else part_names(name, self.part)
        files = []
        for kind in _kinds(self.kind):
            found = stored(folder, kind, _check_n(self.n))
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
            files.append(
                (Kept(path, found, "already there"), lint(kind, found.n, chosen, found.sentences))
            )
        return LintReport(name, tuple(files))


@dataclass(frozen=True)
class LintReport:
    """The stored files and what they are like."""

    benchmark: str
    files: tuple[tuple[Kept, Lint], ...]

    @property
    def exit_code(self) -> int:
        """1 when a class is without a sentence."""
        return _code(item for _, item in self.files)

    def text(self) -> str:
        """File after file."""
        return "\n".join([self.benchmark, *_file_lines(self.files)])

    def as_dict(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "benchmark": self.benchmark,
            "files": [_file(kept, item) for kept, item in self.files],
        }


def _classes(name: str, out: Path) -> ClassList:
    """Class list of a benchmark; for videos of one's own, that of their shards."""
    return load_info(set_folder(name, out)).classes() if name == "custom" else load_classes(name)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that does not close
        return False


def _kinds(said: Kinds) -> tuple[Kind, ...]:
    return KINDS if said == "both" else (said,)


def _check_n(n: int) -> int:
    if not 1 <= n <= _MOST:
        raise UserError(f"--n {n}: between 1 and {_MOST} sentences for a class")
    return n


def _source(endpoint: Endpoint, kind: Kind, n: int) -> dict[str, Any]:
    """Where the sentences come from; no key, and of the address the host alone."""
    return {
        "by": "prep describe",
        "model": endpoint.model,
        "host": host(endpoint.base_url),
        "prompt": prompt(kind, n, "{cls}"),
        "instruction": instruction(kind, n, "{cls}"),
    }


def _mended(texts: tuple[str, ...], n: int) -> tuple[str, ...]:
    """Without blank strings; strings taken apart where that gives exactly N sentences."""
    texts = tuple(text for text in texts if text.strip())
    apart = pieces(texts, n)
    return apart if len(apart) == n else texts


def _looked_over(kept: Sequence[Kept], names: Sequence[str]) -> tuple[tuple[Kept, Lint], ...]:
    return tuple(
        (
            item,
            lint(item.descriptions.kind, item.descriptions.n, names, item.descriptions.sentences),
        )
        for item in kept
    )


def _code(lints: Any) -> int:
    return 0 if all(item.usable for item in lints) else 1


def _file_lines(files: Sequence[tuple[Kept, Lint]]) -> list[str]:
    return [line for kept, item in files for line in (*item.lines(), f"{kept.path}: {kept.state}")]


def _file(kept: Kept, item: Lint) -> dict[str, Any]:
    return {
        "file": str(kept.path),
        "state": kept.state,
        "source": dict(kept.descriptions.source),
        **item.as_dict(),
    }


Describe = (
    Annotated[Ask, subcommand("ask")]
    | Annotated[Import, subcommand("import")]
    | Annotated[LintStored, subcommand("lint")]
)
