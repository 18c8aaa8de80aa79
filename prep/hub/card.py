"""README.md of a dataset repository: the card, from what the set says of itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from prep.descriptions.keeping import origin
from prep.hub.about import About
from prep.hub.contents import HubSet, HubSplit
from prep.hub.header import card_header
from prep.text import count, size
from shards.info import DatasetInfo

_MOST_SUBSETS = 40
# What Markdown takes for more than a letter; an underscore between two letters is none of that.
_MARKUP = re.compile(r"[\\`*<&|~$\[\]]|(?<![^\W_])_|_(?![^\W_])")

_DECODER = '''```python
import itertools
from datasets import load_dataset


def frames(clip):
    """The JPEGs of a clip, from the lengths that stand beside them."""
    sizes = clip["json"]["frame_sizes"]
    ends = itertools.accumulate(sizes)
    return [clip["mjpg"][end - size : end] for end, size in zip(ends, sizes)]


clips = load_dataset(REPOSITORY, split="SPLIT", streaming=True)
clip = next(iter(clips))
jpegs, label = frames(clip), clips.features["cls"].int2str(clip["cls"])
```'''


def card_text(found: HubSet, told: About) -> str:
    """The card: a YAML block for the Hub and `load_dataset`, then words for people."""
    sections = (
        _opening(found, told),
        _terms(told),
        _splits(found),
        _loading(found.splits),
        _own_reader(found.info),
        _subsets(found),
        _encoding(found.info),
        _citing(found.info, told),
        _classes(found),
    )
    body = "\n".join(line for section in sections for line in section)
    return f"---\n{card_header(found, told).strip()}\n---\n\n{body}"


def made_by(info: DatasetInfo) -> str:
    """The command that makes such a set again, of what dataset.json says."""
    words = ["prep shard", f"--dataset {info.benchmark}"]
    if info.benchmark == "custom":
        words.append("--annotations list.csv")
    settings = dict(info.settings)
    if settings.get("decoder") == "frames":
        fps = settings["fps"]
        words.append("--from-frames" if fps is None else f"--from-frames --fps {fps}")
        del settings["decoder"]
    for name in ("frames", "short_side", "decoder"):
        if name in settings:
            words.append(f"--{name.replace('_', '-')} {settings[name]}")
    return " ".join(words)


def holdings(found: HubSet) -> Iterator[str]:
    """What of the official list is here and what is not, a sentence each."""
    info, counts = found.info, found.info.counts
    if info.official is None:
        yield f"{count(counts.stored, 'clip')} stored; how many there are in all is not known."
    else:
        of = count(info.official.clips, "clip")
        yield f"{counts.stored:,} of the {of} of the official list stored."
        if info.official.missing:
            yield f"{info.official.missing:,} had no file when the set was made (`missing.csv`)."
    if counts.rejected:
        why = ", ".join(f"{reason} {number:,}" for reason, number in found.rejects.items())
        yield f"{counts.rejected:,} refused for what they hold: {why} (`rejects.parquet`)."
    if not info.complete:
        yield "This is a part of a set: the rest was not made when it was exported."


def _opening(found: HubSet, told: About) -> Iterator[str]:
    counts, classes = found.info.counts, len(found.info.header.classes)
    part = "" if found.info.complete else " (part of a set)"
    yield f"# {told.title} as shards of JPEG frames{part}"
    yield ""
    yield (
        f"{count(counts.stored, 'video clip')} of {classes:,} "
        f"{'class' if classes == 1 else 'classes'}, {count(counts.frames, 'frame')}, "
        f"{size(counts.bytes)} in {count(len(found.tars), 'tar')}, for action recognition. Each "
        "video was decoded once, to its end; its frames are stored as JPEGs in WebDataset tars."
    )
    yield ""
    yield " ".join(holdings(found))
    yield ""


def _terms(told: About) -> Iterator[str]:
    yield "## Terms"
    yield ""
    yield f"{told.terms[0].upper()}{told.terms[1:]}."
    if told.place:
        yield ""
        yield f"* videos: {told.place.videos}"
        yield f"* annotation: {told.place.annotations}"
        yield ""
        yield (
            "The frames here are copies of those videos and under the same terms. Storing them in "
            "another form gives nobody a right to them."
        )
    yield ""


def _splits(found: HubSet) -> Iterator[str]:
    yield "## Splits"
    yield ""
    yield "| `load_dataset` | files | tars | clips | bytes |"
    yield "|---|---|---|---|---|"
    for split in found.splits:
        tars = f"`shards/{split.partition}-*.tar`"
        yield f"| `{split.name}` | {tars} | {split.tars:,} | {split.clips:,} | {split.bytes:,} |"
    official = found.info.counts.splits
    if official:
        yield ""
        yield "| official split | clips |"
        yield "|---|---|"
        yield from (f"| `{name}` | {number:,} |" for name, number in official.items())
    if official and any(split.partition == "all" for split in found.splits):
        yield ""
        yield (
            "A clip is stored once, whatever number of official splits it is in: `full` is all of "
            "them, and `.json` says of each clip which splits those are."
        )
        yield ""
        yield "```python"
        yield "from datasets import load_dataset"
        yield ""
        yield 'clips = load_dataset(REPOSITORY, split="full", streaming=True)'
        yield (
            f'chosen = clips.filter(lambda said: said["splits"]["{next(iter(official))}"], '
            'input_columns="json")'
        )
        yield "```"
    yield ""


def _loading(splits: Sequence[HubSplit]) -> Iterator[str]:
    yield "## Loading"
    yield ""
    yield "`REPOSITORY` is the name on the Hub, or the folder it was downloaded to."
    yield ""
    yield _DECODER.replace("SPLIT", splits[0].name)
    yield ""
    yield (
        "`cls` is the official class id, -1 where no label is published; `json` holds key, "
        "official name, splits, frame rate, and for each stored frame its bytes and the number of "
        "the source frame; `mjpg` is the JPEGs end to end, and `ffmpeg -f mjpeg -i` plays it. "
        "`samples.parquet` has a row a clip without the frames."
    )
    yield ""


def _own_reader(info: DatasetInfo) -> Iterator[str]:
    yield "## As a set of actionshards"
    yield ""
    yield (
        "The repository is a set as `prep shard` makes it: reader, subsets and training work on it."
    )
    yield ""
    yield "```sh"
    yield f"hf download REPOSITORY --repo-type dataset --local-dir data/shards/{info.benchmark}"
    yield f"prep verify --dataset {info.benchmark}"
    yield "```"
    yield ""
    yield "`sha256sum -c SHA256SUMS` holds every file against its hash without any program of ours."
    yield ""


def _subsets(found: HubSet) -> Iterator[str]:
    if found.subsets:
        yield "## Subsets"
        yield ""
        yield "Rows of the official list, in `subsets/`; the hash covers clips and classes."
        yield ""
        yield "| name | kind | seed | clips | classes | hash |"
        yield "|---|---|---|---|---|---|"
        for one in found.subsets[:_MOST_SUBSETS]:
            seed = "" if one.seed is None else one.seed
            yield (
                f"| `{one.name}` | {one.kind} | {seed} | {len(one):,} | {len(one.classes):,} "
                f"| `{one.hash[:12]}` |"
            )
        if len(found.subsets) > _MOST_SUBSETS:
            yield ""
            yield f"And {len(found.subsets) - _MOST_SUBSETS:,} more."
        yield ""
    if found.descriptions:
        yield "## Descriptions"
        yield ""
        yield "Sentences about the classes, in `descriptions/`."
        yield ""
        for texts in found.descriptions:
            yield f"* `{texts.file_name}`: {texts.kind}, {texts.n} a class, {origin(texts.source)}"
        yield ""


def _encoding(info: DatasetInfo) -> Iterator[str]:
    yield "## How it was made"
    yield ""
    yield "```sh"
    yield made_by(info)
    yield "```"
    yield ""
    yield (
        "(with `--root`, `--annotations` and `--clips-per-shard` where they were not left out: the "
        "set does not know them)"
    )
    yield ""
    yield "| setting | value |"
    yield "|---|---|"
    for name, value in info.settings.items():
        yield f"| {name.replace('_', ' ')} | {value} |"
    for program in info.fingerprints:
        yield f"| made by | {program} |"
    yield ""
    yield (
        "`frames`: the most that are stored of a clip; `short side`: pixels at most, never "
        "enlarged; `quality`: ffmpeg's quantiser, 2 is best. Baseline 4:2:0 JPEG, BT.601 full "
        "range, rotation and sample aspect applied, no sound."
    )
    yield ""


def _citing(info: DatasetInfo, told: About) -> Iterator[str]:
    yield "## Citing"
    yield ""
    if told.paper:
        yield f"The videos and their labels: {told.paper}"
        yield ""
    yield (
        "These bytes: name the identity of the set, the hash of the records of all its shards. Two "
        "sets of one identity hold the same frames."
    )
    yield ""
    yield "```"
    yield f"{info.benchmark} shards, identity {info.identity}"
    yield f"class list {info.classes_hash}"
    yield "```"
    yield ""


def _cell(name: str) -> str:
    """A name inside a table, on one line and as it is: nothing of it is markup."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(name.split()))


def _classes(found: HubSet) -> Iterator[str]:
    yield "## Classes"
    yield ""
    yield "| id | class | clips |"
    yield "|---|---|---|"
    classes = found.info.header.classes
    counts = np.bincount(found.labels[found.labels >= 0], minlength=len(classes)).tolist()
    for number, (name, clips) in enumerate(zip(classes, counts, strict=True)):
        yield f"| {number} | {_cell(name)} | {clips:,} |"
    unlabelled = int((found.labels < 0).sum())
    if unlabelled:
        yield f"| -1 | (no label published) | {unlabelled:,} |"
    yield ""
