"""`prep preview`: what the model will see, as a page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import arg

from loaders.views import TestViews, TrainViews
from manifests.classes import canonical
from manifests.errors import UserError
from prep.engines import usable_cores
from prep.folders import SHARDS, open_set, set_place
from prep.preview import cards, looks_of, page
from prep.spread import spread
from prep.text import count
from prep.words import Dataset, ShardsAnywhere
from shards.atomic import atomic_write
from shards.subsets import Subset, load_subset


@dataclass(frozen=True)
class Preview:
    """Words of `prep preview`."""

    dataset: Dataset
    shards: ShardsAnywhere = SHARDS
    subset: Annotated[
        str,
        arg(
            metavar="NAME",
            help="a subset beside the shards",
            help_behavior_hint="(default: all clips)",
        ),
    ] = ""
    clips: Annotated[int, arg(metavar="N", help="clips on the page, spread evenly")] = 16
    frames: Annotated[int, arg(metavar="T", help="frames of a clip")] = 8
    size: Annotated[int, arg(metavar="PIXELS", help="side of the square the model sees")] = 224
    seed: Annotated[int, arg(metavar="N", help="decides the training views, as in training")] = 1
    out: Annotated[Path, arg(metavar="HTML", help="the page")] = Path("preview.html")

    def run(self) -> PreviewReport:
        """Make the page."""
        if self.clips < 1:
            raise UserError(f"--clips {self.clips}: at least 1")
        name = canonical(self.dataset)
        store = open_set(name, self.shards)
        shown = spread(store, self.clips, load_subset(store, self.subset) if self.subset else None)
        train = TrainViews(frames=self.frames, size=self.size)
        test = TestViews(frames=self.frames, size=self.size, short_side=self.size * 8 // 7)
        made = cards(store, shown, looks_of(train, test), self.seed, usable_cores())
        about = [
            f"{count(len(shown), 'clip')} of {len(store):,} in {set_place(name, self.shards)}, "
            "spread evenly" + (f" over subset {self.subset}" if self.subset else ""),
            f"Views of {self.frames} frames at {self.size} x {self.size}; training views are those "
            f"of seed {self.seed}. Numbers are source frames. Set {store.identity[:12]}.",
        ]
        text = page(f"{store.info.benchmark}: what the model sees", about, made)
        atomic_write(self.out, text.encode())
        return PreviewReport(self.out, shown)


@dataclass(frozen=True)
class PreviewReport:
    """Where the page is."""

    out: Path
    shown: Subset

    @property
    def exit_code(self) -> int:
        """Always 0."""
        return 0

    def text(self) -> str:
        """One line."""
        return f"{self.out}: {count(len(self.shown), 'clip')}; open it in a browser"

    def as_dict(self) -> dict[str, Any]:
        """The page and the keys of its clips."""
        return {"page": str(self.out), "keys": list(self.shown.keys)}
