"""`prep shard` over real videos: the same set whatever the road, and what it says on the way."""

from __future__ import annotations

import csv
import itertools
import json
import shutil
from pathlib import Path

import pytest

from prep.cli import main
from shards.store import ShardStore
from tests.prep.commands.said import said
from tests.prep.runs import Made, refused, shard, words
from tests.shards.made import made_store, of_version


def same(one: Made, other: Made) -> None:
    """Two sets are equal: tars, indexes and records by byte, tables by content."""
    assert one.files == other.files
    assert one.report["identity"] == other.report["identity"] is not None
    assert one.tables == other.tables


@pytest.fixture
def root(toy_root, tmp_path) -> Path:
    """The toy videos, for this test alone."""
    return Path(shutil.copytree(toy_root, tmp_path / "raw"))


def test_what_a_run_makes_and_says(calm, toy_root):
    report = calm.report
    assert calm.code == 0
    assert report["clips"] == {"official": 75, "stored": 72, "refused": 3, "missing": 0}
    assert sum(report["rejects"].values()) == 3
    assert report["complete"]
    assert report["shards"]["made"] == report["shards"]["planned"] > 4
    assert report["bytes"] == sum(p.stat().st_size for p in calm.folder.glob("shards/*.tar"))
    assert report["clips_per_second"] == pytest.approx(75 / report["seconds"])
    store = ShardStore.open(calm.folder)
    assert len(store) == 72
    assert (store.info.identity, store.info.fingerprint) == (
        report["identity"],
        report["fingerprint"],
    )
    assert not (calm.folder / "missing.csv").exists()


@pytest.mark.parametrize("workers", [2, 4])
def test_any_number_of_workers_makes_the_same_bytes(calm, toy_root, tmp_path, workers):
    same(shard("toy", toy_root, tmp_path, "--workers", str(workers)), calm)


def test_a_second_run_makes_nothing(calm, toy_root, tmp_path):
    shutil.copytree(calm.folder, tmp_path / "toy")
    again = shard("toy", toy_root, tmp_path)
    assert (again.report["shards"]["made"], again.report["clips_decoded"]) == (0, 0)
    assert again.report["clips_per_second"] is None
    same(again, calm)


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2)])
def test_parts_in_any_order_complete_the_set(calm, toy_root, tmp_path, order):
    for place, part in enumerate(order):
        made = shard("toy", toy_root, tmp_path, "--part", f"{part}/3", "--max-reject-ratio", "1")
        last = place == 2
        assert made.report["complete"] is last
        assert (made.folder / "dataset.json").exists() is last
    same(made, calm)


def test_a_plain_run_completes_parts(calm, toy_root, tmp_path):
    shard("toy", toy_root, tmp_path, "--part", "2/3", "--max-reject-ratio", "1")
    same(shard("toy", toy_root, tmp_path), calm)


def test_parts_some_twice_then_one_finish(calm, toy_root, tmp_path):
    """Whichever part ends last, --finish alone writes the tables that an undisturbed run writes."""
    for part in (2, 3, 2, 1, 3):
        shard("toy", toy_root, tmp_path, "--part", f"{part}/3", "--max-reject-ratio", "1")
    for table in ("dataset.json", "samples.parquet", "frames.arrow", "rejects.parquet"):
        (tmp_path / "toy" / table).unlink()
    made = shard("toy", toy_root, tmp_path, "--finish")
    assert (made.code, made.report["shards"]["made"]) == (0, 0)
    assert made.report["shards"]["wanting"] == []
    assert made.report["complete"]
    same(made, calm)


def test_finish_tells_what_is_wanting_and_makes_no_shard(calm, toy_root, tmp_path, capsys):
    part = shard("toy", toy_root, tmp_path, "--part", "1/3", "--max-reject-ratio", "1")
    found = shard("toy", toy_root, tmp_path, "--finish", "--max-reject-ratio", "1")
    assert found.code == 1
    assert found.files == part.files
    names = {name.partition(".")[0] for name in calm.files}
    made = {name.partition(".")[0] for name in part.files}
    assert found.report["shards"]["wanting"] == sorted(names - made)
    assert not found.report["complete"]
    assert len(ShardStore.open(found.folder)) == found.report["clips"]["stored"]
    line = words("toy", toy_root, tmp_path, "--finish", "--max-reject-ratio", "1")
    assert main(line) == 1
    wanting = found.report["shards"]["wanting"]
    assert f"{len(wanting)} of {len(names)} shards are not made yet" in capsys.readouterr().out
    same(shard("toy", toy_root, tmp_path), calm)


def test_finish_refuses_what_is_of_another_plan_or_no_set(calm, toy_root, tmp_path):
    assert "no finished shard" in refused("toy", toy_root, tmp_path / "none", "--finish")
    shutil.copytree(calm.folder, tmp_path / "toy")
    assert "--remake" in refused("toy", toy_root, tmp_path, "--finish", "--short-side", "32")
    assert "leave --part out" in refused("toy", toy_root, tmp_path, "--finish", "--part", "1/2")
    assert Made(tmp_path / "toy", 0, {}, "").files == calm.files


