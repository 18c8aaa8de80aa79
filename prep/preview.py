"""What the model will see, as a page: stored frames, training views, the test view.

The pictures come out of the loader itself: a batch of normalised floats turned back into 8 bits.
Frame numbers are those of the source video, read off the plan that the loader ran.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import simplejpeg

from loaders.clips import ClipLoader
from loaders.plan import Planner
from loaders.views import DEVIATION, MEAN, TestViews, TrainViews, Views
from shards.store import ShardStore
from shards.subsets import Subset

HEIGHT = 112
"""Pixels of a picture on the page; larger views are thinned to it."""

Pictures = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Strip:
    """The frames of one view of one clip."""

    title: str
    numbers: tuple[int, ...]
    """Source frames, (T,)."""
    pictures: Pictures
    """uint8 (T, S, S, 3)."""

    def jpeg(self) -> bytes:
        """The frames side by side, as they are looked at on a page."""
        step = max(1, self.pictures.shape[1] // HEIGHT)
        row = np.concatenate(list(self.pictures[:, ::step, ::step]), axis=1)
        data: bytes = simplejpeg.encode_jpeg(np.ascontiguousarray(row), quality=85)
        return data


@dataclass(frozen=True)
class Card:
    """One clip: what is known of it and how it looks."""

    key: str
    facts: str
    strips: tuple[Strip, ...]


def cards(
    store: ShardStore,
    subset: Subset,
    looks: Sequence[tuple[str, Views, int]],
    seed: int,
    threads: int,
) -> list[Card]:
    """Cards of all clips of a (small) subset, in its order.

    looks: title, views and epoch of each strip.
    """
    seen = [_strips(store, subset, look, seed, threads) for look in looks]
    labels = subset.labels(store).tolist()
    places = store.index_of(subset.rows).tolist()
    return [
        Card(
            key=key,
            facts=_facts(store, place, subset.classes[label]),
            strips=tuple(strips[row] for strips in seen),
        )
        for key, row, place, label in zip(
            subset.keys, subset.rows.tolist(), places, labels, strict=True
        )
    ]


def looks_of(train: TrainViews, test: TestViews, epochs: int = 2) -> list[tuple[str, Views, int]]:
    """A few training views of different epochs and the test view."""
    training = [(f"training, epoch {epoch}", train, epoch) for epoch in range(epochs)]
    return [*training, ("test", test, 0)]


def _facts(store: ShardStore, place: int, name: str) -> str:
    width, height = store.size(place)
    stored, source = int(store.frame_counts[place]), int(store.source_frame_counts[place])
    return f"{name}; {width} x {height}, {stored} of {source} frames stored"


def _strips(
    store: ShardStore, subset: Subset, look: tuple[str, Views, int], seed: int, threads: int
) -> dict[int, Strip]:
    """The strip of every row."""
    title, views, epoch = look
    batch = len(subset)
    planner = Planner(store, subset, views, batch, seed=seed, rank=0, world=1)
    plan = planner.step(epoch, 0)
    with ClipLoader(
        store, subset, views, batch, seed=seed, backend="cpu", threads=threads
    ) as loader:
        made = next(iter(loader.epoch(epoch)))
        pixels = made.clips.view(batch, -1, *made.clips.shape[1:])[:, 0].numpy()
    deviation, mean = DEVIATION[views.statistics], MEAN[views.statistics]
    levels = pixels.transpose(0, 1, 3, 4, 2) * deviation + mean
    pictures = np.rint(levels.clip(0, 255)).astype(np.uint8)
    return {
        row: Strip(title, tuple(store.source_frames(clip)[chosen[0]].tolist()), shown)
        for row, clip, chosen, shown in zip(
            plan.rows.tolist(), plan.clips.tolist(), plan.frames, pictures, strict=True
        )
    }


def page(title: str, about: Sequence[str], shown: Sequence[Card]) -> str:
    """One HTML file that needs no other."""
    return "\n".join(_page(title, about, shown)) + "\n"


def _page(title: str, about: Sequence[str], shown: Sequence[Card]) -> Iterator[str]:
    yield f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title>"
    yield f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1>"
    for line in about:
        yield f"<p>{html.escape(line)}</p>"
    for card in shown:
        yield f"<section><h2>{html.escape(card.key)}</h2><p>{html.escape(card.facts)}</p>"
        for strip in card.strips:
            source = base64.b64encode(strip.jpeg()).decode()
            name = html.escape(strip.title)
            yield f"<figure><figcaption>{name}</figcaption>"
            yield f'<img alt="{name}" src="data:image/jpeg;base64,{source}">'
            numbers = "".join(f"<span>{number}</span>" for number in strip.numbers)
            yield f'<div style="width:{_width(strip)}px">{numbers}</div></figure>'
        yield "</section>"
    yield "</html>"


def _width(strip: Strip) -> int:
    side = int(strip.pictures.shape[1])
    step = max(1, side // HEIGHT)
    return len(strip.pictures) * int(-(-side // step))


_STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 2rem; color: #222 }
h1 { font-size: 1.4rem } h2 { font-size: 1rem; margin: 1.5rem 0 0; font-family: monospace }
p { margin: .2rem 0 } figure { margin: .5rem 0 } figcaption { color: #666 }
img { display: block; max-width: none } figure div { display: flex; color: #666; font-size: 12px }
figure div span { flex: 1; text-align: center }
"""
