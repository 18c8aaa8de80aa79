"""The list of checksums, by which a folder is known as an export's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prep.hub.target import parse_sums, sums_text

_DIGEST = st.text("0123456789abcdef", min_size=64, max_size=64)
_WORD = st.text("abc-_0", min_size=1, max_size=8)
_PLACE = st.builds(lambda *parts: "/".join(parts) + ".tar", _WORD, _WORD)


@given(st.dictionaries(_PLACE, _DIGEST, max_size=8))
def test_sums_come_back(hashes):
    assert parse_sums(sums_text(hashes)) == hashes


@pytest.mark.parametrize(
    "text", ["hello\n", f"{'0' * 63}  a\n", f"{'0' * 64}  ../a\n", f"{'0' * 64} *a\n", "\n"]
)
def test_other_text_is_none(text):
    with pytest.raises(ValueError, match="no list"):
        parse_sums(text)
