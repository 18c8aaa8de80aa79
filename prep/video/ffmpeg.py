"""ffmpeg: where its binary is, which build it is, and the command that decodes one file.

One command decodes a file from its first frame to its last, in display order::

    source -> showinfo (a line a frame: its time) -> select (the frames wanted) -> scale -> mjpeg

and writes the JPEGs end to end to its standard output. The frames pass through as they are, none
doubled or dropped for a frame rate. Rotation is applied by ffmpeg, the sample aspect by the scaler,
and colours become BT.601 full range, the only ones a JPEG can have.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import lru_cache
from typing import Any

import ffmpeg

from manifests.errors import UserError
from prep.video.request import Request
from prep.video.shape import LONGEST, STRANGEST

_MEND = "install ffmpeg, or run `pip install imageio-ffmpeg`"

#: libavutil of ffmpeg 5.1, which renamed -vsync; ffmpeg 9 no longer knows the old name.
_FPS_MODE = (57, 28)


@lru_cache(maxsize=1)
def ffmpeg_binary() -> str:
    """The ffmpeg of the PATH, else the one that imageio-ffmpeg brings; UserError without any."""
    found = shutil.which("ffmpeg")
    if found:
        return found
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise UserError(f"there is no ffmpeg on this machine: {_MEND}") from error


@lru_cache
def build_of(binary: str) -> tuple[str, str]:
    """(version, all that ``ffmpeg -version`` says: compiler, configuration, libraries)."""
    try:
        said = subprocess.run(
            [binary, "-version"], capture_output=True, text=True, check=True, timeout=60
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise UserError(f"{binary} does not run: {_MEND}") from error
    words = said.split()
    if words[:2] != ["ffmpeg", "version"]:
        raise UserError(f"{binary} is no ffmpeg: {_MEND}")
    return words[2], said


def scale_filter(short_side: int) -> str:
    """Apply the sample aspect, shrink to the short side, convert to JPEG's colours.

    The size is that of ``shape.shown_size``, in ffmpeg's words. It is worked out for the first
    frame; if a video changes its own size midway, its later frames are scaled to the same.
    """
    aspect = f"if(between(sar,{1 / STRANGEST:g},{STRANGEST:g}),sar,1)"
    width = f"iw*{aspect}"
    shrink = f"min(1,min({short_side}/min({width},ih),{LONGEST}/max({width},ih)))"
    return (
        f"scale=w='max(1,round({width}*{shrink}))':h='max(1,round(ih*{shrink}))':eval=init"
        ":flags=bicubic+accurate_rnd+bitexact+full_chroma_int"
        ":out_color_matrix=bt601:out_range=full,setsar=1,format=yuvj420p"
    )


def encode_flags(short_side: int, quality: int) -> str:
    """Everything in the command that the bytes depend on, for the fingerprint."""
    return f"{scale_filter(short_side)} mjpeg {quality} {_BITEXACT}"


def decode_command(request: Request) -> list[str]:
    """The command that decodes one stream of a file and encodes the frames wanted."""
    binary = ffmpeg_binary()
    filters = ["showinfo=checksum=0"]
    if request.wanted is not None:
        filters.append(f"select='{_any_of(list(request.wanted))}'")
    filters += [scale_filter(request.short_side), _EVEN_TIMES]
    # Names are taken as local files, whatever they look like, and no file may open another place.
    # Filters set up anew, for a video that changes its size, would count frames from 0 again.
    source = ffmpeg.input(
        f"file:{request.path}",
        threads=1,
        protocol_whitelist="file",
        copyts=None,
        reinit_filter=0,
        **{"flags:v": _BITEXACT},
    )
    options: dict[str, Any] = {
        "vf": ",".join(filters),
        "filter_threads": 1,
        "c:v": "mjpeg",
        "q:v": request.quality,
        "threads": 1,
        "flags:v": _BITEXACT,
        "enc_time_base": "1:25",
        "f": "image2pipe",
        _rate_option(binary): "passthrough",
    }
    command: list[str] = (
        ffmpeg.output(source[str(request.stream)], "pipe:1", **options)
        .global_args("-nostdin", "-hide_banner", "-nostats", "-loglevel", "repeat+verbose")
        .compile(cmd=binary)
    )
    return command


_BITEXACT = "+bitexact"

#: The encoder refuses frames that come closer than its clock ticks, as they do at variable rates.
_EVEN_TIMES = "settb=1/25,setpts=N"


@lru_cache
def _rate_option(binary: str) -> str:
    found = re.search(r"libavutil\s+(\d+)\.\s*(\d+)", build_of(binary)[1])
    known = (int(found[1]), int(found[2])) if found else _FPS_MODE
    return "fps_mode" if known >= _FPS_MODE else "vsync"


def _any_of(numbers: list[int]) -> str:
    """An expression that is true for these frames; a tree, as ffmpeg limits the depth of one."""
    if not numbers:
        return "0"
    if len(numbers) == 1:
        return f"eq(n,{numbers[0]})"
    if numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"between(n,{numbers[0]},{numbers[-1]})"
    half = len(numbers) // 2
    return f"({_any_of(numbers[:half])}+{_any_of(numbers[half:])})"
