"""One measured process: ``python -m prep.bench.child WORDS``, the way and its work.

Nothing else runs in it, as what a pipeline leaves behind (threads, prefetched batches, warm
memory) would be measured with the next one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from prep.bench import chain
from prep.bench.work import Figure, Work, timed
from prep.processes import serve


def _dali(upto: str, device: str) -> Callable[[Work], Figure]:
    def run(work: Work) -> Figure:
        from prep.bench.dali import shortened  # an extra

        return timed(shortened(work, upto, device), work.seconds)  # type: ignore[arg-type]

    return run


def _loader(backend: str, device: str) -> Callable[[Work], Figure]:
    return lambda work: timed(chain.loader(work, backend, device), work.seconds)  # type: ignore[arg-type]


def _published(*, augment: bool) -> Callable[[Work], Figure]:
    def run(work: Work) -> Figure:
        from prep.bench.published import Published

        path = Published(work, augment=augment)
        return timed(path.units(), work.seconds, path.cpu)

    return run


WAYS: dict[str, Callable[[Work], Figure]] = {
    "read": lambda work: timed(chain.threaded(work, "read"), work.seconds),
    "limit": lambda work: timed(chain.limit(work), work.seconds),
    "published/decode": _published(augment=False),
    "published/whole": _published(augment=True),
    "cpu/decode": lambda work: timed(chain.threaded(work, "decode"), work.seconds),
    "cpu/crop": lambda work: timed(chain.threaded(work, "crop"), work.seconds),
    "cpu/whole": _loader("cpu", "cpu"),
    "cpu/device": _loader("cpu", "cuda"),
    "dali-cpu/decode": _dali("decode", "cpu"),
    "dali-cpu/crop": _dali("crop", "cpu"),
    "dali-cpu/whole": _loader("dali", "cpu"),
    "dali-gpu/decode": _dali("decode", "cuda"),
    "dali-gpu/crop": _dali("crop", "cuda"),
    "dali-gpu/whole": _loader("dali", "cuda"),
}


def main(words: dict[str, Any]) -> dict[str, Any]:
    """Measure one way, as ``prep.bench.rounds.alone`` asks."""
    return asdict(WAYS[words["way"]](Work(**words["work"])))


if __name__ == "__main__":
    sys.exit(serve(main))
