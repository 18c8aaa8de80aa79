"""The published path: raw files through decord, in the workers of a torch DataLoader.

What the followed code does for a training clip, in plain torch: one random frame of each of T
segments, short side to 256, a random resized crop, a flip, brightness, contrast, saturation and hue
in random order at p 0.8, grey at p 0.2, normalisation. Its workers are started once.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

from loaders.views import DEVIATION, MEAN, TrainViews
from manifests.errors import UserError
from prep.bench.work import Unit, Work

SHORT_SIDE = 256
GRAIN = 4
"""Clips of a batch: few, since a path of 10 clips/s would give two batches of 32 in the time that
is measured. It is none the slower for it: a clip costs a hundred milliseconds to decode."""
_LUMA = torch.tensor([0.299, 0.587, 0.114])

Item = tuple[torch.Tensor, int, tuple[int, float]]
"""Pixels (T, 3, S, S), bytes of the file, and which worker has spent how many seconds."""


class RawClips(Dataset[Item]):
    """Clips of a set, decoded from their files every time."""

    def __init__(self, work: Work, *, augment: bool) -> None:
        """augment: also all that comes behind the decoder. UserError when a file is absent."""
        store, subset = work.open()
        assert work.root is not None
        root, views = Path(work.root), work.views
        table = store.samples(["row", "file", "start", "end"]).to_pydict()
        of = {row: place for place, row in enumerate(table["row"])}
        places = [of[row] for row in subset.rows.tolist()]
        self.files = [str(root / table["file"][place]) for place in places]
        self.spans = [(table["start"][place], table["end"][place]) for place in places]
        self.views, self.augment = views, augment
        absent = [file for file in self.files if not Path(file).is_file()]
        if absent:
            raise UserError(
                f"{len(absent)} of {len(self.files)} raw files are not there (first: {absent[0]}): "
                "name the raw folder by --root"
            )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Item:
        file = self.files[index]
        frames = torch.from_numpy(decoded(file, self.spans[index], self.views.frames))
        pixels = augmented(frames, self.views) if self.augment else frames
        info = torch.utils.data.get_worker_info()
        number = -1 if info is None else info.id
        return pixels, Path(file).stat().st_size, (number, time.process_time())


def decoded(file: str, span: tuple[float | None, float | None], frames: int) -> np.ndarray:
    """One random frame of each segment of a file, or of seconds of it: uint8 (T, H, W, 3)."""
    from decord import VideoReader, cpu

    reader = VideoReader(file, ctx=cpu(0), num_threads=1)
    first, stop = 0, len(reader)
    if span[0] is not None and span[1] is not None:
        first = min(int(span[0] * reader.get_avg_fps()), stop - 1)
        stop = max(first + 1, min(stop, math.ceil(span[1] * reader.get_avg_fps())))
    edges = np.linspace(first, stop, frames + 1)
    wanted = edges[:-1] + torch.rand(frames).numpy() * np.diff(edges)
    pixels: np.ndarray = reader.get_batch(wanted.astype(int).tolist()).asnumpy()
    return pixels


def augmented(frames: torch.Tensor, views: TrainViews) -> torch.Tensor:
    """uint8 (T, H, W, 3) to normalised float32 (T, 3, S, S), all frames alike."""
    x = frames.permute(0, 3, 1, 2).float()
    scale = SHORT_SIDE / min(x.shape[2:])
    size = [round(scale * side) for side in x.shape[2:]]
    x = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
    top, left, height, width = _box(size[0], size[1], views)
    x = x[:, :, top : top + height, left : left + width]
    x = F.interpolate(x, size=(views.size, views.size), mode="bilinear", align_corners=False)
    if torch.rand(()) < views.flip:
        x = x.flip(3)
    if torch.rand(()) < views.jitter_p:
        x = _jittered(x, views.jitter)
    if torch.rand(()) < views.grey_p:
        x = _luma(x).expand_as(x)
    mean, deviation = (
        torch.tensor(table[views.statistics], dtype=torch.float32)[:, None, None]
        for table in (MEAN, DEVIATION)
    )
    return (x - mean) / deviation


def _box(height: int, width: int, views: TrainViews) -> tuple[int, int, int, int]:
    """Top, left, height, width of a random crop; the largest centre one after ten misses."""
    low, high = map(math.log, views.crop_aspect)
    for _ in range(10):
        share, place = torch.rand(2), torch.rand(2)
        area = height * width * (views.crop_area[0] + share[0] * np.ptp(views.crop_area))
        aspect = torch.exp(low + share[1] * (high - low))
        w, h = round(float((area * aspect).sqrt())), round(float((area / aspect).sqrt()))
        if 0 < w <= width and 0 < h <= height:
            top, left = int(place[0] * (height - h + 1)), int(place[1] * (width - w + 1))
            return top, left, h, w
    side = min(height, width)
    return (height - side) // 2, (width - side) // 2, side, side


def _luma(x: torch.Tensor) -> torch.Tensor:
    return (x * _LUMA[:, None, None]).sum(dim=1, keepdim=True)


def _jittered(x: torch.Tensor, strengths: tuple[float, float, float, float]) -> torch.Tensor:
    factors = [float(1 + (2 * torch.rand(()) - 1) * strength) for strength in strengths[:3]]
    turn = float((2 * torch.rand(()) - 1) * strengths[3])
    steps: list[Callable[[torch.Tensor], torch.Tensor]] = [
        lambda y: y * factors[0],
        lambda y: torch.lerp(_luma(y).mean(dim=(2, 3), keepdim=True), y, factors[1]),
        lambda y: torch.lerp(_luma(y), y, factors[2]),
        lambda y: _turned(y, turn),
    ]
    for place in torch.randperm(4).tolist():
        x = steps[place](x).clamp(0, 255)
    return x


def _turned(x: torch.Tensor, turn: float) -> torch.Tensor:
    """Hue of (T, 3, S, S) on 0..255 turned by a part of a full turn, in HSV."""
    high, low = x.amax(dim=1), x.amin(dim=1)
    chroma = (high - low).clamp(min=1e-6)
    red, green, blue = x.unbind(dim=1)
    sixth = torch.where(
        high == red,
        (green - blue) / chroma,
        torch.where(high == green, 2 + (blue - red) / chroma, 4 + (red - green) / chroma),
    )
    hue = sixth + 6 * turn
    shift = torch.tensor([5.0, 3.0, 1.0])[:, None, None]
    k = (shift + hue[:, None]) % 6
    share = torch.minimum(k, 4 - k).clamp(0, 1)
    return high[:, None] - (high - low)[:, None] * share


class Published:
    """The path as an endless row of batches, and the processor time it has taken."""

    def __init__(self, work: Work, *, augment: bool = True) -> None:
        """augment: False for the decoder alone."""
        clips = RawClips(work, augment=augment)
        self._spent: dict[int, float] = {}
        self._loader = DataLoader(
            clips,
            batch_size=GRAIN if augment else 1,
            shuffle=True,
            num_workers=work.threads,
            persistent_workers=True,
            collate_fn=_collated if augment else _apart,
        )

    def units(self) -> Iterator[Unit]:
        """Batches, epoch after epoch."""
        for _ in itertools.count():
            for _, size, spent in self._loader:
                for worker, seconds in spent:
                    self._spent[worker] = max(seconds, self._spent.get(worker, 0.0))
                yield len(spent), size

    def cpu(self) -> float:
        """Processor seconds of this process and of its workers, as they last said."""
        return time.process_time() + sum(self._spent.values())


def _collated(items: list[Item]) -> tuple[torch.Tensor, int, list[tuple[int, float]]]:
    pixels = torch.stack([item[0] for item in items])
    return pixels, sum(item[1] for item in items), [item[2] for item in items]


def _apart(items: list[Item]) -> tuple[list[torch.Tensor], int, list[tuple[int, float]]]:
    """Frames of different sizes, which do not make one tensor."""
    return [item[0] for item in items], sum(item[1] for item in items), [item[2] for item in items]
