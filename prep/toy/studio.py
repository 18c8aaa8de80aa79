"""Rendering a cast to video files, and the lists that official benchmarks come with.

::

    <root>/videos/<class>/<stem>.mp4|.avi|.webm     one file a clip
    <root>/toy_clips.csv                            the benchmark: name,class,split
    <root>/list.csv                                 the captioned set: path,class,split

A file is there whole or not at all, so a run that was stopped goes on where it was. The lists are
written last.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from prep.toy.appearance import Appearance, shifted, to_pixels
from prep.toy.cast import Part
from prep.toy.dice import Dice
from prep.toy.film import spoil, write_film
from prep.toy.render import render
from prep.toy.world import draw_scene
from shards.atomic import atomic_write

BENCHMARK_LIST = "toy_clips.csv"
CAPTION_LIST = "list.csv"


def shoot(part: Part, seed: int, root: Path, look: Appearance) -> None:
    """Render one clip to its file, unless it is there."""
    path = root / part.file
    if path.exists():
        return
    scene = draw_scene(part.motion, part.shape, part.colour, Dice(seed, part.stream))
    picture = render(scene)
    if part.other_camera:
        picture = shifted(picture, look, seed, part.stream)
    # The suffix names the container, so the unfinished file bears it too; a dot hides it.
    unfinished = path.with_name(f".{os.getpid()}-{path.name}")
    write_film(unfinished, to_pixels(picture))
    if part.damage:
        spoil(unfinished, part.damage)
    unfinished.replace(path)


def shoot_all(parts: list[Part], seed: int, root: Path, look: Appearance, workers: int) -> None:
    """Render every clip of a cast in a pool of processes."""
    for folder in {(root / part.file).parent for part in parts}:
        folder.mkdir(parents=True, exist_ok=True)
    work = partial(shoot, seed=seed, root=root, look=look)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        done = pool.map(work, parts, chunksize=16)
        bar = tqdm(done, total=len(parts), desc="render", unit="clip", disable=None)
        for _ in bar:
            pass


def write_benchmark_list(parts: list[Part], root: Path) -> None:
    """The official list of the toy benchmark: one line a clip, in order."""
    rows = ((PurePosixPath(part.file).stem, part.text, part.split) for part in parts)
    _write_csv(root / BENCHMARK_LIST, ("name", "class", "split"), rows)


def write_caption_list(parts: list[Part], root: Path) -> None:
    """The list of the captioned set, in the form of one's own videos: a caption is a class."""
    rows = ((part.file, part.text, part.split) for part in parts)
    _write_csv(root / CAPTION_LIST, ("path", "class", "split"), rows)


def _write_csv(path: Path, names: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    atomic_write(path, text.getvalue().encode())
