"""What a step delivers, decided before a byte is read.

::

    (subset, views, batch, seed, rank, world) --Planner--> step(epoch, s) -> StepPlan
    StepPlan: which clips, which stored frames, which boxes, flips and colours  --backend--> pixels

Every backend is handed the same plans, and nothing random happens after them. A plan depends on
seed, epoch, step and official rows alone, so batches are the same for any number of threads,
after any restart, and (their union) for any number of ranks.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from loaders import colour, geometry, order, sampling
from loaders.blocks import blocked_order
from loaders.draws import row_uniforms
from loaders.mirror import UNFLIPPED, mirrored_labels
from loaders.views import TestViews, TrainViews, Views
from manifests.errors import UserError
from shards.store import ShardStore
from shards.subsets import Subset

PLAN_VERSION = 1
"""Raised when the same seed no longer gives the same batches; older checkpoints are refused."""

PUBLISHED_RANKS, PUBLISHED_BATCH = 8, 2
"""The published evaluations ran on so many ranks, in batches of so many videos."""

Integers = npt.NDArray[np.int64]
Uniforms = npt.NDArray[np.float64]


@dataclass(frozen=True)
class StepPlan:
    """One batch of B clips of one rank; padding comes last and has clip -1, row -1 and label 0.

    ``clips`` (B,) positions in the store; ``rows`` (B,) official rows; ``labels`` (B,) local
    labels; ``frames`` (B, K, T) positions among the stored frames. ``geometry`` and ``colours``
    hold what is done to the frames of each clip; entries of padding mean nothing. Chance was
    drawn for ``epoch``; ``replaced`` clips are not those first planned (faults.py).
    """

    epoch: int
    clips: Integers
    rows: Integers
    labels: Integers
    frames: Integers
    geometry: geometry.Geometry
    colours: colour.Colours
    replaced: int = 0

    @property
    def real(self) -> int:
        """Clips that are not padding; they come first."""
        return int((self.clips >= 0).sum())


class Planner:
    """Plans of one rank's share of the epochs of a subset."""

    def __init__(
        self,
        store: ShardStore,
        subset: Subset,
        views: Views,
        batch: int,
        *,
        seed: int,
        rank: int,
        world: int,
        published_drop: bool = False,
        shuffle_tars: int = 0,
    ) -> None:
        """See ClipLoader for the arguments and what is refused."""
        subset.check(store)
        self.store, self.subset, self.views = store, subset, views
        self.batch, self.seed, self.rank, self.world = batch, seed, rank, world
        _check_share(subset, views, batch, rank, world)
        self._clips = store.index_of(subset.rows)
        self._labels = subset.labels(store)
        self._mirrored = mirrored_labels(subset.classes, store.classes.names)
        self._window = _checked_window(shuffle_tars, views)
        self._tested = _tested(subset, views, published_drop)
        self._order = lru_cache(maxsize=2)(self._epoch_order)

    @property
    def steps(self) -> int:
        """Steps of an epoch, the same on every rank."""
        if isinstance(self.views, TrainViews):
            return order.training_steps(len(self.subset), self.batch)
        return order.evaluation_steps(len(self._tested), self.batch, self.world)

    @property
    def share(self) -> int:
        """Clips of one step on this rank."""
        return self.batch // self.world if isinstance(self.views, TrainViews) else self.batch

    @property
    def wanted(self) -> Integers:
        """Positions in the store of the clips that are shown on any rank, int64 (shown,)."""
        return self._clips[self._tested]

    @property
    def shown(self) -> int:
        """Clips of the subset that an evaluation shows, or that training draws from."""
        return len(self._tested)

    @property
    def shown_rows(self) -> Integers:
        """Their official rows, ascending."""
        return self.subset.rows[self._tested]

    @property
    def identity(self) -> str:
        """Hash of all that decides the global batches: a state saved under another is refused."""
        content = {
            "plan": PLAN_VERSION,
            "kind": type(self.views).__name__,
            "views": asdict(self.views),
            "subset": self.subset.hash,
            "shown": self.shown,
            "seed": self.seed,
            "batch": self.batch,
        }
        if self._window:
            content["shuffle_tars"] = self._window
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def step(self, epoch: int, step: int) -> StepPlan:
        """The batch of a step; any step costs the same."""
        share = (self.rank, self.world)
        if isinstance(self.views, TrainViews):
            places = order.training_slice(self._order(epoch), step, self.batch, *share)
            return self._training(epoch, places, self.views)
        turns = order.evaluation_slice(self.shown, step, self.batch, *share)
        return self._test(epoch, np.where(turns < 0, -1, self._tested[turns]), self.views)

    def of_rows(self, epoch: int, rows: Integers) -> StepPlan:
        """The plan of these rows of the subset, (B,), -1 for padding: what a batch becomes when
        clips of it cannot be used."""
        places = np.where(rows < 0, -1, np.searchsorted(self.subset.rows, rows))
        if isinstance(self.views, TrainViews):
            return self._training(epoch, places, self.views)
        return self._test(epoch, places, self.views)

    @cached_property
    def _tars(self) -> int:
        """Tars that hold clips of the subset."""
        return len(np.unique(self.store.layout.shard_of[self._clips]))

    def upcoming(self, epoch: int, step: int) -> Integers:
        """Positions in the store of the global batch that comes a window of tars after a step, in
        this epoch or the next, int64 (batch,); none in the global order."""
        n = len(self.subset)
        if not self._window:
            return np.empty(0, dtype=np.int64)
        later, start = divmod(step * self.batch + -(-n * self._window // self._tars), n)
        return self._clips[self._order(epoch + later)[start : start + self.batch]]

    def displacement(self) -> int:
        """Largest distance, in source frames, of a frame of the subset's test grid from the stored
        frame that stands for it; training views are measured by the grid of one clip."""
        store = self.store
        stored, of = store.frame_counts[self._clips], store.source_frame_counts[self._clips]
        thinned = np.flatnonzero(stored < of)
        parts = [
            self._displacement(part) for part in np.array_split(thinned, len(thinned) // 4096 + 1)
        ]
        return max(parts)

    def _displacement(self, places: Integers) -> int:
        if not len(places):
            return 0
        clips = self._clips[places]
        wanted = self._wanted(places)
        begins = self.store.frame_ends[clips].astype(np.int64)
        found = self._stored(clips, wanted) + begins[:, None, None]
        return int(np.abs(self.store.frame_numbers[found].astype(np.int64) - wanted).max())

    def _epoch_order(self, epoch: int) -> Integers:
        if self._window:
            tars = self.store.layout.shard_of[self._clips]
            return blocked_order(self.seed, epoch, tars, self._window)
        return order.epoch_order(self.seed, epoch, len(self.subset))

    def _training(self, epoch: int, places: Integers, views: TrainViews) -> StepPlan:
        clips, rows = self._clips[places], self.subset.rows[places]

        def draws(purpose: str, *slots: int) -> Uniforms:
            flat = row_uniforms(self.seed, epoch, purpose, rows, math.prod(slots))
            return flat.reshape(-1, *slots)

        counts = self.store.source_frame_counts[clips].astype(np.int64)
        wanted = sampling.training_frames(counts, draws("frames", views.frames))
        crops = draws("crop", geometry.CROP_SLOTS + 1)
        boxes = geometry.training_geometry(*self._sizes(clips), crops, views)
        labels = self._labels[places]
        if views.flip_labels == "swap":
            mirrored = self._mirrored[labels]
            boxes = replace(boxes, flips=boxes.flips & (mirrored != UNFLIPPED))
            labels = np.where(boxes.flips, mirrored, labels)
        factors = draws("jitter", views.frames, colour.FACTORS) if views.per_frame else None
        return StepPlan(
            epoch=epoch,
            clips=clips,
            rows=rows,
            labels=labels,
            frames=self._stored(clips, wanted[:, None, :]),
            geometry=boxes,
            colours=colour.training_colours(draws("colour", colour.COLOUR_SLOTS), views, factors),
        )

    def _test(self, epoch: int, places: Integers, views: TestViews) -> StepPlan:
        padding = places < 0
        clips = self._clips[places]
        return StepPlan(
            epoch=epoch,
            clips=np.where(padding, -1, clips),
            rows=np.where(padding, -1, self.subset.rows[places]),
            labels=np.where(padding, 0, self._labels[places]),
            frames=self._stored(clips, self._wanted(places)),
            geometry=geometry.test_geometry(*self._sizes(clips), views),
            colours=colour.plain_colours(len(clips), views.statistics),
        )

    def _wanted(self, places: Integers) -> Integers:
        """Source frames of the test grid of some clips of the subset, (B, K, T)."""
        views = self.views
        counts = self.store.source_frame_counts[self._clips[places]].astype(np.int64)
        if isinstance(views, TrainViews) or not views.random_clips or views.clips == 1:
            return sampling.test_frames(counts, views.frames, views.clips)
        rows, slots = self.subset.rows[places], views.clips * views.frames
        draws = row_uniforms(self.seed, 0, "test frames", rows, slots)
        return sampling.random_test_frames(counts, draws.reshape(-1, views.clips, views.frames))

    def _sizes(self, clips: Integers) -> tuple[Integers, Integers]:
        store = self.store
        return store.widths[clips].astype(np.int64), store.heights[clips].astype(np.int64)

    def _stored(self, clips: Integers, wanted: Integers) -> Integers:
        """Positions of the stored frames nearest to the wanted ones, (B, K, T)."""
        store = self.store
        begins = store.frame_ends[clips].astype(np.int64)
        ends = store.frame_ends[clips + 1].astype(np.int64)
        if (ends - begins == store.source_frame_counts[clips]).all():
            return wanted  # every source frame is stored, at the place of its number
        return sampling.nearest_stored(store.frame_numbers, begins, ends, wanted)


def _tested(subset: Subset, views: Views, published_drop: bool) -> Integers:
    """Places in the subset of the clips that are shown."""
    if not published_drop:
        return np.arange(len(subset), dtype=np.int64)
    if isinstance(views, TrainViews):
        raise UserError("published_drop is a rule of evaluation: leave it out in training")
    places = order.published_places(len(subset), PUBLISHED_RANKS, PUBLISHED_BATCH)
    if not len(places):
        raise UserError(
            f"of the {len(subset)} clips of subset {subset.name} the published loaders evaluate "
            "none: leave out published_drop"
        )
    return places


def _checked_window(shuffle_tars: int, views: Views) -> int:
    if shuffle_tars < 0:
        raise UserError(f"shuffle_tars {shuffle_tars}: a number of tars, or 0 for all")
    if shuffle_tars and isinstance(views, TestViews):
        raise UserError("shuffle_tars is an order of training: leave it out in evaluation")
    return shuffle_tars


def _check_share(subset: Subset, views: Views, batch: int, rank: int, world: int) -> None:
    if not 0 <= rank < world:
        raise UserError(f"rank {rank} is not among {world} ranks")
    if batch < 1:
        raise UserError(f"batch {batch}: at least 1 clip")
    if not len(subset):
        raise UserError(f"subset {subset.name} holds no clip")
    if isinstance(views, TestViews):
        return
    if batch % world:
        raise UserError(
            f"a batch of {batch} cannot be shared by {world} ranks: use a multiple of {world}"
        )
    if len(subset) < batch:
        raise UserError(
            f"subset {subset.name} holds {len(subset)} clips, less than one batch of {batch}: "
            f"lower the batch to {len(subset)} or less"
        )
