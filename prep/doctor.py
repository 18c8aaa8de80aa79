"""What this machine has of what the tools need: findings, each with what would mend it.

Libraries are imported in processes of their own, so that one that crashes, hangs or prints is a
finding like any other and not the end of the command.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from manifests.errors import UserError
from prep.video.ffmpeg import build_of, ffmpeg_binary

State = Literal["ok", "note", "missing"]

_GIB = 1 << 30
_PROBE_SECONDS = 120
_LEAST_FILES = 1024
_LEAST_SHM = 1 * _GIB
_LEAST_MEMORY = 4 * _GIB
_LEAST_DISK = 5 * _GIB
_PIP = "pip install -e ."


@dataclass(frozen=True)
class Finding:
    """One thing looked at: "ok", "note" (works without, or worse) or "missing" (does not)."""

    name: str
    state: State
    found: str
    mend: str = ""


@dataclass(frozen=True)
class Probe:
    """A library to import elsewhere: ``code`` prints one JSON value that says what it found."""

    name: str
    code: str
    necessary: bool
    mend: str


# torch says what the GPU is; DALI has builds of its own for CUDA 12 and 13.
PROBES = (
    Probe("PyAV", "import av; say(av.__version__)", True, _PIP),
    Probe(
        "JPEG codecs",
        "import cv2, simplejpeg as s; say(f'simplejpeg {s.__version__}, OpenCV {cv2.__version__}')",
        True,
        _PIP,
    ),
    Probe("Arrow", "import pyarrow; say(pyarrow.__version__)", True, _PIP),
    Probe(
        "decord",
        "import decord; say(decord.__version__)",
        False,
        "only `prep shard --decoder decord` needs it; pip install decord (x86-64 Linux)",
    ),
    Probe(
        "torch",
        "import torch; n = torch.cuda.device_count(); say(torch.__version__ + (f', CUDA "
        "{torch.version.cuda}, {n} x {torch.cuda.get_device_name(0)}' if n else ', no GPU'))",
        True,
        _PIP,
    ),
    Probe(
        "DALI",
        "import nvidia.dali as dali\n"
        "from nvidia.dali.backend import GetCUDADeviceCount\n"
        "try: n = GetCUDADeviceCount()\n"
        "except RuntimeError: n = 0\n"
        "say(dali.__version__ + (f', {n} GPU' if n else ', its CPU operators only'))",
        False,
        "the plain CPU backend loads without it; pip install -e '.[cuda12]' or '.[cuda13]'",
    ),
    Probe(
        "Ray",
        "import ray; say(ray.__version__)",
        False,
        "only `prep shard --engine ray` needs it; pip install -e '.[ray]'",
    ),
    Probe(
        "openai client",
        "import openai; say(openai.__version__)",
        False,
        "only `prep describe ask` needs it; pip install -e '.[describe]'",
    ),
    Probe(
        "object stores",
        "import s3fs, aiohttp; say(f's3fs {s3fs.__version__}, aiohttp {aiohttp.__version__}')",
        False,
        "only shards at s3:// or https:// need it; pip install -e '.[remote]'",
    ),
)


def examine(data: Path) -> list[Finding]:
    """Look at everything; ``data`` is the folder that shards will go to."""
    with ThreadPoolExecutor(len(PROBES)) as pool:
        libraries = {item.name: item for item in pool.map(probe, PROBES)}
    return [
        python_version(),
        ffmpeg(),
        *libraries.values(),
        gpu(libraries["torch"]),
        *machine(),
        disk(data),
    ]


def probe(item: Probe) -> Finding:
    """Import a library in a process of its own and hear what it says."""
    code = f"import json\ndef say(found): print('\\n' + json.dumps(found))\n{item.code}"
    state: State = "missing" if item.necessary else "note"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Finding(item.name, state, f"no answer within {_PROBE_SECONDS} s", item.mend)
    if done.returncode:
        return Finding(item.name, state, _last_line(done.stderr, done.returncode), item.mend)
    return Finding(item.name, "ok", str(json.loads(done.stdout.splitlines()[-1])))


def ffmpeg() -> Finding:
    """The binary that `prep shard` decodes with."""
    try:
        binary = ffmpeg_binary()
        return Finding("ffmpeg", "ok", f"{build_of(binary)[0]} at {binary}")
    except UserError as error:
        return Finding("ffmpeg", "missing", str(error), "install ffmpeg, or imageio-ffmpeg")


def python_version() -> Finding:
    """The interpreter, which the tokenizer's wheels bind to 3.10 to 3.12."""
    version = ".".join(map(str, sys.version_info[:3]))
    if (3, 10) <= sys.version_info[:2] < (3, 13):
        return Finding("Python", "ok", version)
    return Finding("Python", "missing", version, "use Python 3.10, 3.11 or 3.12")


def gpu(torch: Finding) -> Finding:
    """Whether there is an NVIDIA device, and whether torch sees it."""
    if not list(Path("/dev").glob("nvidia[0-9]*")):
        return Finding("GPU", "note", "none: the processor does all the work")
    if "CUDA" in torch.found:
        return Finding("GPU", "ok", "seen by torch")
    mend = "update the driver, or install the torch build of its CUDA version"
    return Finding("GPU", "note", "there is one that torch does not see", mend)


def machine() -> Iterator[Finding]:
    """Processor, memory, shared memory, limit of open files."""
    yield Finding("processor", "ok", f"{len(os.sched_getaffinity(0))} cores usable")
    memory = memory_limit()
    yield _enough("memory", memory, _LEAST_MEMORY, "use fewer --workers, smaller batches")
    shm = shutil.disk_usage("/dev/shm").total if Path("/dev/shm").is_dir() else 0
    yield _enough("/dev/shm", shm, _LEAST_SHM, "in a container: --shm-size=8g, or --ipc=host")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = soft < _LEAST_FILES
    mend = f"ulimit -n {min(hard, 65536) if hard > 0 else 65536}" if few else ""
    yield Finding("open files", "note" if few else "ok", f"{soft:,} at most", mend)


def memory_limit() -> int:
    """Bytes of memory this process may use: the machine's, or less where a control group says."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limits.append(int(Path(file).read_text()))
        except (OSError, ValueError):
            continue  # not there, or "max"
    return min(limits)


def disk(data: Path) -> Finding:
    """Free space where shards will go, and whether anything can be written there."""
    place = data.resolve()
    while not place.exists():
        place = place.parent
    if not (place.is_dir() and os.access(place, os.W_OK)):
        mend = "run elsewhere, or name another folder with --out"
        return Finding("disk", "missing", f"{place} cannot be written to", mend)
    free = _enough("disk", shutil.disk_usage(place).free, _LEAST_DISK, "name a larger disk: --out")
    return Finding("disk", free.state, f"{free.found} free at {place}", free.mend)


def _enough(name: str, size: int, least: int, mend: str) -> Finding:
    text = f"{size / _GIB:.1f} GiB"
    return Finding(name, "ok", text) if size >= least else Finding(name, "note", text, mend)


def _last_line(stderr: str, code: int) -> str:
    lines = stderr.strip().splitlines()
    how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
    return lines[-1] if lines and code > 0 else how
