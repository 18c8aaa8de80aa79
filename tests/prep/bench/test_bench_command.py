"""`prep bench` as it is called, on a small set."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from prep.bench.picture import shares
from prep.bench.rounds import Median


def bench(*words: str, cwd) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-m", "prep.cli", "bench", *words],
        capture_output=True, text=True, cwd=cwd, env=environment, check=False,
    )  # fmt: skip


QUICK = ("--rounds", "1", "--seconds", "0.05", "--batch", "4", "--size", "32", "--threads", "2")


@pytest.mark.slow
def test_every_chain_is_measured(calm, toy_root, tmp_path) -> None:
    done = bench(
        "--dataset", "toy", "--shards", str(calm.folder.parent), "--root", str(toy_root),
        *QUICK, "--picture", "bench.png", "--json", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found["whole"]) == {"published", "cpu", "dali-cpu", "dali-gpu"}
    for chain, rate in found["whole"].items():
        assert (rate is None) == (chain in found["not_measured"])
        assert rate is None or rate > 0
    assert found["whole"]["cpu"] and found["limit"]["clips_per_second"] > 0
    assert set(found["stages"]["cpu"]) >= {"decode", "crop", "whole"}
    ratio = found["whole"]["cpu"] / found["limit"]["clips_per_second"]
    assert found["ratios"]["cpu/limit"] == pytest.approx(ratio)
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")


def test_a_raw_folder_that_is_not_there_is_named(calm, tmp_path) -> None:
    done = bench(
        "--dataset", "toy", "--shards", str(calm.folder.parent), "--root", "nowhere", *QUICK,
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "prep bench: nowhere is no folder: name the raw files of the set by --root"
    ]


def test_shares_are_what_a_stage_adds() -> None:
    def median(spent: float) -> Median:
        return Median(1.0, 1.0, spent / 1000, 1.0, 1.0)

    medians = {
        "read": median(1), "cpu/decode": median(4), "cpu/crop": median(3.5), "cpu/whole": median(9),
        "published/decode": median(80), "published/whole": median(100),
    }  # fmt: skip
    assert shares("cpu", medians) == pytest.approx({"read": 1, "decode": 3, "crop": 0, "whole": 5})
    assert shares("published", medians) == pytest.approx({"decode": 80, "whole": 20})
