"""What ffmpeg says is read right even where the lines of two of its threads run together."""

from __future__ import annotations

import pytest

from prep.video.passes import _Listener

FRAME = (
    b"[Parsed_showinfo_0 @ 0x55d0] n:   8 pts:      8 pts_time:0.666667 duration:      1 "
    b"duration_time:0.0833333 fmt:yuv420p cl:left sar:1/1 s:96x96 i:P iskey:0 type:P "
)
ERROR = b"[dec:mpeg4 @ 0x55d1] corrupt decoded frame\n"


@pytest.mark.parametrize(
    "lines",
    [
        [FRAME + b"\n", ERROR],
        [ERROR, FRAME + b"\n"],
        [FRAME + ERROR, b"[Parsed_showinfo_0 @ 0x55d0] \n"],
        [FRAME + b"corrupt decoded frame\n", b"\n"],
    ],
)
def test_an_error_in_the_line_of_a_frame_counts(lines):
    said = _Listener()
    said.pts = list(range(8))
    for line in lines:
        said.lines(line)
    assert (said.pts[8:], said.errors, said.in_order) == ([8], 1, True)
    together = _Listener()
    together.pts = list(range(8))
    together.lines(b"".join(lines))
    assert (together.pts, together.errors, together.in_order) == (said.pts, 1, True)
