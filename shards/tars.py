"""Bytes of tars: what a store asks for, and the tars of a folder that answer by ``pread``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from shards.descriptors import Descriptors, read_span
from shards.records import shard_file

_ADVISED = hasattr(os, "posix_fadvise")


@dataclass(frozen=True)
class Span:
    """Bytes ``offset..offset + size`` of a shard's tar, all of them of one clip (its position)."""

    clip: int
    shard: str
    offset: int
    size: int


class Tars(Protocol):
    """The tars of one set, read from any number of threads."""

    @property
    def readers(self) -> int:
        """Reads that are worth having under way at once."""

    @property
    def far(self) -> bool:
        """Whether a read may take so long that threads of its own are worth it."""

    @property
    def progress(self) -> int:
        """Grows while bytes come in: whoever waits can tell slow from stuck."""

    def read(self, span: Span) -> bytes:
        """The bytes of a span; fewer only where the tar ends.

        Raises OSError when they cannot be read, UserError when they cannot be had now.
        """

    def ahead(self, span: Span) -> None:
        """A span that will be read in a moment: returns before it is there. OSError as ``read``."""

    def again(self, span: Span) -> None:
        """Read a clip from where it comes from next time: what was read last was damaged."""

    def want(self, clips: npt.NDArray[np.int64], *, blocks: bool) -> None:
        """Clips int64 (n,) that will be read, many times; ``blocks``: a few tars at a time."""

    def soon(self, clips: npt.NDArray[np.int64]) -> None:
        """Clips that will be read some batches from now; returns at once."""

    def mend(self, shard: str) -> str:
        """What a user can do about a damaged shard."""

    def close(self) -> None:
        """Let go of files; reading on opens them again."""


class LocalTars:
    """Tars in a folder: ``pread`` on a bounded number of descriptors."""

    readers = 4
    far = False
    progress = 0

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptors = Descriptors()
        self._paths: dict[str, Path] = {}

    def read(self, span: Span) -> bytes:
        """See Tars."""
        with self._descriptors.open(self._path(span.shard)) as fd:
            return read_span(fd, span.offset, span.size)

    def ahead(self, span: Span) -> None:
        """Have the kernel fetch it, where it takes such advice (not on macOS, not on Windows)."""
        if _ADVISED:
            with self._descriptors.open(self._path(span.shard)) as fd:
                os.posix_fadvise(fd, span.offset, span.size, os.POSIX_FADV_WILLNEED)

    def again(self, span: Span) -> None:
        """Open the tar anew: it may have been mended since."""
        self._descriptors.forget(self._path(span.shard))

    def want(self, clips: npt.NDArray[np.int64], *, blocks: bool) -> None:
        """They are here."""

    def soon(self, clips: npt.NDArray[np.int64]) -> None:
        """Nothing: the kernel reads ahead."""

    def mend(self, shard: str) -> str:
        """The command that makes a shard again."""
        folder = self._folder
        return f"run `prep verify --dataset {folder.name} --repair --shards {folder.parent}`"

    def close(self) -> None:
        """Close the open tars."""
        self._descriptors.close()

    def _path(self, shard: str) -> Path:
        path = self._paths.get(shard)  # building one costs more than the read it is for
        if path is None:
            path = self._paths[shard] = shard_file(self._folder, shard, "tar")
        return path
