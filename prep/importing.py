"""Hold a published list against an official annotation and one's own copy; make a subset of it.

::

    list --join by name-->  own copy       found: matched
                       \\->  official list  found there only: missing;  in neither: unknown

Every line is one of the three. Its number is held against the class it names, which is its folder,
else the official class of its clip (prep/numbers.py); where folder and official class differ, the
line is *misfiled*, and the official class is what a subset takes. Without any copy (an annotation
alone), the official list is what lines are matched with, and none is missing.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from manifests.classes import ClassList
from manifests.errors import UserError
from manifests.numberings import Numbering, list_numberings
from prep.benchmarks.layout import Bools, Ints
from prep.joining import Catalogue, Hits, join
from prep.labels import read_labels
from prep.numbers import NONE, Contradiction, Truth, Verdict, candidates_of, judge
from prep.published import PublishedList
from shards.store import ShardStore
from shards.subsets import Subset


@dataclass(frozen=True)
class Comparison:
    """A list, line by line: counts, and what each clip is. N lines; bool arrays are (N,)."""

    listed: PublishedList
    classes: ClassList
    copy: Hits
    matched: Bools
    missing: Bools
    verdict: Verdict
    unlabelled: int  # lines of known clips whose class nobody tells
    repeated: int  # lines of a clip that stood on an earlier line
    misfiled: int  # lines whose folder is another class than the official one

    @property
    def unknown(self) -> Bools:
        """Lines that name no clip of the official list."""
        return ~(self.matched | self.missing)

    def counts(self) -> dict[str, int]:
        """Lines in all, and of each kind."""
        return {
            "listed": len(self.listed),
            "matched": int(self.matched.sum()),
            "missing": int(self.missing.sum()),
            "unknown": int(self.unknown.sum()),
            "conflicts": int(self.verdict.conflicts.sum()),
        }

    @property
    def contradictions(self) -> tuple[Contradiction, ...]:
        """Numbers that contradict the names of clips, by number and class."""
        return self.verdict.contradictions


def compare(
    listed: PublishedList,
    copy: Catalogue,
    official: Catalogue | None = None,
    labels: Path | None = None,
) -> Comparison:
    """Hold a list against a copy, and what the copy lacks against the official list.

    ``labels`` is the label file that the list's numbers are said to follow. Raises UserError when
    the list names classes instead of clips, or the label file is none.
    """
    classes, count = copy.classes, len(listed)
    _check_numbers(listed, classes)
    in_copy = join(listed, copy)
    matched = in_copy.found(count)
    known, hits = copy, in_copy
    if official is not None:
        known, hits = official, join(listed, official)
    missing = hits.found(count) & ~matched
    if not (matched | missing).any():
        _check_clips(listed, classes)
    folders = _folder_classes(listed, classes)
    told = _truths(in_copy, copy, hits, known)
    misfiled = _misfiled(told, folders, count)
    # Folders that contradict most clips are no classes: some raw folder was called "run".
    if 2 * int(misfiled.sum()) > int((folders >= 0).sum()):
        folders, misfiled = np.full(count, -1), np.zeros(count, bool)
    truth = _named(told, folders)
    without = (matched | missing) & ~(np.bincount(truth.lines, minlength=count) > 0)
    return Comparison(
        listed,
        classes,
        in_copy,
        matched,
        missing,
        _verdict(listed, truth, classes, labels),
        unlabelled=int(without.sum()),
        repeated=_repeated(hits if official is not None else in_copy, count),
        misfiled=int(misfiled.sum()),
    )


def imported_subset(
    store: ShardStore, comparison: Comparison, name: str, class_ids: Ints
) -> Subset:
    """The stored clips of a list as a subset; ``class_ids`` int64 (M,) are those of the store.

    Candidates are the classes that the list counts among, in its order, so that local labels are
    its numbers; all classes where its clips are of others too. Raises UserError when no clip of
    known class is stored.
    """
    positions = np.unique(comparison.copy.clips)
    positions = positions[class_ids[positions] >= 0]
    if not len(positions):
        raise UserError(
            f"no clip of {comparison.listed.file} is stored in {store.folder} with a known class: "
            "shard its videos first, or look with --report-only"
        )
    classes = store.classes
    present = {classes.names[number] for number in np.unique(class_ids[positions]).tolist()}
    among = comparison.verdict.candidates
    listed = comparison.listed
    return Subset(
        name,
        store.info.benchmark,
        "imported",
        None,
        {
            "list": listed.file,
            "sha256": listed.sha256,
            "listed": len(listed),
            "numbering": comparison.verdict.numbering,
        },
        among if present <= set(among) else classes.names,
        store.rows[positions],
        tuple(store.keys.take(pa.array(positions)).to_pylist()),
    )


def _check_numbers(listed: PublishedList, classes: ClassList) -> None:
    """UserError for an official file of HMDB-51, whose numbers are flags: 1 train, 2 test."""
    official = classes.benchmark == "hmdb51" and _HMDB_SPLIT.fullmatch(listed.file)
    if official and listed.ids is not None and int(listed.ids.max()) <= 2:
        raise UserError(
            f"{listed.file} is an official split file of hmdb51, which tells train from test and "
            "names no class: name its folder with --annotations, and draw with `prep subset`"
        )


# How clips are called whose list is not at hand: what is called otherwise is no list of clips.
_CLIP_NAMES = {
    "ucf101": r"v_\w+_g\d+_c\d+",
    "hmdb51": r".+_np\d_[a-z]+_[a-z]+_\d+",
    "kinetics400": r"[\w-]{11}(_\d+_\d+)?",
    "kinetics600": r"[\w-]{11}(_\d+_\d+)?",
    "ssv2": r"\d+",
    "activitynet": r"(v_)?[\w-]{11}(_\d+)?",
}
_HMDB_SPLIT = re.compile(r".+_test_split[123]\.txt", re.IGNORECASE)
_NUMBERED_NAME = re.compile(r"\d+[\s,]+(.+)")


def _check_clips(listed: PublishedList, classes: ClassList) -> None:
    """UserError for a list of classes, and for what lists nothing, when no clip was found."""
    numbered = (_NUMBERED_NAME.fullmatch(path) for path in listed.paths)
    names = [m[1].strip('"') if m else p for m, p in zip(numbered, listed.paths, strict=True)]
    if 2 * sum(classes.find(name) is not None for name in names) > len(listed):
        raise UserError(
            f"{listed.file} lists classes of {classes.benchmark}, not clips: name a list of clips, "
            "and give this one with --labels if it says what the numbers of that list mean"
        )
    called = re.compile("|".join(_CLIP_NAMES.values()))
    clips = (
        not path.endswith(stem) or called.fullmatch(stem) or classes.find(folder) is not None
        for stem, path, folder in zip(listed.stems, listed.paths, listed.folders, strict=True)
    )
    if 2 * sum(map(bool, clips)) < len(listed):
        raise UserError(
            f"{listed.file} is no list of clips: no line names one of {classes.benchmark}, first "
            f"{listed.paths[0][:60]!r}; name a published list, one clip a line"
        )


def _truths(in_copy: Hits, copy: Catalogue, hits: Hits, known: Catalogue) -> Truth:
    """Classes of the clips that lines mean, as the copy or the official list tells them."""
    lines = np.concatenate([in_copy.lines, hits.lines])
    class_ids = np.concatenate([copy.class_ids[in_copy.clips], known.class_ids[hits.clips]])
    labelled = class_ids >= 0
    pairs = np.unique(np.stack([lines[labelled], class_ids[labelled]], axis=1), axis=0)
    return Truth(pairs[:, 0], pairs[:, 1])


def _folder_classes(listed: PublishedList, classes: ClassList) -> Ints:
    """Class that the folder of each line is named after, -1 for none, int64 (N,)."""
    folders = listed.folders
    found = {folder: classes.find(folder) if folder else None for folder in set(folders)}
    numbers = (found[folder] for folder in folders)
    return np.array([-1 if number is None else number for number in numbers], np.int64)


def _named(told: Truth, folders: Ints) -> Truth:
    """The class that each line names: its folder's, else what is told of its clips."""
    other = folders[told.lines] < 0
    named = np.flatnonzero(folders >= 0)
    lines = np.concatenate([told.lines[other], named])
    order = np.argsort(lines, kind="stable")
    return Truth(lines[order], np.concatenate([told.class_ids[other], folders[named]])[order])