def test_a_part_alone_says_that_the_set_is_not_complete(toy_root, tmp_path, capsys):
    assert main(words("toy", toy_root, tmp_path, "--part", "9/9", "--max-reject-ratio", "1")) == 0
    assert "the set is not complete: " in capsys.readouterr().out


def test_a_later_file_makes_its_own_shards_again(calm, root, tmp_path, capsys):
    later = sorted(root.glob("videos/*/*_val_*"))[:2]
    for path in later:
        path.rename(tmp_path / path.name)
    first = shard("toy", root, tmp_path / "out")
    assert first.report["clips"]["missing"] == 2
    assert first.report["missing"] == {"train": 0, "val": 2, "test": 0}
    assert first.report["complete"]
    with (first.folder / "missing.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert {line["name"] for line in lines} == {path.stem for path in later}
    assert {line["splits"] for line in lines} == {"val"}
    before = first.files
    for path in later:
        (tmp_path / path.name).rename(path)
    second = shard("toy", root, tmp_path / "out")
    assert second.report["shards"]["made"] <= 2
    changed = {n.split(".")[0] for n, sha in second.files.items() if before.get(n) != sha}
    assert len(changed) == second.report["shards"]["made"]
    same(second, calm)
    assert not (second.folder / "missing.csv").exists()


def test_raw_videos_may_go_after_they_are_sharded(calm, root, tmp_path):
    shard("toy", root, tmp_path / "out")
    for path in list(root.glob("videos/*/*"))[:-1]:
        path.unlink()
    again = shard("toy", root, tmp_path / "out")
    assert again.report["shards"]["made"] == 0
    assert again.report["clips"]["missing"] == 0
    assert again.report["complete"]
    same(again, calm)


@pytest.mark.parametrize("damage", ["tar", "json"])
def test_clips_whose_files_are_gone_are_not_lost_unasked(calm, root, tmp_path, damage):
    """Of two clips of a damaged shard one cannot be made again."""
    out = tmp_path / "out"
    shutil.copytree(calm.folder, out / "toy")
    shards = calm.tables["samples.parquet"].to_pylist()
    gone = next(row for row in shards if row["shard"] == "train-00000")
    (root / gone["file"]).unlink()
    (out / "toy" / "shards" / f"train-00000.{damage}").write_bytes(b"damaged")
    line = refused("toy", root, out)
    assert "1 clip in" in line
    assert f"first {gone['name']}, " in line
    assert "--forget-vanished" in line
    made = shard("toy", root, out, "--forget-vanished")
    assert made.code == 0
    assert (made.report["clips"]["stored"], made.report["clips"]["missing"]) == (71, 1)
    assert made.report["shards"]["made"] == 1


def test_refused_clips_are_tried_again_when_asked(calm, toy_root, tmp_path):
    made = shard("toy", toy_root, tmp_path, "--cpu-limit", "0.001")
    assert made.code == 1
    assert made.report["rejects"]["time-limit"] > 60
    same_as_before = shard("toy", toy_root, tmp_path)
    assert same_as_before.report["shards"]["made"] == 0
    assert same_as_before.code == 1
    again = shard("toy", toy_root, tmp_path, "--retry-rejects")
    assert again.code == 0
    same(again, calm)


@pytest.mark.parametrize(("ratio", "code"), [("0", 1), ("0.039", 1), ("0.04", 0), ("1", 0)])
def test_the_share_of_refused_clips_decides_the_exit_code(
    calm, toy_root, tmp_path, capsys, ratio, code
):
    shutil.copytree(calm.folder, tmp_path / "toy")
    assert main(words("toy", toy_root, tmp_path, "--max-reject-ratio", ratio)) == code
    said = capsys.readouterr().out
    assert ("failed: 4.0% of the clips were refused" in said) == bool(code)
    assert "72 clips stored, 3 refused, 0 missing" in said


def test_other_settings_are_not_taken_without_a_word(calm, toy_root, tmp_path):
    shutil.copytree(calm.folder, tmp_path / "toy")
    line = refused("toy", toy_root, tmp_path, "--short-side", "32")
    assert "short_side" in line and "(now 32)" in line and "--remake" in line
    assert Made(tmp_path / "toy", 0, {}, "").files == calm.files
    line = refused("toy", toy_root, tmp_path, "--clips-per-shard", "20")
    assert "--clips-per-shard" in line
    made = shard("toy", toy_root, tmp_path, "--clips-per-shard", "20", "--remake")
    fresh = shard("toy", toy_root, tmp_path / "fresh", "--clips-per-shard", "20")
    same(made, fresh)


@pytest.mark.parametrize("name", ["dataset.json", "shards/all-00000.json", "alone"])
def test_a_set_of_another_format_version_is_left_alone(tmp_path, name):
    """Also where nothing but dataset.json tells: another version may keep its records elsewhere."""
    root = tmp_path / "raw"
    root.mkdir()
    (root / "a.mp4").touch()
    (root / "list.csv").write_text("path,class\na.mp4,waving\n")
    folder = made_store(tmp_path / "out" / "custom", 20, per_shard=5).folder
    changed = folder / ("dataset.json" if name == "alone" else name)
    changed.write_bytes(of_version(changed.read_bytes(), 7))
    if name == "alone":
        shutil.rmtree(folder / "shards")
    before = {p: p.read_bytes() for p in folder.rglob("[!.]*") if p.is_file()}
    for more in [(), ("--remake",), ("--part", "1/2"), ("--finish",)]:
        line = refused("custom", root, tmp_path / "out", *more)
        assert f"{changed} has format version 7, this program reads version 1" in line
    found = said("plan", "--dataset", "custom", "--root", root, "--out", tmp_path / "out")
    assert (found.code, found.out) == (1, "")
    assert f"{changed} has format version 7" in found.err
    assert {p: p.read_bytes() for p in folder.rglob("[!.]*") if p.is_file()} == before


def test_another_program_is_not_mixed_in_without_a_word(calm, toy_root, tmp_path):
    shutil.copytree(calm.folder, tmp_path / "toy")
    change_fingerprint(tmp_path / "toy", 2)
    line = refused("toy", toy_root, tmp_path)
    assert line.startswith("prep shard: 2 of ")
    assert "--allow-mixed" in line and "--remake" in line
    mixed = shard("toy", toy_root, tmp_path, "--allow-mixed")
    assert (mixed.code, mixed.report["shards"]["made"]) == (0, 0)
    assert len(ShardStore.open(mixed.folder).info.fingerprints) == 2
    made = shard("toy", toy_root, tmp_path, "--remake")
    assert made.report["shards"]["made"] == 2
    same(made, calm)


def change_fingerprint(folder: Path, count: int) -> None:
    """Have the first records say that another program made them."""
    from dataclasses import replace

    from shards.recorded import scan_records

    for record in itertools.islice(scan_records(folder).records.values(), count):
        replace(record, fingerprint="another").save(folder)


def test_what_a_dead_run_left_behind_is_cleared_away(calm, toy_root, tmp_path):
    folder = tmp_path / "toy"
    shutil.copytree(calm.folder, folder)
    from shards.atomic import temp_name

    name = temp_name(folder / "shards" / "train-00000.tar").name
    dead = name.replace(f".{__import__('os').getpid()}.", ".4194303.")
    for stale in (folder / "shards" / dead, folder / dead):
        stale.write_bytes(b"half")
    (folder / "shards" / "val-00077.tar").write_bytes(b"of a plan that never ended")
    again = shard("toy", toy_root, tmp_path)
    same(again, calm)
    assert not list(folder.glob("**/*.tmp"))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--workers", "0"], "--workers 0: at least 1"),
        (["--part", "4/3"], "--part 4/3 is none"),
        (["--part", "second"], "--part second is none"),
        (["--part", "\u0663/4"], "is none"),  # a digit, but none of ours
        (["--max-reject-ratio", "7"], "--max-reject-ratio 7"),
        (["--clips-per-shard", "0"], "cannot hold 0 clips"),
        (["--annotations", "nowhere"], "annotation folder nowhere does not exist"),
    ],
)
def test_wrong_values_are_one_line(toy_root, tmp_path, more, said):
    assert said in refused("toy", toy_root, tmp_path / "out", *more)


