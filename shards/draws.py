"""The one source of chance: counter-based draws that are the same on every machine.

``Generator.permutation`` and its kin may change with the version of NumPy; the raw words of a bit
generator may not. So every shuffle, sample and augmentation of the project is computed from the
words below, which are Philox-4x64 keyed by a hash of (seed, stream): the first n words of a stream
do not depend on n, and word i can stand for row i whatever else is drawn.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt


def raw_draws(seed: int, stream: int | str, n: int) -> npt.NDArray[np.uint64]:
    """The first ``n`` raw 64-bit words of a stream, uint64 (n,).

    ``seed`` is what the user chose, ``stream`` what the draws are for (``"few-shot"``, an epoch
    number). Two streams of one seed share nothing; 1 and "1" are different streams.
    """
    kind = "text" if isinstance(stream, str) else "number"
    text = f"{int(seed)}/{kind}/{stream}"
    key = np.frombuffer(hashlib.sha256(text.encode()).digest()[:16], dtype="<u8")
    words = np.random.Philox(key=key.astype(np.uint64)).random_raw(n)
    return np.asarray(words, dtype=np.uint64)