def _misfiled(told: Truth, folders: Ints, count: int) -> Bools:
    right = told.class_ids == folders[told.lines]
    agree = np.bincount(told.lines[right], minlength=count) > 0
    known = np.bincount(told.lines, minlength=count) > 0
    wrong: Bools = known & (folders >= 0) & ~agree
    return wrong


def _repeated(hits: Hits, count: int) -> int:
    """Lines all of whose clips an earlier line means too."""
    first = np.zeros(len(hits.lines), bool)
    first[np.unique(hits.clips, return_index=True)[1]] = True
    new = np.bincount(hits.lines[first], minlength=count) > 0
    return int((hits.found(count) & ~new).sum())


def _verdict(
    listed: PublishedList, truth: Truth, classes: ClassList, labels: Path | None
) -> Verdict:
    numberings = list_numberings(classes)
    if labels is not None:
        numberings = (read_labels(labels, classes),)
        if listed.ids is None:
            raise UserError(f"{listed.file} has no class numbers: leave out --labels")
    if listed.ids is not None:
        return judge(listed.ids, truth, classes, numberings, given=labels is not None)
    if listed.classes is not None:
        return _by_class_names(listed, truth, classes)
    among = candidates_of(truth, classes, numberings).names if len(truth.lines) else classes.names
    return Verdict(NONE, among, np.zeros(len(listed), bool), ())


def _by_class_names(listed: PublishedList, truth: Truth, classes: ClassList) -> Verdict:
    """A list that names classes: each name is a number of its own making, official where known."""
    names = list(dict.fromkeys(listed.classes or ()))
    number = {name: classes.find(name) for name in names}
    # Names of no class get numbers past the last, which stand for nothing.
    past = {name: len(classes) + i for i, name in enumerate(names)}
    found = {name: past[name] if n is None else n for name, n in number.items()}
    ids = np.array([found[name] for name in listed.classes or ()], np.int64)
    verdict = judge(ids, truth, classes, (Numbering("class names", classes.names),), given=True)
    said = {number: name for name, number in past.items()}
    told = tuple(
        replace(item, says=said.get(item.number, item.says)) for item in verdict.contradictions
    )
    return replace(verdict, contradictions=told)


def examples(listed: PublishedList, chosen: Bools, limit: int = 3) -> list[str]:
    """The first few lines of a kind, as they are written."""
    return [listed.paths[i] for i in np.flatnonzero(chosen)[:limit].tolist()]


def folders_of(listed: PublishedList, chosen: Bools) -> dict[str, int]:
    """Top folders of lines of a kind, and how many lines each has, the commonest first."""
    tops = Counter(
        listed.paths[i].partition("/")[0] if "/" in listed.paths[i] else ""
        for i in np.flatnonzero(chosen).tolist()
    )
    return dict(tops.most_common())
