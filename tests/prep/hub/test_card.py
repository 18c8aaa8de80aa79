"""What the card says, held against the set it speaks of."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.classes import BENCHMARKS
from prep.cli import parsed
from prep.hub.about import about
from prep.hub.card import card_text, made_by
from prep.hub.contents import HubSet, read_set
from prep.video.settings import EncodeSettings, chosen_decoder
from shards.records import DatasetHeader
from shards.store import ShardStore
from shards.subsets import few_shot
from tests.prep.hub.sets import parted, shared
from tests.shards.made import CLASSES


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> ShardStore:
    """A set whose splits share their videos, with a subset."""
    made = shared(tmp_path_factory.mktemp("set") / "custom")
    few_shot(made, 2, "train1", 1).save(made.folder)
    return made


@pytest.fixture(scope="module")
def found(store) -> HubSet:
    """That set as it is exported."""
    return read_set("custom", store.folder)


def _table(text: str, title: str) -> list[list[str]]:
    """Cells of the rows of the table under a line of column titles."""
    lines = iter(text.splitlines())
    assert any(line == title for line in lines), title
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip("` ") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows


def test_counts_are_those_of_the_set(store, found):
    text = card_text(found, about("custom"))
    splits = _table(text, "| official split | clips |")
    assert splits == [[name, str(store.split(name).sum())] for name in store.info.splits]
    ((name, _, tars, clips, size),) = _table(
        text, "| `load_dataset` | files | tars | clips | bytes |"
    )
    there = sorted((store.folder / "shards").glob("*.tar"))
    assert (name, int(tars), int(clips)) == ("full", len(there), len(store))
    assert int(size.replace(",", "")) == sum(tar.stat().st_size for tar in there)
    classes = _table(text, "| id | class | clips |")
    counts = np.bincount(store.labels, minlength=len(CLASSES)).tolist()
    assert [int(clips) for _, _, clips in classes] == counts
    assert "28 of the 30 clips" in text
    assert "1 refused for what they hold: unreadable 1" in text
    assert "1 had no file" in text


def test_subsets_are_listed_with_their_hashes(found):
    text = card_text(found, about("custom"))
    ((name, kind, seed, clips, classes, digest),) = _table(
        text, "| name | kind | seed | clips | classes | hash |"
    )
    (subset,) = found.subsets
    assert (name, kind, seed) == (subset.name, "few-shot", "1")
    assert (int(clips), int(classes)) == (len(subset), len(subset.classes))
    assert subset.hash.startswith(digest)


def test_clips_without_a_label_have_a_row_of_their_own(tmp_path):
    made = parted(tmp_path / "custom")
    rows = _table(
        card_text(read_set("custom", made.folder), about("custom")), "| id | class | clips |"
    )
    assert rows[-1][0] == "-1"
    assert int(rows[-1][2]) == (made.labels < 0).sum()


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("<b>kick</b> & `run`", r"\<b>kick\</b> \& \`run\`"),
        ("*a* __b__ _c", r"\*a\* \_\_b\_\_ \_c"),
        (r"[x](y) a\b $z$", r"\[x\](y) a\\b \$z\$"),
        ("kick_ball, 2: \u00fc", "kick_ball, 2: \u00fc"),
    ],
)
def test_a_name_is_no_markup(found, name, cell):
    header = DatasetHeader("custom", (name, *CLASSES[1:]), *_rest(found))
    text = card_text(replace(found, info=replace(found.info, header=header)), about("custom"))
    assert f"\n| 0 | {cell} | " in text


@settings(max_examples=30)
@given(st.lists(st.text(min_size=1, max_size=12), min_size=4, max_size=4, unique=True))
def test_a_class_is_one_row_whatever_its_name(found, names):
    header = DatasetHeader("custom", tuple(names), *_rest(found))
    other = replace(found, info=replace(found.info, header=header))
    text = card_text(other, about("custom"))
    tail = text[text.index("| id | class | clips |") :].rstrip("\n").split("\n")
    assert len(tail) == 2 + len(names)
    assert all(re.fullmatch(rf"\| {i} \| .*\| \d+ \|", tail[2 + i]) for i in range(len(names)))


def _rest(found: HubSet):
    return found.info.header.splits, found.info.header.settings


@pytest.mark.parametrize("benchmark", [*BENCHMARKS, "custom"])
@pytest.mark.parametrize("frames", ["auto", "all", 17])
@pytest.mark.parametrize(
    "source", [{"decoder": "pyav"}, {"decoder": "frames"}, {"decoder": "frames", "fps": 29.97003}]
)
def test_the_command_names_the_settings(found, benchmark, frames, source):
    made = EncodeSettings(frames=frames, short_side=128, **source)
    header = DatasetHeader(benchmark, CLASSES, (), made.as_json(benchmark))
    words = made_by(replace(found.info, header=header)).split()
    assert words[:2] == ["prep", "shard"]
    said = parsed("shard", words[2:])
    decoder = chosen_decoder(said.decoder, said.from_frames)
    again = EncodeSettings(said.frames, said.short_side, decoder=decoder, fps=said.fps)
    assert said.dataset == benchmark
    assert again.as_json(benchmark) == made.as_json(benchmark)
