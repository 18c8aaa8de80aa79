"""One pass of a decoder over one file: which frames it met and when, and the JPEGs of those wanted.

ffmpeg tells each frame on a line of its showinfo filter, in display order, before frames are
selected: ``n: 12 pts: 6144 pts_time:0.48 duration: 512 ...``. What it complains of is on other
lines.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prep.video.ffmpeg import child_environment, decode_command
from prep.video.jpegs import split_jpegs
from prep.video.process import run_limited
from prep.video.refusal import Refused
from prep.video.settings import EncodeSettings, Limits

_FRAME = re.compile(rb"_showinfo_\d+ @ \S+ n: *\d+ pts: *(\S+) .*?(?:duration: *(\d+)|$)")
_GRAPH = re.compile(rb"_showinfo_\d+ @ \S+ config in ")
_ERROR = re.compile(
    rb"corrupt decoded frame|Error submitting .*to (?:the )?decoder|Error while decoding stream"
)
_PROBLEM = re.compile(rb"(?:Decoder .*not found|Unknown decoder|[Nn]o decoder|not implemented).*")


@dataclass(frozen=True)
class Pass:
    """What one pass gave.

    ``pts`` and ``durations`` in ticks of the stream, one for each frame decoded, None where the
    decoder knows none; ``jpegs`` maps frame numbers to JPEGs; ``errors`` counts the decoder's
    complaints; ``even`` is false when the video changed its form midway, so that the selection of
    frames cannot be trusted.
    """

    pts: tuple[int | None, ...]
    durations: tuple[int | None, ...]
    jpegs: dict[int, bytes]
    errors: int
    even: bool
    problem: str = ""

    @property
    def count(self) -> int:
        """Frames decoded."""
        return len(self.pts)


class _Listener:
    """Reads what ffmpeg says, line by line."""

    def __init__(self) -> None:
        self.pts: list[int | None] = []
        self.durations: list[int | None] = []
        self.errors = 0
        self.graphs = 0
        self.problem = ""

    def line(self, text: bytes) -> None:
        frame = _FRAME.search(text)
        if frame:
            self.pts.append(None if frame[1] == b"NOPTS" else int(frame[1]))
            self.durations.append(int(frame[2]) if frame[2] else None)
        # The end of a frame's line is written apart, so that a line of the decoder's thread may
        # come before it: one line here can say both.
        if _GRAPH.search(text):
            self.graphs += 1
        if _ERROR.search(text):
            self.errors += 1
        elif not self.problem and (problem := _PROBLEM.search(text)):
            self.problem = problem[0].decode("ascii", "replace").strip()


def decode(
    path: Path, stream: int, wanted: Sequence[int] | None, settings: EncodeSettings, limits: Limits
) -> Pass:
    """Decode a stream from its first frame to its last and encode the wanted frames (None: all).

    Raises Refused when a limit is met, UserError when the decoder is missing or was killed.
    """
    said = _Listener()
    command = decode_command(str(path), stream, wanted, settings.short_side, settings.quality)
    done = run_limited(command, limits.cpu_seconds, said.line, child_environment())
    if done.over == "cpu":
        raise Refused("time-limit", f"takes more than {limits.cpu_seconds:g} CPU seconds")
    if done.over:
        raise Refused("time-limit", "the decoder stood still")
    jpegs = split_jpegs(done.output)
    numbers = range(len(said.pts)) if wanted is None else wanted
    if done.status < 0:
        raise Refused("unreadable", f"the decoder crashed (signal {-done.status})")
    return Pass(
        tuple(said.pts),
        tuple(said.durations),
        dict(zip(numbers, jpegs)),  # noqa: B905
        said.errors,
        said.graphs <= 1 and len(jpegs) <= len(numbers),
        said.problem,
    )
