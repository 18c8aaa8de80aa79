"""`python -m tests`: format, lint, types and tests, in that order; stops at the first failure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STEPS = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("mypy",),
    ("pytest", "-n", "2", "--dist", "worksteal", "-q"),
)


def main() -> int:
    """Run every step as a process of this interpreter; return the first failing exit code."""
    # Two workers share the cores; more threads than its share only hold a worker up.
    threads = str(max(1, (os.cpu_count() or 2) // 2))
    environment = {"OMP_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "false"} | dict(os.environ)
    for step in STEPS:
        words = [sys.executable, "-m", *step, *(sys.argv[1:] if step[0] == "pytest" else [])]
        print("$", " ".join(words[1:]), flush=True)
        done = subprocess.run(words, cwd=ROOT, env=environment, check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
