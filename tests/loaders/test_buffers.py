"""Memory of batches: used again, never under somebody's hands."""

from __future__ import annotations

import gc

import torch
from hypothesis import given
from hypothesis import strategies as st

from loaders.buffers import Buffers


def test_memory_comes_back_when_the_last_view_dies():
    buffers = Buffers()
    first = buffers.take((2, 3))
    place, view, array = first.data_ptr(), first[1], first.numpy()
    del first
    assert buffers.take((2, 3)).data_ptr() != place
    del view
    assert array.shape == (2, 3)
    other = buffers.take((2, 3))
    assert other.data_ptr() != place
    del array
    gc.collect()
    assert place in {buffers.take((3, 2)).data_ptr(), buffers.take((6,)).data_ptr()}


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 4)), max_size=40))
def test_what_is_held_is_never_overwritten(steps):
    """Take a batch of some size, fill it with its number, and let an older one go."""
    buffers, held = Buffers(), {}
    for number, (size, dropped) in enumerate(steps):
        held[number] = buffers.take((size, 2)).fill_(number)
        for other, tensor in held.items():
            assert (tensor == other).all()
        held.pop(number - dropped, None)
    pointers = [tensor.data_ptr() for tensor in held.values()]
    assert len(set(pointers)) == len(pointers)


def test_a_loop_that_holds_one_batch_needs_two():
    buffers, places, batch = Buffers(), set(), torch.empty(0)
    for _ in range(20):
        batch = buffers.take((1000,))
        places.add(batch.data_ptr())
    assert len(places) == 2 and len(batch) == 1000
