"""Memory for batches, used again as soon as nobody holds the batch any more.

A batch of 32 clips is 154 MB. Fresh memory for each costs a page fault every 4 kB, where measured
a sixth of the time that a clip takes; so it is kept, as much as was ever in use at one time.
"""

from __future__ import annotations

import math
import weakref

import numpy as np
import numpy.typing as npt
import torch


class Buffers:
    """Lends float32 tensors on the CPU; what was lent comes back when its last tensor dies."""

    def __init__(self) -> None:
        self._free: dict[int, list[npt.NDArray[np.float32]]] = {}

    def take(self, shape: tuple[int, ...]) -> torch.Tensor:
        """A tensor of any content; its memory is the taker's while any view of it lives."""
        size = math.prod(shape)
        free = self._free.setdefault(size, [])
        memory = free.pop() if free else np.empty(size, dtype=np.float32)
        lent = memory[:]
        # The tensor holds this array, and the array the memory: it dies with the last tensor.
        weakref.finalize(lent, free.append, memory).atexit = False
        return torch.from_numpy(lent).view(shape)
