"""Benchmarks whose partitions come in files of their own: train, val, test, or some of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from manifests.errors import UserError
from prep.benchmarks.layout import FIRST_ROW, ClipColumns, Ints, repeat
from prep.benchmarks.places import get_annotations
from prep.text import count


@dataclass(frozen=True)
class Partition:
    """The clips of one list, in its order."""

    names: pa.Array  # string (N,)
    class_ids: Ints  # (N,), -1 where unlabelled


def partition_columns(
    benchmark: str,
    partitions: Mapping[str, Partition],
    files: Mapping[str, str],
    folder: Path,
) -> tuple[ClipColumns, tuple[str, ...]]:
    """Columns of the partitions that are there, and a note on those that are not.

    ``files`` names the file of each partition in official order. Raises UserError when there is
    none at all. Each partition is a split of the same name.
    """
    parts = [name for name in files if name in partitions]
    if not parts:
        raise UserError(
            f"{folder} holds no list of {benchmark} ({', '.join(files.values())}): "
            f"{get_annotations(benchmark)} and name their folder with --annotations"
        )
    sizes = [len(partitions[name].names) for name in parts]
    starts = [FIRST_ROW[name] for name in parts]
    of_row = np.repeat(np.arange(len(parts)), sizes)
    names = pa.concat_arrays([partitions[name].names for name in parts])
    columns = ClipColumns(
        rows=np.concatenate([start + np.arange(n) for start, n in zip(starts, sizes, strict=True)]),
        names=names,
        videos=names,
        class_ids=np.concatenate([partitions[name].class_ids for name in parts]),
        partitions=pa.concat_arrays(
            [repeat(name, size) for name, size in zip(parts, sizes, strict=True)]
        ),
        splits={name: of_row == number for number, name in enumerate(parts)},
    )
    return columns, (*_absent_note(parts, files, folder), *_repeats_note(names, folder))


def _repeats_note(names: pa.Array, folder: Path) -> tuple[str, ...]:
    """Official lists name a clip once; a list saved under the name of another repeats all of it."""
    counts = names.value_counts()
    often = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    if not len(often):
        return ()
    clips = count(len(often), "clip")
    return (f"{clips} named more than once by the lists in {folder}, first {often[0]}",)


def _absent_note(parts: list[str], files: Mapping[str, str], folder: Path) -> tuple[str, ...]:
    absent = [files[name] for name in files if name not in parts]
    return (f"no {', '.join(absent)} in {folder}: gone on without",) if absent else ()
