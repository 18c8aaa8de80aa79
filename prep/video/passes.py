"""One pass of a decoder over one file: which frames it met and when, and the JPEGs of those wanted.

ffmpeg tells each frame on a line of its showinfo filter, in display order, before frames are
selected, and what it complains of on other lines::

    n:  12 pts:   6144 pts_time:0.48 ... s:320x240 i:P iskey:0 type:B
    [dec:h264 @ 0x55d8c1f4e0c0] corrupt decoded frame

Its threads write at the same time and a line is written in pieces: a line may hold both, and may
lack the name of who speaks, so nothing here depends on either. PyAV and decord speak alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from manifests.errors import UserError
from prep.video.ffmpeg import decode_command
from prep.video.jpegs import split_jpegs
from prep.video.process import Finished, run_limited
from prep.video.refusal import Refused
from prep.video.request import Request, child_command, child_environment
from prep.video.settings import EncodeSettings, Limits

_FRAME = re.compile(rb"n: *(\d+) pts: *(\S+) +pts_time:\S+[^\n]* i:(.) iskey:")
_ERROR = re.compile(
    rb"corrupt decoded frame|Error submitting [^\n]*to (?:the )?decoder|Error while decoding stream"
)
_PROBLEM = re.compile(
    rb"(?:Decoder [^\n]*not found|Unknown decoder|[Nn]o decoder|not implemented)[^\n]*"
)
_STOPPED = re.compile(rb"received signal (?:2|15)\b")

#: More wanted frames than this do not fit into a command line: all are encoded, then chosen from.
_MOST_NAMED = 4000


@dataclass(frozen=True)
class Pass:
    """What one pass gave.

    ``pts`` in ticks of the stream, one for each frame decoded, None where the decoder knows none;
    ``jpegs`` maps frame numbers to JPEGs; ``errors`` counts the decoder's complaints;
    ``interlaced`` tells whether most frames consist of two fields; ``problem`` is what
    kept the decoder from its work.
    """

    pts: tuple[int | None, ...]
    jpegs: dict[int, bytes]
    errors: int
    interlaced: bool = False
    problem: str = ""

    @property
    def count(self) -> int:
        """Frames decoded."""
        return len(self.pts)


class _Listener:
    """Reads what ffmpeg says, line by line."""

    def __init__(self) -> None:
        self.pts: list[int | None] = []
        self.errors = 0
        self.fields = 0
        self.in_order = True
        self.stopped = False
        self.problem = ""

    def lines(self, text: bytes) -> None:
        """Take in one line or more."""
        for frame in _FRAME.finditer(text):
            number, ticks, kind = frame.groups()
            self.in_order &= int(number) == len(self.pts)
            self.pts.append(None if ticks == b"NOPTS" else int(ticks))
            self.fields += kind != b"P"
        self.errors += len(_ERROR.findall(text))
        self.stopped = self.stopped or bool(_STOPPED.search(text))
        if not self.problem and (problem := _PROBLEM.search(text)):
            self.problem = problem[0].decode("ascii", "replace").strip()


def decode(
    path: Path,
    stream: int,
    wanted: Sequence[int] | None,
    settings: EncodeSettings,
    limits: Limits,
) -> Pass:
    """Decode a stream from its first frame to its last and encode the wanted frames (None: all).

    Raises Refused when a limit is met, UserError when the decoder is missing or was killed.
    """
    if wanted is not None and len(wanted) > _MOST_NAMED:
        wanted = None
    request = Request(str(path), stream, wanted, settings.short_side, settings.quality)
    if settings.decoder == "ffmpeg":
        command = decode_command(request)
    else:
        command = child_command(request, settings.decoder)
    said = _Listener()
    done = run_limited(command, limits.cpu_seconds, said.lines, child_environment())
    _check_end(done, said, limits)
    jpegs = split_jpegs(done.output)
    numbers = range(len(said.pts)) if wanted is None else wanted
    return Pass(
        pts=tuple(said.pts),
        jpegs=dict(zip(numbers, jpegs, strict=False)),
        errors=said.errors,
        interlaced=2 * said.fields > len(said.pts),
        problem=said.problem,
    )


def _check_end(done: Finished, said: _Listener, limits: Limits) -> None:
    if done.over == "cpu":
        raise Refused("time-limit", f"takes more than {limits.cpu_seconds:g} CPU seconds")
    if done.over:
        raise Refused("time-limit", "the decoder stood still")
    if said.stopped:
        raise UserError("ffmpeg was stopped by a signal from outside: run the same command again")
    if not said.in_order:
        raise Refused("unreadable", "the decoder lost count of the frames")
    if done.status < 0:
        raise Refused("unreadable", f"the decoder crashed (signal {-done.status})")
