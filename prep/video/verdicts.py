"""Is enough of a clip there, and sound? Pure functions of what was announced and what was decoded.

A clip is *truncated* when its last frame ends before 90 % of the announced length, or when fewer
than 90 % of the announced frames, or of its packets, decode cleanly. What is announced is held
against a file only as far as it can be trusted:

* the number of frames only at a constant rate, less those that an edit list hides; HMDB51's
  headers announce one too many, so one frame less is never held against a file;
* the length of the video stream where there is one (.webm and .mkv may have it in a tag); the
  length of the whole container only when no stream reaches it, as a sound track may be longer;
* packets of interlaced video may hold a single field, half a frame.

A clip that is part of a file is held against the packets and the length of its part alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prep.video.passes import Pass
from prep.video.probe import Probe
from prep.video.refusal import Refused
from prep.video.soundness import Soundness
from shards.schema import Clip

ENOUGH = 0.9


@dataclass(frozen=True)
class Span:
    """The frames first .. first + count - 1 of a file."""

    first: int
    count: int


def clip_span(clip: Clip, announced: Probe, pts: Sequence[int | None]) -> Span:
    """Where a clip lies among the frames of its file, whose times are given in display order.

    A frame belongs to it when its time t fulfils start <= t < end.
    """
    inside = [number for number, ticks in enumerate(pts) if is_within(clip, ticks, announced)]
    return Span(inside[0], inside[-1] - inside[0] + 1) if inside else Span(0, 0)


def is_within(clip: Clip, ticks: int | None, announced: Probe) -> bool:
    """Whether a frame or packet of this time belongs to the clip; all belong to a whole file."""
    if clip.start is None and clip.end is None:
        return True
    if ticks is None:
        return False
    time = seconds(ticks, announced)
    return (clip.start is None or clip.start <= time) and (clip.end is None or time < clip.end)


def seconds(ticks: int, announced: Probe) -> float:
    """Presentation time in seconds from the file's own zero."""
    return float(ticks * announced.time_base - announced.start)


def frame_rate(span: Span, announced: Probe, decoded: Pass) -> float:
    """Frames a second of a clip: the announced rate, or by its frames' times where they differ.

    0 where neither is known, as for one frame of a file that announces no rate.
    """
    inside = decoded.pts[span.first : span.first + span.count]
    first, last = inside[0], inside[-1]
    if first is None or last is None or last <= first:
        return announced.fps
    shown = float((span.count - 1) / ((last - first) * announced.time_base))
    return announced.fps if abs(shown - announced.fps) <= 0.05 * shown else shown


def check_clip(
    clip: Clip, span: Span, announced: Probe, decoded: Pass, damage: Soundness | None
) -> int:
    """Errors met in a clip that is fit to be stored; raises Refused for one that is not.

    ``damage`` is None where the decoder complained of nothing.
    """
    end = _last_end(announced, decoded)
    _check_any(clip, span, announced, decoded, end)
    packets = _packets(clip, announced, decoded)
    clean, errors = span.count, 0
    if damage is not None:
        inside = [is_within(clip, ticks, announced) for ticks in damage.pts]
        errors = sum(bad for bad, here in zip(damage.bad, inside, strict=True) if here)
        unsound = sum(not fine for fine, here in zip(damage.sound, inside, strict=True) if here)
        clean = min(clean, packets - unsound)
    if clean < ENOUGH * (packets - (damage is None)):
        raise Refused("truncated", f"{clean} of {packets} packets decode cleanly")
    if clip.start is None and clip.end is None:
        expected = announced.announced_frames - 1
        if clean < ENOUGH * expected:
            raise Refused(
                "truncated", f"{clean} of {announced.announced_frames} announced frames are there"
            )
    _check_length(clip, announced, end)
    return errors


def _check_any(clip: Clip, span: Span, announced: Probe, decoded: Pass, end: float | None) -> None:
    if span.count:
        return
    if not decoded.count:
        if decoded.problem:
            raise Refused("unreadable", decoded.problem)
        said = f"{announced.announced_frames} announced, {len(announced.packets.pts)} packets"
        raise Refused("no-frame", f"no frame decodes ({said})")
    start = clip.start or 0.0
    length = max(_video_end(announced) or 0.0, announced.file_end or 0.0)
    timeless = clip.end is not None and clip.end <= start
    if not timeless and end is not None and end < ENOUGH * length and start < length:
        raise Refused("truncated", f"starts at {start:g} s, the frames end at {end:.2f} s")
    shown = "frames have no times" if end is None else f"the frames end at {end:.2f} s"
    raise no_frame_within(clip, shown)


def no_frame_within(clip: Clip, shown: str) -> Refused:
    """The refusal of a part of a file that holds no frame; ``shown`` tells what the file has."""
    start = clip.start or 0.0
    until = "its end" if clip.end is None else f"{clip.end:g} s"
    if clip.end is not None and clip.end <= start:
        return Refused("no-frame", f"from {start:g} s to {until} there is no time")
    return Refused("no-frame", f"no frame from {start:g} s to {until}: {shown}")


def _packets(clip: Clip, announced: Probe, decoded: Pass) -> int:
    """Packets of the clip, counted as frames."""
    packets = sum(is_within(clip, ticks, announced) for ticks in announced.packets.pts)
    all_packets = len(announced.packets.pts)
    in_fields = decoded.interlaced and ENOUGH < 2 * decoded.count / max(1, all_packets) < 2 - ENOUGH
    return packets // 2 if in_fields else packets


def _last_end(announced: Probe, decoded: Pass) -> float | None:
    """When the last frame ends, in seconds from the file's own zero."""
    known = [ticks for ticks in decoded.pts if ticks is not None]
    if not known:
        return None
    last = max(known)
    durations = dict(zip(announced.packets.pts, announced.packets.durations, strict=True))
    if durations.get(last):
        return seconds(last + durations[last], announced)
    return seconds(last, announced) + (1 / announced.fps if announced.fps else 0.0)


def _video_end(announced: Probe) -> float | None:
    """Where the video announces to end: by its length, or by its number of frames."""
    if not (announced.announced_frames and announced.fps):
        return announced.stream_end
    return max(announced.stream_end or 0.0, (announced.announced_frames - 1) / announced.fps)


def _check_length(clip: Clip, announced: Probe, end: float | None) -> None:
    length, reached = _video_end(announced), end
    if length is None:
        length, reached = announced.file_end, announced.reached
    if length is None or reached is None:
        return
    start, until = clip.start or 0.0, length if clip.end is None else min(clip.end, length)
    if reached - start < ENOUGH * (until - start):
        raise Refused("truncated", f"ends at {reached:.2f} s of {until:.2f} s announced")
