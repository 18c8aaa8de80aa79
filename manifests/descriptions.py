"""Sentences that describe each class, N of a kind: their file form, finding and checking them.

::

    <store>/descriptions/spatial-2.json
    {"format": 1, "benchmark": "ucf101", "kind": "spatial", "n": 2,
     "source": {"model": "...", "prompt": "..."},
     "classes": {"Archery": ["A video about ...", "A video about ..."], ...}, "sha256": "..."}

``sha256`` covers the rest, in compact form. A file that somebody wrote by hand may go without.

Sentences are kept by class name, never by number: the public files number some classes in another
order. A class may have fewer or more than N sentences (published files do); whoever uses them
takes the mean over what is there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args

from manifests.classes import ClassList
from manifests.errors import UserError

Kind = Literal["spatial", "temporal"]
FORMAT = 1
HASH = "sha256"
_KEYS = ("format", "benchmark", "kind", "n", "source", "classes", HASH)
_MEND = "make it again with `prep describe` or `prep describe import`, and --anew"


@dataclass(frozen=True)
class Descriptions:
    """The sentences of one kind for the classes of one benchmark, by official class name."""

    benchmark: str
    kind: Kind
    n: int
    sentences: Mapping[str, tuple[str, ...]]
    source: Mapping[str, Any]

    @property
    def file_name(self) -> str:
        """Name of the file that holds them, in a folder ``descriptions``."""
        return f"{self.kind}-{self.n}.json"

    def digest(self, names: Sequence[str]) -> str:
        """Sha256 hex digest of the sentences of some classes, in the order of `names`.

        It is of what is encoded: neither the source nor other classes of the file count.
        """
        told = json.dumps([[name, *self.of(name)] for name in names], ensure_ascii=False)
        return hashlib.sha256(told.encode()).hexdigest()

    def of(self, name: str) -> tuple[str, ...]:
        """Sentences of a class; UserError when it has none."""
        found = self.sentences.get(name, ())
        if not found:
            raise UserError(
                f"{self.benchmark} has no {self.kind} sentence for class {name!r} in "
                f"{self.file_name}: make them with `prep describe --dataset {self.benchmark} "
                f"--n {self.n}`"
            )
        return found


def format_descriptions(descriptions: Descriptions) -> bytes:
    """Bytes of the file that holds them; the same for the same content."""
    record = {
        "format": FORMAT,
        "benchmark": descriptions.benchmark,
        "kind": descriptions.kind,
        "n": descriptions.n,
        "source": dict(descriptions.source),
        "classes": {name: list(texts) for name, texts in descriptions.sentences.items()},
    }
    record |= {HASH: _hash(record)}
    return (json.dumps(record, ensure_ascii=False, indent=1) + "\n").encode()


def parse_descriptions(data: bytes, where: str) -> Descriptions:
    """Read the bytes of such a file; UserError, naming ``where``, when they are none.

    Where the file bears a hash, it is held against the rest.
    """
    try:
        record = dict(json.loads(data))
        expected = record.pop(HASH, None)
        found = _from_record(record)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{where} is no file of class descriptions of format {FORMAT} "
            f"({type(error).__name__}: {error}): {_MEND}"
        ) from error
    if expected is not None and expected != _hash(record):
        raise UserError(
            f"{where} has other content than was written ({HASH} differs): {_MEND}; if the "
            f'change is yours, take its "{HASH}" out'
        )
    return found


def unhashed(data: bytes) -> bool:
    """Whether the bytes of such a file bear no hash, as one that was written by hand."""
    return HASH not in json.loads(data)


def stray_keys(data: bytes) -> tuple[str, ...]:
    """Keys of such a file that mean nothing."""
    return tuple(key for key in json.loads(data) if key not in _KEYS)


def check_descriptions(descriptions: Descriptions, classes: ClassList) -> tuple[str, ...]:
    """Faults against a class list, one line each; empty when every class has its N sentences."""
    faults = []
    if descriptions.benchmark != classes.benchmark:
        faults.append(f"made for {descriptions.benchmark}, not for {classes.benchmark}")
    known = set(classes.names)
    faults += [f"unknown class {name!r}" for name in descriptions.sentences if name not in known]
    for name in classes.names:
        texts = descriptions.sentences.get(name, ())
        if len(texts) != descriptions.n:
            faults.append(f"class {name!r} has {len(texts)} sentences, not {descriptions.n}")
        if len(set(texts)) != len(texts):
            faults.append(f"class {name!r} has the same sentence twice")
        if not all(text.strip() for text in texts):
            faults.append(f"class {name!r} has an empty sentence")
    return tuple(faults)


def find_descriptions(benchmark: str, store: Path, kind: Kind, n: int) -> Descriptions | None:
    """Descriptions kept beside a shard store, else those that the package ships, else None."""
    path = store / "descriptions" / f"{kind}-{n}.json"
    if path.is_file():
        return parse_descriptions(path.read_bytes(), str(path))
    own = resources.files("manifests").joinpath(f"{benchmark}/descriptions/{path.name}")
    return parse_descriptions(own.read_bytes(), str(own)) if own.is_file() else None


def _hash(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _from_record(record: Mapping[str, Any]) -> Descriptions:
    if record["format"] != FORMAT or record["kind"] not in get_args(Kind):
        raise ValueError(f"format {record['format']}, kind {record['kind']}")
    if not isinstance(record["source"], dict):
        raise ValueError("the source is an object, such as {}")
    sentences = {name: _texts(texts) for name, texts in record["classes"].items()}
    return Descriptions(
        str(record["benchmark"]), record["kind"], int(record["n"]), sentences, record["source"]
    )


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise ValueError("the sentences of a class are a list of texts")
    return tuple(value)
