"""Answers that were paid for once: a small file for each, under ``descriptions/.cache``.

::

    <hash of model, messages and N>.json   {"model": ..., "prompt": ..., "n": 2, "sentences": [...]}

Only answers that were accepted are here, each written as a whole: a killed run goes on where it
was. The address and the key of the endpoint are no part of it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from manifests.descriptions import Kind
from prep.descriptions.forms import instruction, prompt
from shards.atomic import atomic_write, remove_stale_temps


@dataclass(frozen=True)
class Question:
    """One request: the sentences of one kind for one class."""

    kind: Kind
    n: int
    name: str  # official name of the class
    words: str  # its name in words, as it is asked

    @property
    def prompt(self) -> str:
        """The question itself."""
        return prompt(self.kind, self.n, self.words)

    @property
    def messages(self) -> list[dict[str, str]]:
        """As the chat endpoint takes it."""
        return [
            {"role": "system", "content": instruction(self.kind, self.n, self.words)},
            {"role": "user", "content": self.prompt},
        ]


class Cache:
    """Accepted answers of one model."""

    def __init__(self, folder: Path, model: str) -> None:
        self.folder = folder
        self.model = model
        remove_stale_temps(folder)

    def get(self, question: Question) -> tuple[str, ...] | None:
        """The sentences; None when they were never got, or the file is damaged."""
        try:
            record = json.loads(self._path(question).read_bytes())
            texts = record["sentences"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            return None
        return tuple(texts) if len(texts) == question.n else None

    def put(self, question: Question, sentences: tuple[str, ...]) -> None:
        """Keep an answer; UserError when the disk refuses."""
        record = {
            "model": self.model,
            "prompt": question.prompt,
            "n": question.n,
            "sentences": list(sentences),
        }
        data = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
        atomic_write(self._path(question), data.encode())

    def _path(self, question: Question) -> Path:
        said = json.dumps([self.model, question.messages, question.n], ensure_ascii=False)
        return self.folder / f"{hashlib.sha256(said.encode()).hexdigest()[:32]}.json"
