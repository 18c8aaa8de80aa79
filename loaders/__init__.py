"""Shards in, batches on the device out: one plan, two backends, every frame accounted for."""

from loaders.clips import Batch, ClipLoader
from loaders.views import TestViews, TrainViews

__all__ = ["Batch", "ClipLoader", "TestViews", "TrainViews"]
