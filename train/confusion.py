"""The picture of a confusion matrix: which classes were taken for which.

::

    wave   14/20   ##......        a row a class, a column a class it was taken for; the darker a
    clap    3/20   .#...#..        cell, the larger its share of the row's videos

One SVG file that needs nothing else: the cells are one small picture inside it, the names are text
that can be read and searched at any size.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence

import cv2
import numpy as np

_CELL = 12  # units of the drawing
_LETTER = 6  # width of one in a name
_DARK = np.array((0x6B, 0x30, 0x08))  # blue, green, red


def picture(matrix: np.ndarray, names: Sequence[str], title: str) -> str:
    """SVG text of counts `(C, C)`, row i the videos of class i, in the order of `names`."""
    rows = [f"{name}  {matrix[i, i]}/{matrix[i].sum()}" for i, name in enumerate(names)]
    left = _LETTER * max(len(text) for text in rows) + 10
    top = 30 + _LETTER * max(len(name) for name in names)
    side = _CELL * len(names)
    parts = [f'<text x="10" y="18" font-size="14">{html.escape(title)}</text>']
    for i, (row, name) in enumerate(zip(rows, names, strict=True)):
        middle = _CELL * i + _CELL * 0.75
        parts += [
            f'<text x="{left - 4}" y="{top + middle}" text-anchor="end">{html.escape(row)}</text>',
            f'<text transform="translate({left + middle} {top - 4}) rotate(-90)">'
            f"{html.escape(name)}</text>",
        ]
    code = base64.b64encode(cells(matrix)).decode()
    parts += [
        f'<image x="{left}" y="{top}" width="{side}" height="{side}" '
        f'style="image-rendering:pixelated" href="data:image/png;base64,{code}"/>',
        f'<rect x="{left}" y="{top}" width="{side}" height="{side}" fill="none" stroke="#444"/>',
    ]
    width, height = max(left + side + 10, _LETTER * len(title) * 2), top + side + 10
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="10" role="img">'
        f'<rect width="{width}" height="{height}" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def cells(matrix: np.ndarray) -> bytes:
    """PNG of one pixel a cell: white for none of a class's videos, dark for all of them.

    The square root of the share, or single mistakes among many videos would not be seen.
    """
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    pixels = 255 - np.sqrt(share)[..., None] * (255 - _DARK)
    done, code = cv2.imencode(".png", pixels.round().astype(np.uint8))
    assert done
    return bytes(code)
