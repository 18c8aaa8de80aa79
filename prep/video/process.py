"""One decoder as a child process: limited in CPU time, never an orphan, never a deadlock.

The child writes JPEGs to its standard output and lines of text to its standard error; a thread
reads the lines so that neither pipe can fill up and stop it. The limit of CPU time is the kernel's,
so it holds whatever the child does; one that neither computes nor writes is stopped too.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from manifests.errors import UserError
from prep.video.launch import launch

TextReader = Callable[[bytes], None]

#: Seconds after which a child that neither writes nor computes is given up, and how often to look.
_STANDSTILL = 300.0
_LOOK_EVERY = 5.0

#: Bytes that a pipe is asked to hold, and seconds in which it may fill: a child writes every frame
#: and every word by itself, and to wake up for each would cost a fifth of the decoding.
_PIPE = 1 << 18
_PAUSE = 0.004
_F_SETPIPE_SZ = 1031
_LONGEST_LINE = 1 << 16

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
    command: Sequence[str], cpu_seconds: float, said: TextReader, environment: dict[str, str]
) -> Finished:
    """Run a decoder to its end; ``said`` is given its standard error, whole lines, in a thread.

    Raises UserError when it cannot be started or was killed from outside.
    """
    child = launch(command, cpu_seconds, environment)
    assert child.stdout is not None and child.stderr is not None
    for pipe in (child.stdout, child.stderr):
        _widen(pipe)
    over = threading.Event()
    listener = threading.Thread(target=_listen, args=(child.stderr, said, over), daemon=True)
    listener.start()
    ended = False
    try:
        output, ended = _read_all(child.stdout, child.pid)
    finally:
        if not ended:
            os.kill(child.pid, signal.SIGKILL)
        used = _wait(child)
        over.set()
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


def _read_all(pipe: IO[bytes], pid: int) -> tuple[bytes, bool]:
    """(what the child wrote, whether it came to its end; it has not when it stood still)."""
    number = pipe.fileno()
    waiter = select.poll()
    waiter.register(number, select.POLLIN)
    parts: list[bytes] = []
    room = memoryview(bytearray(_PIPE))
    still, computed = 0.0, -1
    while True:
        if waiter.poll(_LOOK_EVERY * 1000):
            got = os.readv(number, [room])
            if not got:
                return b"".join(parts), True
            parts.append(bytes(room[:got]))
            still = 0.0
            if got < _PIPE // 4:
                time.sleep(_PAUSE)
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


def _widen(pipe: IO[bytes]) -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # a system may allow less
            fcntl.fcntl(pipe, _F_SETPIPE_SZ, _PIPE)


def _listen(pipe: IO[bytes], said: TextReader, over: threading.Event) -> None:
    """Hand on what is written, cut behind a line; much at a time, as lines are many."""
    rest = b""
    while part := os.read(pipe.fileno(), _PIPE // 4):
        text = rest + part
        end = text.rfind(b"\n") + 1
        if not end and len(text) > _LONGEST_LINE:
            end = len(text)
        if end:
            said(text[:end])
        rest = text[end:]
        if len(part) < _PIPE // 8:
            over.wait(_PAUSE)
    if rest:
        said(rest)
