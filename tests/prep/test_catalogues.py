"""What is known of a benchmark whose official lists are there in several editions."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.prep.commands.said import said

HEAD = "label,youtube_id,time_start,time_end,split\n"


@pytest.fixture
def editions(tmp_path: Path) -> Path:
    """Two editions of Kinetics-400's validation list, one thinned; and one of another benchmark."""
    clips = {"aaaaaaaaaaa": "abseiling", "bbbbbbbbbbb": "archery", "ccccccccccc": "zumba"}
    rows = {name: f"{label},{name},0,10,val\n" for name, label in clips.items()}
    place = tmp_path / "official"
    for folder, names in (("", "ab"), ("crawler", "abc"), ("kinetics600", "c")):
        (place / folder).mkdir(exist_ok=True, parents=True)
        listed = (row for name, row in rows.items() if name[0] in names)
        (place / folder / "val.csv").write_text(HEAD + "".join(listed))
    return place


def report(path: Path, annotations: Path, *words: object) -> dict[str, object]:
    found = said(
        *("subset", "import", path, "--dataset", "k400", "--annotations", annotations),
        *("--report-only", "--json", *words),
    )
    assert found.code == 0, found.err
    return found.json


def test_clips_of_another_edition_are_known_by_name(editions, tmp_path):
    path = tmp_path / "val.txt"
    path.write_text(
        "abseiling/aaaaaaaaaaa_000000_000010.mp4 0\n"
        "zumba/ccccccccccc_000000_000010.mp4 399\n"
        "zumba/ddddddddddd_000000_000010.mp4 399\n"
    )
    told = report(path, editions)
    counts = {key: told[key] for key in ("listed", "matched", "missing", "unknown", "conflicts")}
    assert counts == {"listed": 3, "matched": 2, "missing": 0, "unknown": 1, "conflicts": 0}
    assert f"clips that only {editions / 'crawler'} names, known too: 1" in told["against"]
    assert not any("kinetics600 names" in line for line in told["against"])


def test_an_edition_that_cannot_be_read_is_gone_on_without(editions, tmp_path):
    (editions / "crawler" / "val.csv").write_text("nothing\n")
    path = tmp_path / "val.txt"
    path.write_text("aaaaaaaaaaa_000000_000010 0\nccccccccccc_000000_000010 399\n")
    told = report(path, editions)
    assert (told["matched"], told["unknown"]) == (1, 1)
    assert any(line.startswith("not read: ") and "crawler" in line for line in told["against"])


def test_raw_videos_are_of_one_edition_and_the_rest_is_missing(editions, tmp_path):
    root = tmp_path / "raw" / "abseiling"
    root.mkdir(parents=True)
    (root / "aaaaaaaaaaa_000000_000010.mp4").write_bytes(b"x")
    path = tmp_path / "val.txt"
    path.write_text("aaaaaaaaaaa_000000_000010 0\nccccccccccc_000000_000010 399\n")
    told = report(path, editions, "--root", root.parent)
    assert (told["matched"], told["missing"], told["unknown"]) == (1, 1, 0)
