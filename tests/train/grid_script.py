"""Several runs one after another in the same ranks: what starts Python and torch once for all.

accelerate launch ... grid_script.py LINES.json        a list of command lines of train/run.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from accelerate.state import AcceleratorState

from train.processes import missing_ranks, start_ranks
from train.run import main

if __name__ == "__main__":
    ranks = missing_ranks()
    if ranks:
        sys.exit(start_ranks(ranks, [str(Path(__file__).resolve()), *sys.argv[1:]]))
    for line in json.loads(Path(sys.argv[1]).read_text()):
        AcceleratorState._reset_state(reset_partial_state=True)  # a run ends its process group
        code = main(line)
        if code:
            sys.exit(code)
