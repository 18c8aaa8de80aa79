"""The picture of a confusion matrix."""

from __future__ import annotations

import base64
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from train.confusion import cells, picture

SVG = "{http://www.w3.org/2000/svg}"


def decoded(code: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(code, np.uint8), cv2.IMREAD_COLOR).astype(int).sum(axis=2)


def test_a_cell_is_the_darker_the_larger_its_share_of_the_row():
    matrix = np.array([[8, 1, 1], [0, 3, 0], [0, 0, 0]])
    found = decoded(cells(matrix))
    assert found.shape == (3, 3)
    assert found[0, 0] < found[0, 1] == found[0, 2] < 3 * 255
    assert found[1, 1] < found[0, 0]
    assert (found[1, [0, 2]] == 3 * 255).all() and (found[2] == 3 * 255).all()


@pytest.mark.parametrize("count", [1, 2, 400])
def test_names_stand_beside_their_own_rows_and_columns(count):
    generator = np.random.default_rng(count)
    matrix = generator.integers(0, 5, (count, count))
    names = [f"<class> & {i}" for i in range(count)]
    drawn = ElementTree.fromstring(picture(matrix, names, "test & more"))
    title, *texts = [text.text for text in drawn.iter(f"{SVG}text")]
    assert title == "test & more"
    assert texts[1::2] == names
    told = [f"{n}  {matrix[i, i]}/{matrix[i].sum()}" for i, n in enumerate(names)]
    assert texts[::2] == told
    [image] = drawn.iter(f"{SVG}image")
    code = base64.b64decode(image.attrib["href"].partition(",")[2])
    assert code == cells(matrix)
    rows = [float(t.attrib["y"]) for t in list(drawn.iter(f"{SVG}text"))[1::2]]
    top, height = (float(image.attrib[name]) for name in ("y", "height"))
    assert [int((y - top) / (height / count)) for y in rows] == list(range(count))
