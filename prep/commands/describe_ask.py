"""`prep describe ask`: the sentences of every class, by a language model."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import arg

from manifests.classes import ClassList, canonical
from manifests.descriptions import Descriptions, Kind
from manifests.errors import UserError
from prep.commands.describe_words import (
    Anew,
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
from prep.descriptions.asking import Answers, ask_all, failure, need_openai
from prep.descriptions.cache import Cache, Question
from prep.descriptions.endpoint import Endpoint, is_address
from prep.descriptions.forms import instruction, prompt
from prep.descriptions.keeping import Kept, check_free, keep, stored
from prep.descriptions.lint import Lint, lint
from prep.folders import SHARDS, set_folder
from prep.locks import hold_descriptions
from prep.text import count
from prep.words import Dataset

KEY_VARIABLE = "OPENAI_API_KEY"


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
    ] = KEY_VARIABLE
    key_file: Annotated[
        Path | None,
        arg(
            metavar="FILE",
            help="file that holds the key, instead of a variable",
            help_behavior_hint="(default: none, the variable is read)",
        ),
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
        classes = classes_of(name, self.out)
        folder = set_folder(name, self.out) / "descriptions"
        sources = {kind: _source(endpoint, kind, self.n) for kind in kinds_of(self.kind)}
        with hold_descriptions(folder):
            answers, kept = self._asked(classes, endpoint, folder, sources)
        return AskReport(name, endpoint.model, answers, _looked_over(kept, classes.names))

    def _asked(
        self,
        classes: ClassList,
        endpoint: Endpoint,
        folder: Path,
        sources: Mapping[Kind, dict[str, Any]],
    ) -> tuple[Answers, list[Kept]]:
        """Ask for what is neither stored nor in the cache, and keep all."""
        if not self.anew:
            for kind, source in sources.items():
                check_free(folder, kind, self.n, source)
        questions = [
            Question(kind, self.n, item, words)
            for kind in sources
            for item, words in zip(classes.names, classes.prompts("split"), strict=True)
        ]
        there = {} if self.anew else _there(folder, questions)
        answers = ask_all(questions, endpoint, Cache(folder / ".cache", endpoint.model), there)
        if answers.failed:
            raise UserError(failure(endpoint, answers.failed))
        kept = []
        for kind, source in sources.items():
            texts = {q.name: answers.sentences[q] for q in questions if q.kind == kind}
            new = Descriptions(classes.benchmark, kind, self.n, texts, source)
            kept.append(keep(folder, new, classes.names, anew=self.anew))
        return answers, kept

    def _endpoint(self) -> Endpoint:
        url = self.base_url or os.environ.get("OPENAI_BASE_URL", "")
        model = self.model or os.environ.get("OPENAI_MODEL", "")
        if not url:
            raise UserError("no endpoint: say --base-url https://.../v1, or set OPENAI_BASE_URL")
        if not is_address(url):  # not shown: it may hold a key
            raise UserError("--base-url or OPENAI_BASE_URL is no address like https://HOST/v1")
        if not model:
            raise UserError("no model: say --model NAME, or set OPENAI_MODEL")
        for word, value in (("--parallel", self.parallel), ("--timeout", self.timeout)):
            if not value > 0:
                raise UserError(f"{word} {value} is not above 0")
        check_n(self.n)
        key, key_from = self._key(), str(self.key_file or self.key_env)
        if not (key.isascii() and key.isprintable()):
            raise UserError(f"the key of {key_from} holds signs that no request can carry")
        return Endpoint(url, model, key, key_from, self.parallel, self.timeout)

    def _key(self) -> str:
        """The key; empty for servers that want none, unless a place was named that has none."""
        if self.key_file is None:
            key = os.environ.get(self.key_env, "").strip()
            if not key and self.key_env != KEY_VARIABLE:  # not shown: it may be the key itself
                raise UserError("the variable that --key-env names is not set, or empty")
            return key
        try:
            key = self.key_file.read_text("utf-8-sig").strip()
        except UnicodeDecodeError:
            raise UserError(f"{self.key_file} holds no key: it is no text") from None
        if not key:
            raise UserError(f"{self.key_file} holds no key: it is empty")
        return key


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
        return code_of(item for _, item in self.files)

    def text(self) -> str:
        """What it took, then the files."""
        tally = self.answers.tally
        return "\n".join(
            [
                f"{self.benchmark} by {self.model}: {count(tally.requests, 'request')} sent "
                f"({tally.retries:,} again after trouble, {tally.refused:,} after a wrong answer), "
                f"{count(tally.cached, 'answer')} there before",
                *file_lines(self.files),
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
            "files": [file_dict(kept, item) for kept, item in self.files],
        }


def _there(folder: Path, questions: Sequence[Question]) -> dict[Question, tuple[str, ...]]:
    """Answers that the files hold: whoever clears the cache is not made to pay again."""
    files = {q.kind: stored(folder, q.kind, q.n) for q in questions}
    found = {q: file.sentences.get(q.name, ()) for q in questions if (file := files[q.kind])}
    return {q: texts for q, texts in found.items() if len(texts) == q.n}


def _source(endpoint: Endpoint, kind: Kind, n: int) -> dict[str, Any]:
    """Where the sentences come from; no key, and of the address the host alone."""
    return {
        "by": "prep describe",
        "model": endpoint.model,
        "host": endpoint.host,
        "prompt": prompt(kind, n, "{cls}"),
        "instruction": instruction(kind, n, "{cls}"),
    }


def _looked_over(kept: Sequence[Kept], names: Sequence[str]) -> tuple[tuple[Kept, Lint], ...]:
    return tuple(
        (item, lint(own.kind, own.n, names, own.sentences, names))
        for item in kept
        for own in (item.descriptions,)
    )
