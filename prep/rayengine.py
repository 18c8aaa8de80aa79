"""Many machines: the tasks of ``run_local`` on a Ray cluster, one shard a task.

::

    driver --task--> Ray --any free core--> ShardWork --> shard and record on the shared disk
       <------------------- its name, clips refused ---------------

Ray decides where a task runs and gives it to another worker when one is lost, with its machine or
alone; nothing else is left to it. Raw videos and ``--out`` are folders that every machine sees
under one path, with this package installed.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import socket
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from manifests.errors import UserError
from prep.engines import Progress, Result, Work
from shards.plan import ShardTask

#: How often a task is begun anew after its worker was lost: machines that are lent come and go.
_RETRIES = 3

#: Shards never pass through Ray: its store of objects may be as small as it takes.
_STORE_BYTES = 100 << 20

#: Seconds that a cluster has to answer at its address; Ray itself tries for a quarter of an hour.
_PATIENCE_S = 10.0

#: Tasks given to Ray for each core, so that none waits for the driver.
_AHEAD = 2


def run_ray(
    work: Work[Result],
    tasks: Iterable[ShardTask],
    workers: int,
    progress: Progress,
    address: str | None = None,
) -> Iterator[Result]:
    """Yield the result of ``work`` for every task, in the order in which they end.

    At most ``workers`` tasks are under way at a time. ``address`` is that of a cluster ("auto" for
    the one of this machine), else the environment's RAY_ADDRESS, else Ray is started here. Progress
    is told once a shard. Raises UserError as ``run_local`` does, and without Ray or its cluster.
    """
    # What Ray says of its machines is not part of the report.
    with contextlib.redirect_stdout(sys.stderr):
        ray = _connect(address or os.environ.get("RAY_ADDRESS") or "local", workers)
        try:
            yield from _run(ray, work, iter(tasks), workers, progress)
        finally:
            ray.shutdown()


def _run(
    ray: Any, work: Work[Result], tasks: Iterator[ShardTask], workers: int, progress: Progress
) -> Iterator[Result]:
    make = ray.remote(num_cpus=1, max_retries=_RETRIES)(_make)
    shared = ray.put(work)
    waiting: dict[Any, ShardTask] = {}
    try:
        while True:
            room = min(workers, _AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1))))
            for task in itertools.islice(tasks, max(0, room - len(waiting))):
                waiting[make.remote(shared, task)] = task
            if not waiting:
                return
            (done, *_), _ = ray.wait(list(waiting), num_returns=1)
            task = waiting.pop(done)
            result, refused = _result(ray, done, task)
            progress(len(task.clips), refused)
            yield result
    finally:
        for ref in waiting:
            with contextlib.suppress(ray.exceptions.RayError):  # the cluster may be gone
                ray.cancel(ref, force=True)


def _make(work: Work[Result], task: ShardTask) -> tuple[Result | None, int, str | None]:
    """On some machine: (what the work gave, clips refused, one line if it was refused itself)."""
    ticks: list[bool] = []
    try:
        return work(task, ticks.append), sum(ticks), None
    except UserError as error:
        return None, 0, str(error)


def _result(ray: Any, ref: Any, task: ShardTask) -> tuple[Any, int]:
    try:
        made, refused, line = ray.get(ref)
    except ray.exceptions.RayTaskError as error:
        raise RuntimeError(f"a worker failed\n{task.shard}: {error}") from error
    except ray.exceptions.RayError as error:
        last = str(error).strip().partition("\n")[0]
        raise UserError(
            f"shard {task.shard} ended its worker {_RETRIES + 1} times, last: {last}; if memory is "
            "short use fewer --workers, else another --decoder; what is finished is kept"
        ) from error
    if line is not None:
        raise UserError(line)
    return made, refused


def _connect(address: str, workers: int) -> Any:
    """The module ``ray``, connected to a cluster, or to one of this machine's own cores."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise UserError("--engine ray needs Ray: pip install 'actionshards[ray]'") from error
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == "local":
        options |= {"num_cpus": workers, "object_store_memory": _STORE_BYTES}
        options |= {"include_dashboard": False}
    try:
        _knock(address)
        ray.init(address=address, **options)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        line = str(error).strip().partition("\n")[0]
        raise UserError(
            f"no Ray cluster at {address} ({line}): name one with --ray-address"
        ) from error
    return ray


def _knock(address: str) -> None:
    """See that somebody listens at an address HOST:PORT; OSError when nobody does."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal() and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), _PATIENCE_S).close()
