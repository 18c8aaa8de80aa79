"""One outcome for each clip: its frames as JPEGs, or why it is refused.

A file is decoded from its first frame to its last, once for all clips that lie in it::

    probe      what does the file announce, which packets are in it           -> refusals
    foresee    the packets' times tell which frames will be wanted
    decode     one pass: every frame counted, the wanted ones encoded         -> refusals
    compare    were these the right ones? If not, one more pass, now knowing every frame
    judge      is enough of what was announced there, and sound?              -> refusals

Frame i of a stored clip is the file's i-th frame in display order, counted from the clip's first.
A clip with start and end has exactly the frames whose presentation time t, in seconds from the
file's own zero, fulfils start <= t < end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from prep.video.framefolder import folder_clips
from prep.video.frames import choose_frames, views
from prep.video.jpegs import jpeg_size
from prep.video.passes import Pass, decode
from prep.video.probe import Probe, check_disk, probe
from prep.video.refusal import Refused
from prep.video.settings import EncodeSettings, Limits
from prep.video.soundness import Soundness, judge
from prep.video.verdicts import Span, check_clip, clip_span, frame_rate
from shards.schema import Clip, EncodedClip, Reject

Outcome = EncodedClip | Reject


def clip_outcomes(
    clips: Sequence[Clip], root: Path, settings: EncodeSettings, limits: Limits, benchmark: str
) -> Iterator[Outcome]:
    """One outcome a clip, in the order of ``clips``, each of which names a file below ``root``.

    With the decoder "frames" each names a folder of images instead, see ``framefolder.py``.

    Holds one clip in memory at a time, or those of one video together. Raises UserError when
    ffmpeg is missing or the disk fails; what is wrong with a file is a ``Reject``.
    """
    chooser = _Chooser(settings.budget(benchmark), views(benchmark))
    ready = _refuse_repeats(clips)
    by_file: dict[str, list[Clip]] = {}
    for clip in clips:
        if clip.row not in ready:
            by_file.setdefault(_file(clip), []).append(clip)
    for clip in clips:
        if clip.row not in ready:
            together = by_file.pop(_file(clip))
            ready |= _file_outcomes(together, root, settings, limits, chooser)
        yield ready.pop(clip.row)


@dataclass(frozen=True)
class _Chooser:
    budget: int | None
    clips: int

    def of(self, span: Span) -> tuple[int, ...]:
        """Frames of a clip to store, counted from its first."""
        return self.of_count(span.count)

    def of_count(self, count: int) -> tuple[int, ...]:
        """Frames to store of a clip of so many."""
        return choose_frames(count, self.budget, self.clips)

    def wanted(self, spans: Sequence[Span]) -> list[int]:
        """Frames of the file to encode for clips that lie so, ascending."""
        return sorted({span.first + i for span in spans for i in self.of(span)})


def _file(clip: Clip) -> str:
    if clip.file is None:
        raise ValueError(f"{clip.key}: its file is absent")
    return clip.file


def _refuse_repeats(clips: Sequence[Clip]) -> dict[int, Outcome]:
    """Refusals of clips that name the file and the span of an earlier one."""
    first: dict[tuple[str, float | None, float | None], Clip] = {}
    refusals: dict[int, Outcome] = {}
    for clip in clips:
        earlier = first.setdefault((_file(clip), clip.start, clip.end), clip)
        if earlier is not clip:
            refusals[clip.row] = _reject(clip, Refused("listed-twice", f"as row {earlier.row}"))
    return refusals


def _file_outcomes(
    clips: Sequence[Clip], root: Path, settings: EncodeSettings, limits: Limits, chooser: _Chooser
) -> dict[int, Outcome]:
    """Outcomes by row of all clips that lie in one file."""
    path = (root / _file(clips[0])).absolute()
    if settings.decoder == "frames":
        return _folder_outcomes(clips, path, settings, limits, chooser)
    try:
        announced = probe(path)
        decoded = _decode(path, announced, clips, settings, limits, chooser)
        damage = judge(path, announced.stream, limits) if decoded.errors else None
    except Refused as refused:
        check_disk(path)
        return {clip.row: _reject(clip, refused) for clip in clips}
    outcomes = {clip.row: _outcome(clip, announced, decoded, damage, chooser) for clip in clips}
    if any(isinstance(outcome, Reject) for outcome in outcomes.values()):
        check_disk(path)
    return outcomes


def _folder_outcomes(
    clips: Sequence[Clip], path: Path, settings: EncodeSettings, limits: Limits, chooser: _Chooser
) -> dict[int, Outcome]:
    """Outcomes by row of all clips that lie in one folder of frames."""
    try:
        found = folder_clips(clips, path, settings, limits, chooser.of_count)
    except Refused as refused:
        return {clip.row: _reject(clip, refused) for clip in clips}
    return {
        clip.row: _reject(clip, outcome) if isinstance(outcome, Refused) else outcome
        for clip in clips
        for outcome in (found[clip.row],)
    }


def _decode(
    path: Path,
    announced: Probe,
    clips: Sequence[Clip],
    settings: EncodeSettings,
    limits: Limits,
    chooser: _Chooser,
) -> Pass:
    """A pass that holds every frame that the clips store."""

    def wanted(pts: Sequence[int | None]) -> list[int] | None:
        numbers = chooser.wanted([clip_span(clip, announced, pts) for clip in clips])
        return None if len(numbers) == len(pts) else numbers

    foreseen = wanted(sorted(announced.packets.pts, key=lambda pts: (pts is None, pts or 0)))
    decoded = decode(path, announced.stream, foreseen, settings, limits)
    needed = wanted(decoded.pts)
    missing = set(range(decoded.count) if needed is None else needed) - decoded.jpegs.keys()
    if not missing:
        return decoded
    again = decode(path, announced.stream, needed, settings, limits)
    if again.pts != decoded.pts:
        raise Refused("unreadable", "two passes over the file do not agree")
    if missing - again.jpegs.keys():
        raise Refused("unreadable", f"only {len(again.jpegs)} of {again.count} frames are given")
    return again


def _outcome(
    clip: Clip, announced: Probe, decoded: Pass, damage: Soundness | None, chooser: _Chooser
) -> Outcome:
    span = clip_span(clip, announced, decoded.pts)
    try:
        errors = check_clip(clip, span, announced, decoded, damage)
    except Refused as refused:
        return _reject(clip, refused)
    numbers = chooser.of(span)
    frames = tuple(decoded.jpegs[span.first + i] for i in numbers)
    width, height = jpeg_size(frames[0])
    return EncodedClip(
        clip=clip,
        frames=frames,
        source_frames=numbers,
        source_frame_count=span.count,
        fps=frame_rate(span, announced, decoded),
        width=width,
        height=height,
        decode_errors=errors,
    )


def _reject(clip: Clip, refused: Refused) -> Reject:
    return Reject(clip.row, clip.key, clip.name, _file(clip), refused.reason, refused.detail)
