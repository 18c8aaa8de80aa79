"""Shards in, batches on the device out: one plan, two backends, every frame accounted for."""

from loaders.clips import Batch, ClipLoader
from loaders.plan import PLAN_VERSION
from loaders.views import TestViews, TrainViews

__all__ = ["PLAN_VERSION", "Batch", "ClipLoader", "TestViews", "TrainViews"]
