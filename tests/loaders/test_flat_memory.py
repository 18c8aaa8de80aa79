"""Epoch after epoch: no memory and no file handle is gained, and no thread."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

_STATUS = Path("/proc/self/status")
pytestmark = pytest.mark.skipif(
    not _STATUS.exists(), reason="memory and handles are read from /proc"
)

SCRIPT = """
import json, os, sys
from pathlib import Path
from loaders.clips import ClipLoader
from loaders.views import TrainViews
from shards.store import ShardStore
from shards.subsets import split_subset

store = ShardStore.open(Path(sys.argv[1]))
subset = split_subset(store, sys.argv[3])
seen = []
with ClipLoader(store, subset, TrainViews(size=112), 4, backend=sys.argv[2]) as loader:
    for epoch in range(25):
        for batch in loader.epoch(epoch):
            batch.clips.sum()
        del batch
        lines = Path("/proc/self/status").read_text().splitlines()
        status = dict(line.split(":", 1) for line in lines)
        memory = int(status["VmRSS"].split()[0])
        seen.append([memory, int(status["Threads"]), len(os.listdir("/proc/self/fd"))])
print(json.dumps(seen))
"""


@pytest.mark.parametrize("backend", ["cpu", "dali"])
def test_twenty_epochs_gain_nothing(texture_store, backend: str) -> None:
    """Within 2 % of resident memory, once the first five epochs have taken what is kept.

    Medians of the ten epochs before and the ten after: DALI takes and frees memory for every batch,
    so that one look at it finds 2 % more or less than the next, and no trend.
    """
    if backend == "dali" and importlib.util.find_spec("nvidia") is None:
        pytest.skip("NVIDIA DALI is not installed")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    split = texture_store.info.splits[0]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(texture_store.folder), backend, split],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    memory, threads, handles = zip(*json.loads(done.stdout.splitlines()[-1])[5:], strict=True)
    assert median(memory[-10:]) <= 1.02 * median(memory[:10])
    assert len(set(threads)) == 1
    assert max(handles) == handles[0]