def test_wrong_places_are_one_line(toy_root, root, tmp_path):
    assert "nowhere does not exist" in refused("toy", tmp_path / "nowhere", tmp_path / "out")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "holds no video" in refused("toy", empty, tmp_path / "out")
    assert "holds no video" not in refused("hmdb51", root, tmp_path / "out")
    (tmp_path / "file").write_text("")
    assert "cannot write" in refused("toy", toy_root, tmp_path / "file")
    assert "lie inside each other" in refused("toy", root, root / "shards")
    assert "lie inside each other" in refused("toy", root, root.parent.parent, *out_of(root))
    assert "there is no benchmark 'toys'" in refused("toys", toy_root, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def out_of(root: Path) -> list[str]:
    """An --out whose toy/ holds the raw folder."""
    inside = root.parent / "toy" / "raw"
    inside.parent.mkdir()
    root.rename(inside)
    return ["--root", str(inside), "--out", str(root.parent)]


def test_words_that_are_none_end_with_code_2(toy_root, tmp_path, capsys):
    for more in (["--decoder", "vlc"], ["--frames", "most"], ["--engine", "steam"]):
        with pytest.raises(SystemExit) as error:
            main(words("toy", toy_root, tmp_path, *more))
        assert error.value.code == 2
    assert capsys.readouterr().out == ""


def test_the_command_says_json_alone_on_stdout(calm, toy_root, tmp_path, capsys):
    shutil.copytree(calm.folder, tmp_path / "toy")
    assert main([*words("toy", toy_root, tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["dataset"] == "toy"
