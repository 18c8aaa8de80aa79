"""One decoder as a child process: limited in CPU time, never an orphan, never a deadlock.

The child writes JPEGs to its standard output and lines of text to its standard error; a thread
reads the lines so that neither pipe can fill up and stop it. It has a session of its own, so that
Ctrl-C on the terminal reaches only the program that started it, and it dies with that program:
Linux sends it SIGKILL when the thread that started it ends. The limit of CPU time is the
kernel's, so it holds whatever the child does; one that neither computes nor writes is stopped too.
"""

from __future__ import annotations

import ctypes
import math
import os
import resource
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from manifests.errors import UserError

LineReader = Callable[[bytes], None]

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

#: Seconds after which a child that neither writes nor computes is given up, and how often to look.
_STANDSTILL = 300.0
_LOOK_EVERY = 5.0

#: CPU seconds between the kernel's first word to stop (SIGXCPU) and its last (SIGKILL).
_GRACE = 2

_CHUNK = 1 << 20
_LONGEST_LINE = 4096

#: Signals that come from outside: the user's, the scheduler's, the out-of-memory killer's.
_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


@dataclass(frozen=True)
class Finished:
    """``output``: all that the child wrote; ``status``: its exit status, negative for a signal;
    ``over``: the limit it met, if any."""

    output: bytes
    status: int
    over: Literal["", "cpu", "standstill"]


def run_limited(
    command: Sequence[str], cpu_seconds: float, line: LineReader, environment: dict[str, str]
) -> Finished:
    """Run a decoder to its end; ``line`` is given each line of its standard error, in a thread.

    Raises UserError when it cannot be started or was killed from outside.
    """
    parent = os.getpid()
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            preexec_fn=lambda: _settle(parent, cpu_seconds),
        )
    except OSError as error:
        raise UserError(f"cannot start {command[0]}: {error.strerror}") from error
    assert child.stdout is not None and child.stderr is not None
    listener = threading.Thread(target=_listen, args=(child.stderr, line), daemon=True)
    listener.start()
    ended = False
    try:
        output, ended = _read_all(child.stdout, child.pid)
    finally:
        if not ended:
            os.kill(child.pid, signal.SIGKILL)
        used = _wait(child)
        listener.join()
        child.stdout.close()
        child.stderr.close()
    if not ended:
        return Finished(output, child.returncode, "standstill")
    if used > cpu_seconds:
        return Finished(output, child.returncode, "cpu")
    if -child.returncode in _OUTSIDE:
        name = signal.Signals(-child.returncode).name
        raise UserError(f"{command[0]} was stopped by {name}: run the same command again")
    return Finished(output, child.returncode, "")


def _settle(parent: int, cpu_seconds: float) -> None:
    """In the child, before the decoder takes over."""
    os.setsid()
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    soft = max(1, math.ceil(cpu_seconds))
    resource.setrlimit(resource.RLIMIT_CPU, (soft, soft + _GRACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _read_all(pipe: IO[bytes], pid: int) -> tuple[bytes, bool]:
    """(what the child wrote, whether it came to its end; it has not when it stood still)."""
    number = pipe.fileno()
    waiter = select.poll()
    waiter.register(number, select.POLLIN)
    parts: list[bytes] = []
    still, computed = 0.0, -1
    while True:
        if waiter.poll(_LOOK_EVERY * 1000):
            part = os.read(number, _CHUNK)
            if not part:
                return b"".join(parts), True
            parts.append(part)
            still = 0.0
        else:
            now = _computed(pid)
            still = 0.0 if now != computed else still + _LOOK_EVERY
            computed = now
            if still >= _STANDSTILL:
                return b"".join(parts), False


def _computed(pid: int) -> int:
    """Clock ticks a process has computed so far; 0 where the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _wait(child: subprocess.Popen[bytes]) -> float:
    """Wait for the child as Popen.wait does; CPU seconds it used."""
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


def _listen(pipe: IO[bytes], line: LineReader) -> None:
    while text := pipe.readline(_LONGEST_LINE):
        line(text)
