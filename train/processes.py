"""Processes of a run: started where the launcher does not, gone when the launcher is gone.

`accelerate launch --cpu --num_processes N` starts one process only (Accelerate 1.15 leaves the
others to MPI). `start_ranks` makes good what was asked for: the one process becomes the parent of
N ranks, with the variables that any launcher sets. On GPUs the launcher starts them itself.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

_PR_SET_PDEATHSIG = 1
_PATIENCE_S = 5.0  # a rank failed: the others leave by themselves, or are asked to
_GRACE_S = 60.0  # … or are ended


def leave_with_launcher() -> None:
    """Have the kernel send SIGTERM when the launcher dies, so that no orphan writes on.

    Only where a launcher started us: a run begun by hand may outlive its shell.
    """
    launched = "ACCELERATE_MIXED_PRECISION" in os.environ or "LOCAL_RANK" in os.environ
    if launched and sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def missing_ranks() -> int:
    """Number of ranks that were asked for on CPU but not started; 0 when all is as asked."""
    variables = os.environ
    on_cpu = variables.get("ACCELERATE_USE_CPU", "").lower() in ("true", "1")
    # The launcher sets an address for N > 1 but no rank: that is how its silence shows.
    if not on_cpu or "MASTER_PORT" not in variables or "RANK" in variables:
        return 0
    if any(
        name in variables for name in ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK")
    ):
        return 0
    return _asked_for(_words_of(os.getppid()))


def _words_of(process: int) -> list[str]:
    """Command line of a process; empty where it cannot be read."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().decode().split("\0")
    except (OSError, UnicodeDecodeError):
        return []


def _asked_for(words: Sequence[str]) -> int:
    """`--num_processes` of the launcher's own command line; 0 when it says nothing."""
    for place, word in enumerate(words):
        name, _, inline = word.partition("=")
        if name in ("--num_processes", "--num-processes"):
            text = inline or "".join(words[place + 1 : place + 2])
            return int(text) if text.isdigit() and int(text) > 1 else 0
    return 0


def start_ranks(count: int, words: Sequence[str]) -> int:
    """Run this script `count` times as ranks of one run; the first exit code that is not 0."""
    port = _free_port()
    ranks = [
        subprocess.Popen([sys.executable, *words], env=_environment(rank, count, port))
        for rank in range(count)
    ]

    def forward(number: int, _frame: FrameType | None) -> None:
        for process in ranks:
            if process.poll() is None:
                process.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, forward)
    return _wait(ranks)


def _environment(rank: int, count: int, port: int) -> dict[str, str]:
    return dict(os.environ) | {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(ranks: Sequence[subprocess.Popen[bytes]]) -> int:
    """Wait for all; when one fails, the others are given a while to leave by themselves."""
    first, failed_at, ended = 0, float("inf"), False
    while any(process.poll() is None for process in ranks):
        first = first or next((process.returncode for process in ranks if process.returncode), 0)
        failed_at = min(failed_at, time.monotonic()) if first else failed_at
        waited = time.monotonic() - failed_at
        if waited > _GRACE_S or (waited > _PATIENCE_S and not ended):
            for process in ranks:
                process.kill() if waited > _GRACE_S else process.terminate()
            ended = True
        time.sleep(0.05)
    first = first or next((process.returncode for process in ranks if process.returncode), 0)
    return first if first >= 0 else 1
