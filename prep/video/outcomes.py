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

from prep.video.frames import choose_frames, views
from prep.video.jpegs import jpeg_size
from prep.video.passes import Pass, decode
from prep.video.probe import Probe, check_file, probe
from prep.video.refusal import Refused
from prep.video.settings import EncodeSettings, Limits
from prep.video.verdicts import Span, check_span, clip_span
from shards.schema import Clip, EncodedClip, Reject

Outcome = EncodedClip | Reject


def clip_outcomes(
    clips: Sequence[Clip], root: Path, settings: EncodeSettings, limits: Limits, benchmark: str
) -> Iterator[Outcome]:
    """One outcome a clip, in the order of ``clips``, each of which names a file below ``root``.

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

    def wanted(self, spans: Sequence[Span | Refused], count: int) -> tuple[int, ...] | None:
        """Frames of the file to encode, for clips that span these; None for every frame."""
        chosen: set[int] = set()
        for span in spans:
            if isinstance(span, Span):
                chosen.update(span.first + i for i in self.of(span))
        return None if len(chosen) == count else tuple(sorted(chosen))

    def of(self, span: Span) -> tuple[int, ...]:
        """Frames of a clip to store, counted from its first."""
        return choose_frames(span.count, self.budget, self.clips)


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
    path = (root / _file(clips[0])).absolute()
    try:
        announced = probe(path)
        decoded, spans = _decode(path, announced, clips, settings, limits, chooser)
    except Refused as refused:
        return {clip.row: _reject(clip, refused) for clip in clips}
    return {
        clip.row: _outcome(clip, span, announced, decoded, chooser)
        for clip, span in zip(clips, spans, strict=True)
    }


def _decode(
    path: Path,
    announced: Probe,
    clips: Sequence[Clip],
    settings: EncodeSettings,
    limits: Limits,
    chooser: _Chooser,
) -> tuple[Pass, list[Span | Refused]]:
    """A pass that holds every frame that the clips store, and where in the file each clip lies."""
    times = sorted(announced.packets.pts, key=lambda pts: (pts is None, pts or 0))
    foreseen = [clip_span(clip, announced, times) for clip in clips]
    wanted = chooser.wanted(foreseen, len(times))
    decoded = decode(path, announced.stream, wanted, settings, limits)
    spans = [clip_span(clip, announced, decoded.pts) for clip in clips]
    needed = chooser.wanted(spans, decoded.count)
    numbers = range(decoded.count) if needed is None else needed
    if decoded.count and not (decoded.even and decoded.jpegs.keys() >= set(numbers)):
        again = decode(path, announced.stream, needed, settings, limits)
        if again.pts != decoded.pts or not again.jpegs.keys() >= set(numbers):
            raise Refused("unreadable", "two passes over the file do not agree")
        decoded = again
    check_file(path)
    return decoded, spans


def _outcome(
    clip: Clip, span: Span | Refused, announced: Probe, decoded: Pass, chooser: _Chooser
) -> Outcome:
    try:
        if isinstance(span, Refused):
            raise span
        check_span(clip, span, announced, decoded)
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
        fps=announced.fps,
        width=width,
        height=height,
        decode_errors=decoded.errors,
    )


def _reject(clip: Clip, refused: Refused) -> Reject:
    return Reject(clip.row, clip.key, clip.name, _file(clip), refused.reason, refused.detail)
