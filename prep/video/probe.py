"""What a file announces and which packets it holds, read by PyAV without decoding.

The streams' headers say what a file claims to be; a walk over its packets says what is in it. The
verdict on a file compares the two with what was decoded.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from errno import EACCES, EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EPERM
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from manifests.errors import UserError
from prep.video.encrypted import holds_encrypted_track
from prep.video.refusal import Refused

#: A packet of one byte holds no frame: it stands for "as before" where frames were dropped.
NO_FRAME_BYTES = 1

#: Errors of a file itself; any other is the disk's.
OF_THE_FILE = (ENOENT, EACCES, EPERM, EISDIR, ENOTDIR, ELOOP, ENAMETOOLONG)

#: Seconds that opening or reading may stand still before a file is given up.
_PATIENCE = 120.0

_CHUNK = 1 << 20

#: Formats that only name other files or addresses.
_LISTS = ("concat", "hls", "dash", "imf", "sdp")

_ENCRYPTED_TAGS = ("encv", "drmi")


@dataclass(frozen=True)
class PacketTimes:
    """Packets of the chosen stream that hold a frame to show, in the order of the file.

    ``pts`` presentation times in ticks (decoding time where a container gives no other, None
    where it gives neither); ``durations`` in ticks, 0 where it is not told. ``hidden`` counts
    packets before the first frame to show, left over by a cut without encoding anew; ``reached``
    is the end in seconds, from time 0, of the last packet of any stream.
    """

    pts: tuple[int | None, ...]
    durations: tuple[int, ...]
    hidden: int
    encrypted: bool
    reached: float


@dataclass(frozen=True)
class Probe:
    """The largest video stream of a file.

    ``start`` is the file's own zero in seconds: the earliest time stamp of any stream, from which
    players count. ``announced_frames`` is 0 where nothing is said or it cannot be trusted.
    ``stream_end`` and ``file_end`` are where the stream and the whole file announce to end, in
    seconds from ``start``, None where they do not; ``reached`` is where the last packet of any
    stream does end. ``fps`` is 0 where it is not told.
    """

    stream: int
    codec: str
    time_base: Fraction
    start: Fraction
    fps: float
    announced_frames: int
    stream_end: float | None
    file_end: float | None
    reached: float
    packets: PacketTimes = field(repr=False)


def check_file(path: Path) -> None:
    """Refuse what is no readable file; UserError when it is the disk that fails."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Refused("unreadable", "not a regular file")
            if not os.read(descriptor, 1):
                raise Refused("unreadable", "the file is empty")
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in OF_THE_FILE:
            raise Refused("unreadable", f"{error.strerror}") from error
        raise UserError(f"cannot read {path}: {error.strerror}; is the disk in order?") from error


def check_disk(path: Path) -> None:
    """Read a refused file to its end: UserError when it is the disk that fails, not the file."""
    try:
        check_file(path)
        with path.open("rb", buffering=0) as file:
            while file.read(_CHUNK):
                pass
    except Refused:
        return
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; is the disk in order?") from error


def probe(path: Path) -> Probe:
    """Open a file, choose its stream, walk over its packets.

    Raises Refused: unreadable, no-video-stream or encrypted.
    """
    check_file(path)
    with open_video(path) as container:
        if container.format.name in _LISTS:
            raise Refused("unreadable", f"a list of other files ({container.format.name})")
        stream = _largest(container)
        if _is_encrypted(container, stream, path):
            raise Refused("encrypted", "the video stream is encrypted")
        packets = _walk(container, stream)
        if packets.encrypted:
            raise Refused("encrypted", "the packets of the video stream are encrypted")
        return _describe(container, stream, packets)


