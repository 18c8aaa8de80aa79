"""Raw benchmarks: one reader for each layout, and a plain dict of them.

A reader takes the raw folder and, if they lie elsewhere, the folder of the official annotation
files, and returns a ``RawSource``. Which trees each reader understands is drawn in
``prep/benchmarks/README.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from prep.benchmarks.activitynet import read_activitynet
from prep.benchmarks.custom import read_custom
from prep.benchmarks.hmdb51 import read_hmdb51
from prep.benchmarks.kinetics import read_kinetics400, read_kinetics600
from prep.benchmarks.layout import RawSource
from prep.benchmarks.ssv2 import read_ssv2
from prep.benchmarks.toy import read_toy
from prep.benchmarks.ucf101 import read_ucf101

Reader = Callable[[Path, Path | None], RawSource]

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

__all__ = ["SOURCES", "RawSource", "Reader"]
