"""The size a picture is stored in: the sample aspect applied, never enlarged, never cropped."""

from __future__ import annotations

#: The most a side may measure: JPEG ends at 65,535 pixels.
LONGEST = 65500

#: A sample aspect beyond 1:10 or 10:1 is a mistake of the file and is left out.
STRANGEST = 10.0


def shown_size(width: int, height: int, aspect: float, short_side: int) -> tuple[int, int]:
    """(width, height) to store for a picture that stands upright already.

    ``aspect`` is width by height of one of its pixels. The width takes the aspect in, as players
    do; the shorter side is then at most ``short_side``. ``ffmpeg.scale_filter`` says the same in
    ffmpeg's words.
    """
    wide = width * (aspect if 1 / STRANGEST <= aspect <= STRANGEST else 1)
    shrink = min(1, short_side / min(wide, height), LONGEST / max(wide, height))
    return max(1, int(wide * shrink + 0.5)), max(1, int(height * shrink + 0.5))
