"""What one pass of a decoder is asked for, and the command that asks PyAV or decord for it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Request:
    """Decode stream number ``stream`` of a file from its first frame to its last.

    ``wanted`` frames, from 0, ascending, are encoded, None for all; the shorter side of the JPEGs
    is at most ``short_side``; ``quality`` is mjpeg's quantiser.
    """

    path: str
    stream: int
    wanted: Sequence[int] | None
    short_side: int
    quality: int


def child_command(request: Request, decoder: str) -> list[str]:
    """The command that serves a request with PyAV or decord."""
    words = json.dumps({**asdict(request), "decoder": decoder})
    return [sys.executable, "-m", "prep.video.child", words]


def child_environment() -> dict[str, str]:
    """The environment of a decoder: plain text in what it says, no report file, this package."""
    here = str(Path(__file__).resolve().parents[2])
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    kept = {name: value for name, value in os.environ.items() if name != "FFREPORT"}
    return {
        **kept,
        "AV_LOG_FORCE_NOCOLOR": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(paths),
    }
