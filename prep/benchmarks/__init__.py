"""Raw benchmarks: one reader for each layout, and a plain dict of them.

A reader takes the raw folder, the folder of the official annotation files if they lie elsewhere,
and whether folders of frames stand in for videos, and returns a ``RawSource``; ``official_list``
reads the annotation alone. Which trees each reader understands is drawn in
``prep/benchmarks/README.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from prep.benchmarks.activitynet import list_activitynet, read_activitynet
from prep.benchmarks.custom import list_custom, read_custom
from prep.benchmarks.folder import FolderFiles
from prep.benchmarks.hmdb51 import list_hmdb51, read_hmdb51
from prep.benchmarks.kinetics import (
    list_kinetics400,
    list_kinetics600,
    read_kinetics400,
    read_kinetics600,
)
from prep.benchmarks.layout import OfficialList, RawSource, annotations_alone, walk_root
from prep.benchmarks.ssv2 import list_ssv2, read_ssv2
from prep.benchmarks.toy import list_toy, read_toy
from prep.benchmarks.ucf101 import list_ucf101, read_ucf101


class Reader(Protocol):
    """Reads one benchmark; UserError when folder or lists are absent or wrong."""

    def __call__(
        self, root: Path, annotations: Path | None = None, from_frames: bool = False
    ) -> RawSource:
        """Hold the raw folder against the official list."""


SOURCES: dict[str, Reader] = {
    "ucf101": read_ucf101,
    "hmdb51": read_hmdb51,
    "kinetics400": read_kinetics400,
    "kinetics600": read_kinetics600,
    "ssv2": read_ssv2,
    "activitynet": read_activitynet,
    "toy": read_toy,
    "custom": read_custom,
}

_LISTS: dict[str, Callable[[FolderFiles, Path | None], OfficialList]] = {
    "ucf101": list_ucf101,
    "hmdb51": list_hmdb51,
    "kinetics400": list_kinetics400,
    "kinetics600": list_kinetics600,
    "ssv2": list_ssv2,
    "activitynet": list_activitynet,
    "toy": list_toy,
    "custom": list_custom,
}


def official_list(benchmark: str, root: Path, annotations: Path | None = None) -> OfficialList:
    """Read an official annotation alone, whether or not there are videos.

    It is looked for in ``root``, or in ``annotations`` when that is named; ``root`` need not exist
    then. Raises UserError when it is absent or wrong.
    """
    raw = walk_root(benchmark, root) if annotations is None else annotations_alone(root)
    return _LISTS[benchmark](raw, annotations)


__all__ = ["SOURCES", "OfficialList", "RawSource", "Reader", "official_list"]
