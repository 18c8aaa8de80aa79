"""Words that several commands share, with one explanation each; for fields of their dataclasses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from prep.folders import Place

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
    Place,
    arg(
        metavar="DIR",
        help="the folder that holds NAME/, the set of shards",
        help_behavior_hint="(default: data/shards)",
    ),
]
ShardsAnywhere = Annotated[
    Place,
    arg(
        metavar="DIR|URL",
        help="the folder that holds NAME/, the set of shards, or its address: s3://, https://, "
        "hf://",
        help_behavior_hint="(default: data/shards)",
    ),
]
Out = Annotated[Place, arg(metavar="DIR", help="the folder that NAME/, the set, goes into")]
Frames = Annotated[
    Literal["auto", "all"] | int,
    arg(
        metavar="auto|all|N",
        help="frames stored of a clip: what its benchmark's protocols ask for, all, or N",
    ),
]
ShortSide = Annotated[
    int, arg(metavar="PIXELS", help="length of the short side at most; never enlarged")
]
DecoderName = Annotated[
    Literal["ffmpeg", "decord", "pyav"], arg(help="what takes the frames out of the files")
]
FromFrames = Annotated[
    bool,
    arg(
        help="take folders of extracted frames (img_00001.jpg, ...) where the layout of the "
        "benchmark has videos"
    ),
]
Fps = Annotated[
    float | None,
    arg(
        metavar="RATE",
        help="with --from-frames: frames a second of the folders; needed where clips are parts of "
        "a video",
        help_behavior_hint="(default: unknown, stored as 0)",
    ),
]
Workers = Annotated[
    int | None,
    arg(metavar="N", help="processes", help_behavior_hint="(default: one a core)"),
]
ClipsPerShard = Annotated[
    int | None,
    arg(
        metavar="N",
        help="clips of a shard, on average",
        help_behavior_hint="(default: a 64th of the list, between 8 and 256)",
    ),
]
CpuLimit = Annotated[
    float, arg(metavar="SECONDS", help="processor time after which a clip is given up")
]