def open_video(path: Path) -> Any:
    """Open a file with PyAV, as a local file whatever its name looks like; Refused if it is none.

    No file may open another place: a list of addresses named .mp4 stays unread.
    """
    try:
        return av.open(
            f"file:{path}",
            container_options={"protocol_whitelist": "file"},
            metadata_errors="ignore",
            timeout=_PATIENCE,
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        raise Refused("unreadable", f"cannot be opened: {_words(error)}") from error


def _largest(container: Any) -> Any:
    """The video stream with the most pixels, the first of equals; cover pictures do not count."""
    films = [s for s in container.streams.video if not _is_picture(s)]
    if not films:
        kinds = sorted({s.type for s in container.streams}) or ["nothing"]
        raise Refused("no-video-stream", f"the file holds {', '.join(kinds)} only")
    return max(films, key=lambda s: (s.width * s.height, -s.index))


def _is_picture(stream: Any) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _is_encrypted(container: Any, stream: Any, path: Path) -> bool:
    if stream.codec_context.codec_tag in _ENCRYPTED_TAGS:
        return True
    if "enc_key_id" in {key.lower() for key in stream.metadata}:
        return True
    return "mp4" in container.format.name and holds_encrypted_track(path)


def _walk(container: Any, stream: Any) -> PacketTimes:
    times: list[int | None] = []
    durations: list[int] = []
    ends = dict.fromkeys(range(len(container.streams)), 0)
    encrypted, hidden = False, 0
    for packet in packets_of(container):
        stamp = packet.pts if packet.pts is not None else packet.dts
        number = packet.stream_index
        if stamp is not None and number in ends:
            ends[number] = max(ends[number], stamp + (packet.duration or 0))
        if number != stream.index:
            continue
        hidden += packet.is_discard
        encrypted = encrypted or packet.has_sidedata("encryption_info")
        if shows_frame(packet):
            times.append(stamp)
            durations.append(packet.duration or 0)
    reached = max(float(end * (container.streams[i].time_base or 0)) for i, end in ends.items())
    return PacketTimes(tuple(times), tuple(durations), hidden, encrypted, reached)


def shows_frame(packet: Any) -> bool:
    """Whether a packet holds a frame that is to be shown."""
    return packet.size > NO_FRAME_BYTES and not packet.is_discard


def packets_of(container: Any, *streams: Any) -> Iterator[Any]:
    """All packets up to the end, or up to the first that cannot be read, as the decoder will.

    At the end comes an empty packet for each stream; decoding it gives the frames still held back.
    """
    walk = container.demux(*streams)
    while True:
        try:
            yield next(walk)
        except (StopIteration, av.FFmpegError, OSError):
            return


def _describe(container: Any, stream: Any, packets: PacketTimes) -> Probe:
    start = Fraction(container.start_time or 0, av.time_base)
    rate = stream.average_rate or stream.guessed_rate or stream.base_rate
    constant = bool(stream.average_rate) and stream.average_rate == stream.base_rate
    guessed = bool(container.format.flags & _NO_TIMES)
    whole = container.duration
    return Probe(
        stream=stream.index,
        codec=stream.codec_context.name,
        time_base=Fraction(stream.time_base),
        start=start,
        fps=float(rate or 0),
        announced_frames=max(0, stream.frames - packets.hidden) if constant else 0,
        stream_end=None if guessed else _stream_end(stream, start),
        file_end=None if guessed or whole is None else whole / av.time_base,
        reached=packets.reached - float(start),
        packets=packets,
    )


#: Raw streams without time stamps: their length is a guess from the bit rate.
_NO_TIMES = av.format.Flags.no_timestamps.value


def _stream_end(stream: Any, start: Fraction) -> float | None:
    """Where the stream itself announces to end: by its header, or Matroska's DURATION tag."""
    if stream.duration:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base - start)
    hours, _, rest = stream.metadata.get("DURATION", "").partition(":")
    minutes, _, seconds = rest.partition(":")
    try:
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds) - float(start)
    except ValueError:
        return None


def _words(error: Exception) -> str:
    """The decoder's words for an error, without the path."""
    return getattr(error, "strerror", None) or type(error).__name__
