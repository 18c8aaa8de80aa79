"""Words that several commands share, with one explanation each; for fields of their dataclasses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tyro.conf import arg

Dataset = Annotated[
    str,
    arg(
        metavar="NAME",
        help="ucf101, hmdb51, kinetics400, kinetics600, ssv2, activitynet, toy or custom",
    ),
]
Root = Annotated[
    Path | None,
    arg(
        metavar="DIR",
        help="the benchmark's raw folder",
        help_behavior_hint="(default: data/raw/NAME)",
    ),
]
Annotations = Annotated[
    Path | None,
    arg(
        metavar="DIR",
        help="the folder of its official files; for custom, the list itself",
        help_behavior_hint="(default: found inside the raw folder)",
    ),
]
Shards = Annotated[
    Path,
    arg(
        metavar="DIR",
        help="the folder that holds NAME/, the set of shards",
        help_behavior_hint="(default: data/shards)",
    ),
]
