"""The list of checksums, by which a folder is known as an export's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prep.hub.target import parse_sums, sums_text

_DIGEST = st.text("0123456789abcdef", min_size=64, max_size=64)
_WORD = st.text("abc-_0", min_size=1, max_size=8)
_PLACE = st.builds(lambda *parts: "".join(parts), st.sampled_from(["shards/", "subsets/"]), _WORD)
_FACES = dict.fromkeys(("README.md", "croissant.json", "dataset.json"), "0" * 64)
_MINE = sums_text(_FACES)


@given(st.dictionaries(_PLACE, _DIGEST, max_size=8))
def test_sums_come_back(hashes):
    assert parse_sums(sums_text(hashes | _FACES)) == hashes | _FACES


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{'0' * 64}  shards/a.tar\n",
        *(
            _MINE + line
            for line in ("hello\n", f"{'0' * 63}  shards/a\n", f"{'0' * 64} *shards/a\n", "\n")
        ),
        *(
            _MINE + f"{'0' * 64}  {place}\n"
            for place in ("thesis.tex", "../shards/a", "shards/../../a", "/etc/passwd")
        ),
    ],
)
def test_other_text_is_none(text):
    with pytest.raises(ValueError, match="no "):
        parse_sums(text)
