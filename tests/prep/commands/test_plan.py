"""`prep plan` over real videos: what it foretells is what `prep shard` then makes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.prep.commands.said import refused, said


def plan(root: Path, out: Path, *more: str):
    return said("plan", "--dataset", "toy", "--root", root, "--out", out, *more)


def made_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_all_files_tried_foretell_the_set(calm, toy_root, tmp_path):
    found = plan(toy_root, tmp_path / "out", "--sample", "1000", "--seconds", "600", "--json")
    assert found.code == 0
    report = found.json
    assert not (tmp_path / "out").exists()
    assert report["clips"] == {"official": 75, "to_make": 75}
    assert report["shards"]["to_make"] == calm.report["shards"]["made"]
    assert report["raw"] == {"files": 75, "bytes": made_bytes(toy_root / "videos")}
    assert report["files"] == len(calm.files) + 4
    assert report["bytes"]["low"] == report["bytes"]["total"]
    assert report["bytes"]["total"] == pytest.approx(made_bytes(calm.folder), rel=0.05)
    assert sum(probed["refused"] for probed in report["sample"]) == 3
    seconds = sum(probed["seconds"] for probed in report["sample"])
    assert report["core_hours"]["total"] == pytest.approx(seconds / 3600)
    assert report["hours"]["total"] == pytest.approx(seconds / 3600 / report["workers"])
    assert report["enough"]


def test_the_list_of_missing_clips_counts(calm, toy_root, tmp_path):
    """Of half a dataset it may be most of what the tables take."""
    root = Path(shutil.copytree(toy_root, tmp_path / "raw"))
    videos = sorted((root / "videos").rglob("*.*"))
    for path in videos[: len(videos) // 2]:
        path.unlink()
    words = ("--dataset", "toy", "--root", root, "--out", tmp_path / "out")
    report = said("plan", *words, "--sample", "1000", "--seconds", "600", "--json").json
    assert not (tmp_path / "out").exists()
    assert said("shard", *words).code == 0
    made = [path for path in (tmp_path / "out/toy").rglob("[!.]*") if path.is_file()]
    assert (tmp_path / "out/toy/missing.csv") in made
    assert report["files"] == len(made)
    assert report["bytes"]["total"] == pytest.approx(made_bytes(tmp_path / "out/toy"), rel=0.05)


def test_a_few_files_foretell_it_within_their_range(calm, toy_root, tmp_path):
    first, second = (
        plan(toy_root, tmp_path, "--sample", "12", "--seed", "3", "--json").json for _ in range(2)
    )
    assert len(first["sample"]) == 12
    assert first["bytes"] == second["bytes"]
    assert first["bytes"]["low"] < first["bytes"]["total"] < first["bytes"]["high"]
    assert first["bytes"]["total"] == pytest.approx(made_bytes(calm.folder), rel=0.4)


def test_what_people_read(toy_root, tmp_path):
    found = plan(toy_root, tmp_path / "out", "--sample", "3", "--workers", "2")
    assert found.code == 0
    for words in (
        "75 of 75 clips there",
        "to make: 10 of 10 shards, 75 clips in 75 raw files of ",
        "tried: 3 of them (seed 0)",
        "bytes: ",
        "(90 %: ",
        "with 2 workers",
        "enough",
    ):
        assert words in found.out
    assert "one file tells no range" in plan(toy_root, tmp_path / "out", "--sample", "1").out


def test_only_what_is_not_finished_counts(calm, toy_root, tmp_path):
    shutil.copytree(calm.folder, tmp_path / "toy")
    assert "nothing is to be made: all of 10 shards" in plan(toy_root, tmp_path).out
    (tmp_path / "toy" / "shards" / "val-00000.json").unlink()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "toy").rglob("*")}
    report = plan(toy_root, tmp_path, "--json").json
    assert report["shards"] == {"planned": 10, "to_make": 1}
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "toy").rglob("*")} == before


def test_a_full_disk_is_foretold(toy_root, tmp_path, monkeypatch):
    monkeypatch.setattr("prep.planning.free_bytes", lambda folder: 1000)
    found = plan(toy_root, tmp_path, "--sample", "2")
    assert found.code == 1
    assert "1.0 kB free" in found.out
    assert "too little by " in found.out


def test_refusals_are_those_of_prep_shard(calm, toy_root, tmp_path):
    shutil.copytree(calm.folder, tmp_path / "toy")
    words = ("plan", "--dataset", "toy", "--root", toy_root, "--out")
    assert "--remake" in refused(*words, tmp_path, "--short-side", "32")
    assert "lie inside each other" in refused(*words, toy_root / "shards")
    assert "--sample 0: at least 1" in refused(*words, tmp_path, "--sample", "0")
    for seconds in ("0", "-1", "nan"):
        assert f"--seconds {seconds}: more than 0" in refused(
            *words, tmp_path, "--seconds", seconds
        )
    (tmp_path / "file").touch()
    assert f"{tmp_path / 'file'} is no folder" in refused(*words, tmp_path / "file" / "deep")
    assert "--workers 0: at least 1" in refused(*words, tmp_path, "--workers", "0")
