"""Starting a decoder so that it cannot outlive its parent or its limit of CPU time.

The child has a session of its own, so that Ctrl-C on the terminal reaches only the program that
started it; Linux sends it SIGKILL when the thread that started it ends. ``setpriv`` of util-linux
asks the kernel for that: Python itself could ask only between fork and exec, and forking a program
that has libraries loaded costs more than decoding a small clip's first frames. Where there is no
such ``setpriv``, Python does ask.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache

from manifests.errors import UserError

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

#: CPU seconds between the kernel's first word to stop (SIGXCPU) and its last (SIGKILL).
_GRACE = 2


def launch(
    command: Sequence[str], cpu_seconds: float, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a command with pipes on its two outputs; UserError when it cannot be started."""
    if shutil.which(command[0]) is None:
        raise UserError(f"cannot start {command[0]}: there is no such program")
    prefix = _death_with_parent()
    parent = os.getpid()
    try:
        child = subprocess.Popen(
            [*prefix, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
            preexec_fn=None if prefix else lambda: _ask_for_death_with(parent),
        )
    except OSError as error:
        raise UserError(f"cannot start {command[0]}: {error.strerror}") from error
    _limit(child.pid, cpu_seconds)
    return child


@lru_cache(maxsize=1)
def _death_with_parent() -> tuple[str, ...]:
    """Words before a command that let it die with its parent; none where they are not known."""
    setpriv = shutil.which("setpriv")
    if setpriv is None or not sys.platform.startswith("linux"):
        return ()
    words = (setpriv, "--pdeathsig", "KILL")
    tried = subprocess.run([*words, setpriv, "--version"], capture_output=True, check=False)
    return words if tried.returncode == 0 else ()


def _ask_for_death_with(parent: int) -> None:
    """In the child, before the decoder takes over."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _limit(pid: int, cpu_seconds: float) -> None:
    """Limit the CPU time of a child, and let it leave no core file."""
    soft = max(1, math.ceil(cpu_seconds))
    with contextlib.suppress(ProcessLookupError):  # it has ended already
        resource.prlimit(pid, resource.RLIMIT_CPU, (soft, soft + _GRACE))
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
