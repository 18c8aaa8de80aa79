"""Is enough of a clip there, and sound? Pure functions of what was announced and what was decoded.

A file is *truncated* when its last frame ends before 90 % of the announced length, or when fewer
than 90 % of the announced frames, or of the packets, decode cleanly. HMDB51's headers announce one
frame too many, so one frame less than announced is never held against a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prep.video.passes import Pass
from prep.video.probe import Probe
from prep.video.refusal import Refused
from shards.schema import Clip

ENOUGH = 0.9


@dataclass(frozen=True)
class Span:
    """The frames first .. first + count - 1 of a file."""

    first: int
    count: int


def clip_span(clip: Clip, announced: Probe, pts: Sequence[int | None]) -> Span | Refused:
    """Where a clip lies among the frames of its file, whose times are given in display order."""
    if clip.start is None and clip.end is None:
        return Span(0, len(pts))
    inside = [
        number
        for number, ticks in enumerate(pts)
        if ticks is not None and _within(clip, seconds(ticks, announced))
    ]
    if not inside:
        last = next((seconds(t, announced) for t in reversed(pts) if t is not None), None)
        begin = 0.0 if clip.start is None else clip.start
        end = "the end" if clip.end is None else f"{clip.end:g} s"
        shown = "no frame has a time" if last is None else f"the last frame shows at {last:.2f} s"
        return Refused("no-frame", f"nothing from {begin:g} s to {end}: {shown}")
    return Span(inside[0], inside[-1] - inside[0] + 1)


def _within(clip: Clip, time: float) -> bool:
    return (clip.start is None or clip.start <= time) and (clip.end is None or time < clip.end)


def seconds(ticks: int, announced: Probe) -> float:
    """Presentation time in seconds from the file's own zero."""
    return float(ticks * announced.time_base - announced.start)


def check_span(clip: Clip, span: Span, announced: Probe, decoded: Pass) -> None:
    """Raise Refused when a clip is empty or cut short."""
    if not decoded.count:
        said = f"{announced.announced_frames} announced, {len(announced.packets.pts)} packets"
        raise Refused("no-frame", f"no frame decodes: {said}")
    clean = decoded.count - decoded.errors
    if clean < ENOUGH * (announced.announced_frames - 1):
        raise Refused("truncated", f"{clean} of {announced.announced_frames} announced frames")
    if clean < ENOUGH * (len(announced.packets.pts) - 1):
        raise Refused("truncated", f"{clean} of {len(announced.packets.pts)} packets decode")
