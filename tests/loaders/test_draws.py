"""Draws: keyed by clip and nothing else, uniform, and the same for ever."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from loaders.draws import row_uniforms

rows_of = st.lists(st.integers(0, 2**40), min_size=1, max_size=20, unique=True)


@given(rows_of, st.integers(0, 2**30), st.integers(0, 1000), st.integers(1, 12), st.data())
def test_a_draw_belongs_to_its_row_and_slot(rows, seed, epoch, slots, data):
    every = row_uniforms(seed, epoch, "crop", np.array(rows), slots + 3)
    assert every.shape == (len(rows), slots + 3)
    assert every.min() >= 0 and every.max() < 1
    some = data.draw(st.permutations(range(len(rows))))[: len(rows) // 2 + 1]
    part = row_uniforms(seed, epoch, "crop", np.array(rows)[some], slots)
    assert (part == every[some, :slots]).all()


def test_the_draws_never_change():
    """Written down: other draws under the same seed would break every saved run."""
    found = row_uniforms(1, 2, "crop", np.array([0, 20_000_000]), 2)
    assert found.tolist() == [
        [0.777433065426532, 0.0804215244226425],
        [0.5835408235294133, 0.37275542867562883],
    ]


def test_seeds_epochs_and_purposes_share_nothing():
    rows = np.arange(100)
    kinds = [(1, 0, "crop"), (2, 0, "crop"), (1, 1, "crop"), (1, 0, "colour")]
    draws = np.concatenate([row_uniforms(*kind, rows, 50).ravel() for kind in kinds])
    assert len(np.unique(draws)) == len(draws)


def test_they_are_uniform_and_neighbours_are_independent():
    draws = row_uniforms(3, 4, "crop", np.arange(5000), 40)
    assert abs(draws.mean() - 0.5) < 0.003
    cells = np.bincount((draws.ravel() * 100).astype(int), minlength=100)
    assert ((cells - 2000) ** 2 / 2000).sum() < 150  # 99 degrees of freedom
    centred = draws - 0.5
    for one, other in [
        (centred[1:], centred[:-1]),
        (centred[:, 1:], centred[:, :-1]),
        (centred, row_uniforms(3, 5, "crop", np.arange(5000), 40) - 0.5),
    ]:
        correlation = (one * other).mean() * 12
        assert abs(correlation) < 4 / np.sqrt(one.size)
