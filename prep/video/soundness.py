"""Which packets of a damaged stream decode cleanly, found by decoding it once more with PyAV.

ffmpeg counts what it complains of and conceals the damage, but frames that build on a damaged one
are damaged too, without a complaint. So where ffmpeg met an error, the stream is decoded again
packet by packet: a packet is *sound* when neither it nor any packet since the last key frame failed
or gave a frame that its decoder calls corrupt. Files without errors, nearly all, never come here.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from prep.video.probe import open_video, packets_of, shows_frame
from prep.video.refusal import Refused
from prep.video.settings import Limits


@dataclass(frozen=True)
class Soundness:
    """One entry for each packet that holds a frame to show, in the order of the file.

    ``pts`` presentation times in ticks; ``sound`` whether it decodes cleanly; ``bad`` whether the
    decoder complained of it.
    """

    pts: tuple[int | None, ...]
    sound: tuple[bool, ...]
    bad: tuple[bool, ...]


def judge(path: Path, stream: int, limits: Limits) -> Soundness:
    """Decode a stream packet by packet. Raises Refused beyond the limit of CPU time."""
    with open_video(path) as container:
        chosen = container.streams[stream]
        chosen.codec_context.thread_count = 1
        chosen.codec_context.copy_opaque = True
        facts, bad = _decode_all(container, chosen, time.process_time() + limits.cpu_seconds)
    sound, whole = [], True
    for number, (_, is_key) in enumerate(facts):
        whole = (whole or is_key) and number not in bad
        sound.append(whole)
    return Soundness(
        pts=tuple(pts for pts, _ in facts),
        sound=tuple(sound),
        bad=tuple(number in bad for number in range(len(facts))),
    )


def _decode_all(
    container: Any, stream: Any, deadline: float
) -> tuple[list[tuple[int | None, bool]], set[int]]:
    """((pts, is a key frame) of each packet, numbers of those the decoder complained of)."""
    facts: list[tuple[int | None, bool]] = []
    bad: set[int] = set()
    for packet in packets_of(container, stream):
        if time.process_time() > deadline:
            raise Refused("time-limit", "takes too many CPU seconds to judge")
        if shows_frame(packet):
            facts.append((packet.pts if packet.pts is not None else packet.dts, packet.is_keyframe))
        packet.opaque = len(facts) - 1
        try:
            bad.update(frame.opaque for frame in packet.decode() if frame.is_corrupt)
        except av.FFmpegError:
            bad.add(len(facts) - 1)
    return facts, {number for number in bad if number is not None and number >= 0}
