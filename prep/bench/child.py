"""One measured process: ``python -m prep.bench.child NAME`` reads the work from stdin.

Nothing else runs in it, as what a pipeline leaves behind (threads, prefetched batches, warm
memory) would be measured with the next one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict

from manifests.errors import UserError
from prep.bench import chain
from prep.bench.work import Figure, Work, timed


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


def main() -> int:
    """Measure one way; its figure goes to stdout as JSON, a refusal to stderr as one line."""
    work = Work(**json.load(sys.stdin))
    try:
        figure = WAYS[sys.argv[1]](work)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(asdict(figure)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
