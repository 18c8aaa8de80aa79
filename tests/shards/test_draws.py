"""The draws against a plain-Python Philox-4x64-10, so that no NumPy version may change them."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shards.draws import raw_draws

WORD = (1 << 64) - 1


def philox(key: tuple[int, int], n: int) -> list[int]:
    """Salmon et al. 2011: ten rounds over a 256-bit counter that starts at 1."""
    words: list[int] = []
    counter = 1
    while len(words) < n:
        x = [(counter >> (64 * i)) & WORD for i in range(4)]
        k0, k1 = key
        for _ in range(10):
            first, second = 0xD2E7470EE14C6C93 * x[0], 0xCA5A826395121157 * x[2]
            x = [
                (second >> 64) ^ x[1] ^ k0,
                second & WORD,
                (first >> 64) ^ x[3] ^ k1,
                first & WORD,
            ]
            k0, k1 = (k0 + 0x9E3779B97F4A7C15) & WORD, (k1 + 0xBB67AE8584CAA73B) & WORD
        words += x
        counter += 1
    return words[:n]


@given(
    st.integers(-5, 2**70), st.one_of(st.integers(0, 99), st.text(max_size=9)), st.integers(0, 9)
)
def test_draws_are_philox_keyed_by_seed_and_stream(seed, stream, n):
    kind = "text" if isinstance(stream, str) else "number"
    digest = hashlib.sha256(f"{seed}/{kind}/{stream}".encode()).digest()
    key = int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:16], "little")
    assert raw_draws(seed, stream, n).tolist() == philox(key, n)


@given(st.integers(0, 50), st.integers(0, 50))
def test_shorter_draws_are_a_prefix(a, b):
    short, long = sorted((a, b))
    assert raw_draws(1, "x", short).tolist() == raw_draws(1, "x", long)[:short].tolist()


@pytest.mark.parametrize("other", [(2, "1"), (1, "2"), (1, 1)])
def test_streams_are_apart(other):
    assert not np.intersect1d(raw_draws(1, "1", 1000), raw_draws(*other, 1000)).size


def test_numpy_seeds_are_plain_numbers():
    assert (raw_draws(np.int64(3), np.int64(4), 5) == raw_draws(3, 4, 5)).all()
