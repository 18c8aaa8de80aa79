"""PyAV or decord in a process of its own that speaks as ffmpeg does: JPEGs out, a line a frame.

::

    python -m prep.video.child '{"path": ..., "decoder": "pyav", "stream": 0, "wanted": [...], ...}'

A process of its own, because decord leaks memory and may crash, and because the limit of CPU time
is then the kernel's. PyAV's frames are scaled by ffmpeg's scaler, decord's, which come as RGB, by
OpenCV's area filter; libjpeg-turbo encodes both.

decord says neither which frames were damaged nor how many there are: it repeats the last one in
place of a frame that is not there. So PyAV decodes the stream beside it and tells frames, times and
errors; decord gives the pixels. It always reads front to back: after a jump it is known for wrong
frames. Which stream it reads cannot be chosen, so a file with several is first copied, its packets
unchanged, into one with the chosen stream alone.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange

from prep.video.pixels import Pixels, encode_jpeg, resized
from prep.video.probe import open_video, packets_of
from prep.video.request import Request
from prep.video.shape import shown_size


def main() -> None:
    """Serve the request on the command line."""
    words = json.loads(sys.argv[1])
    source = _SOURCES[words.pop("decoder")]
    request = Request(**words)
    wanted = None if request.wanted is None else set(request.wanted)
    cv2.setNumThreads(1)
    size: tuple[int, int] | None = None
    for pixels in source(request, wanted):
        size = size or (pixels.shape[1], pixels.shape[0])
        # A video may change its size midway; a clip has one.
        sys.stdout.buffer.write(encode_jpeg(resized(pixels, size), request.quality))
    sys.stdout.buffer.flush()


def _pyav_pixels(request: Request, wanted: set[int] | None) -> Iterator[Pixels]:
    with open_video(Path(request.path)) as container:
        stream = container.streams[request.stream]
        for number, frame in enumerate(_frames(container, stream)):
            if wanted is None or number in wanted:
                turns = round(frame.rotation / 90) % 4
                size = _upright(request, stream, frame, turns)
                width, height = size if turns % 2 == 0 else size[::-1]
                pixels = frame.reformat(width, height, "rgb24", **_colours(frame)).to_ndarray()
                yield np.ascontiguousarray(np.rot90(pixels, turns))


def _decord_pixels(request: Request, wanted: set[int] | None) -> Iterator[Pixels]:
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    with open_video(Path(request.path)) as container:
        stream = container.streams[request.stream]
        aspect = float(stream.sample_aspect_ratio or 1)
        turned = False
        count = 0
        for frame in _frames(container, stream):
            turned = round(frame.rotation / 90) % 2 == 1
            count += 1
        alone = len(container.streams.video) == 1
    source = request.path if alone else _alone(request)
    reader = decord.VideoReader(source, ctx=decord.cpu(0), num_threads=1)
    for number in range(count):
        pixels = reader.next()
        if wanted is None or number in wanted:
            shape = 1 / aspect if turned else aspect
            yield _shrunk(pixels.asnumpy(), shape, request)


def _frames(container: Any, stream: Any) -> Iterator[Any]:
    """Decode a stream to its end, telling each frame and each error on standard error."""
    stream.codec_context.thread_count = 1
    number = 0
    for packet in packets_of(container, stream):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            _say("Error submitting packet to decoder")
            continue
        for frame in frames:
            if frame.is_corrupt:
                _say("corrupt decoded frame")
            ticks = "NOPTS" if frame.pts is None else frame.pts
            kind = "T" if frame.interlaced_frame else "P"
            _say(f"n: {number} pts: {ticks} pts_time:- i:{kind} iskey:{int(frame.key_frame)}")
            number += 1
            yield frame


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


def _upright(request: Request, stream: Any, frame: Any, turns: int) -> tuple[int, int]:
    """Size to store of a frame that is to be turned by so many quarters."""
    aspect = float(stream.sample_aspect_ratio or 1)
    if turns % 2:
        return shown_size(frame.height, frame.width, 1 / aspect, request.short_side)
    return shown_size(frame.width, frame.height, aspect, request.short_side)


def _colours(frame: Any) -> dict[str, Any]:
    """What PyAV must be told to read a frame's colours by its own matrix and range."""
    return {
        "src_colorspace": frame.colorspace,
        "src_color_range": frame.color_range,
        "dst_color_range": ColorRange.JPEG,
    }


def _shrunk(pixels: Pixels, aspect: float, request: Request) -> Pixels:
    height, width = pixels.shape[:2]
    return resized(pixels, shown_size(width, height, aspect, request.short_side))


def _alone(request: Request) -> io.BytesIO:
    """The chosen stream alone, its packets unchanged, in a Matroska file in memory."""
    copy = io.BytesIO()
    with open_video(Path(request.path)) as source, av.open(copy, "w", format="matroska") as target:
        stream = source.streams[request.stream]
        twin = target.add_stream_from_template(stream)
        for packet in packets_of(source, stream):
            if packet.size:
                packet.stream = twin
                target.mux(packet)
    copy.seek(0)
    return copy


_SOURCES = {"pyav": _pyav_pixels, "decord": _decord_pixels}

if __name__ == "__main__":
    main()
