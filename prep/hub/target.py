"""The folder an export goes into: whether it may, and what an earlier export left there.

``SHA256SUMS`` lists every file that an export wrote, in the form `sha256sum -c` reads. It is what
tells the folder's own files from anybody else's: those are never touched, and neither is a card
that was changed by hand.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from manifests.errors import UserError
from prep.folders import overlap
from shards.atomic import remove_stale_temps
from shards.info import DATASET_JSON, load_info

SUMS = "SHA256SUMS"
CARD = "README.md"
CROISSANT = "croissant.json"
ATTRIBUTES = ".gitattributes"

#: What git, the Hub and its client keep in such a folder: left as it is.
_OTHERS = (".git/", ".cache/", ATTRIBUTES)
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")
#: Places an export writes to. A list of checksums that names others is somebody else's.
_PLACE = re.compile(
    r"(shards|subsets|descriptions)/[^/]+|(README\.md|croissant\.json|dataset\.json)"
    r"|(samples|rejects)\.parquet|frames\.arrow|missing\.csv"
)


def sums_text(hashes: Mapping[str, str]) -> str:
    """SHA256SUMS of files by their places."""
    return "".join(f"{digest}  {place}\n" for place, digest in sorted(hashes.items()))


def parse_sums(text: str) -> dict[str, str]:
    """Hash by place; ValueError when it is no text that an export wrote."""
    lines = [_LINE.fullmatch(line) for line in text.splitlines()]
    found = {line[2]: line[1] for line in lines if line}
    if len(found) != len(lines) or not all(map(_PLACE.fullmatch, found)):
        raise ValueError("no list of checksums of an export")
    if not {CARD, CROISSANT, DATASET_JSON} <= found.keys():
        raise ValueError("no card among them")
    return found


def check_target(target: Path, folder: Path, benchmark: str) -> dict[str, str]:
    """Hashes of the files an earlier export left in ``target``, by place; {} where it is new.

    Only what killed runs left behind is removed. Raises UserError when the folder is none, lies in
    the set's or around it, holds the export of another benchmark, files of others, or a card that
    was changed by hand.
    """
    _check_apart(target, folder)
    if target.exists() and not target.is_dir():
        raise UserError(f"{target} is a file: name a folder with --hf")
    for place in (target, *(target / name for name in ("shards", "subsets", "descriptions"))):
        remove_stale_temps(place)
    known = _known(target)
    if known:
        _check_benchmark(target, benchmark)
    foreign = sorted(place for place in _places(target) if place not in known)
    if foreign:
        raise UserError(
            f"{target} holds files that are none of an export ({len(foreign)}, first: "
            f"{foreign[0]}): name an empty folder, or move them away"
        )
    for name in (CARD, CROISSANT):
        path = target / name
        if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() != known[name]:
            raise UserError(
                f"{path} was changed since it was written: move it away, export again, and bring "
                "your words into the new one"
            )
    return known


def _check_apart(target: Path, folder: Path) -> None:
    if overlap(target, folder):
        raise UserError(
            f"{target} and the shards in {folder} lie inside each other: name another folder with "
            "--hf"
        )


def _known(target: Path) -> dict[str, str]:
    path = target / SUMS
    try:
        return {**parse_sums(path.read_text()), SUMS: ""}
    except FileNotFoundError:
        return {}
    except ValueError:
        raise UserError(f"{path} is none that an export wrote: name an empty folder") from None


def _check_benchmark(target: Path, benchmark: str) -> None:
    if not (target / DATASET_JSON).exists():
        return
    other = load_info(target).benchmark
    if other != benchmark:
        raise UserError(f"{target} holds the export of {other}: name another folder with --hf")


def _places(target: Path) -> Iterator[str]:
    """Files and links below the folder, those apart that git and the Hub keep in it."""
    for path in target.rglob("*"):
        place = path.relative_to(target).as_posix()
        ours = not place.startswith(_OTHERS)
        if ours and (path.is_symlink() or not path.is_dir()):
            yield place
