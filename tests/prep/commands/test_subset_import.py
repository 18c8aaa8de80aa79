"""`prep subset import` and `export` over shards: what is written, what is refused, what is told."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.classes import load_classes
from manifests.protocols import published_lists, published_order
from prep.catalogues import store_catalogue
from prep.export import labels_text, list_text
from prep.importing import compare, imported_subset
from prep.published import read_published
from shards.store import ShardStore
from shards.subsets import Subset, load_subset
from tests.prep.commands.said import Said, refused, said
from tests.prep.lists import compared, hmdb_catalogue, hmdb_list, hmdb_shards, made_hmdb
from train.data import training_subset
from train.recipes.published import RECIPES, Choice

HMDB = load_classes("hmdb51")
EVERY = 5  # each fifth clip is missing


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Official lists in `official`, shards of four fifths of their clips in `shards`."""
    folder = tmp_path_factory.mktemp("hmdb")
    made_hmdb(folder / "official")
    hmdb_shards(folder / "shards", hmdb_list(folder / "official"), EVERY)
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "place"))


@pytest.fixture(scope="module")
def class_of(made: Path) -> dict[str, str]:
    """Class of every clip of the official list, in its order."""
    columns = hmdb_list(made / "official").columns
    return {
        name: HMDB.names[number]
        for name, number in zip(columns.names.to_pylist(), columns.class_ids.tolist(), strict=True)
    }


def write(place: Path, text: str, name: str = "mine.txt") -> Path:
    path = place / name
    path.write_bytes(text.encode())
    return path


def imported(place: Path, path: Path, *words: object) -> Said:
    found = said("subset", "import", path, *_words(place), "--json", *words)
    assert found.code == 0, found.err
    return found


def _words(place: Path) -> tuple[object, ...]:
    dataset = ("--dataset", "hmdb51", "--shards", place / "shards")
    return (*dataset, "--annotations", place / "official")


def by_place(class_of: dict[str, str], numbers: dict[str, int]) -> str:
    """All clips of some classes, in the form of ViFi-CLIP."""
    mine = ((clip, numbers[name]) for clip, name in class_of.items() if name in numbers)
    return "".join(f"{clip}.avi {number}\n" for clip, number in mine)


def official(names: tuple[str, ...] = HMDB.names) -> dict[str, int]:
    return {name: HMDB.id_of(name) for name in names}


def test_a_whole_list(place, class_of):
    path = write(place, by_place(class_of, official()) + "Nobody_u_nm_np1_fr_goo_9.avi 3\n")
    told = imported(place, path).json
    missing = [f"{clip}.avi" for i, clip in enumerate(class_of) if i % EVERY == 0]
    assert told["listed"] == len(class_of) + 1
    assert told["missing_clips"] == missing
    assert told["unknown_clips"] == ["Nobody_u_nm_np1_fr_goo_9.avi"]
    counts = {key: told[key] for key in ("matched", "missing", "unknown", "conflicts")}
    stored = len(class_of) - len(missing)
    assert counts == {"matched": stored, "missing": len(missing), "unknown": 1, "conflicts": 0}
    store = ShardStore.open(place / "shards" / "hmdb51")
    subset = load_subset(store, "mine")
    assert (len(subset), subset.hash) == (stored, told["subset"]["hash"])
    assert (subset.kind, subset.parameters["listed"]) == ("imported", told["listed"])
    check = said("subset", "check", "mine", "--dataset", "hmdb51", "--shards", place / "shards")
    assert (check.code, "a published list" in check.out) == (0, True)
    names = store.samples(["name"])["name"].to_pylist()
    for row, label in zip(subset.rows.tolist(), subset.labels(store).tolist(), strict=True):
        clip = names[store.index_of(np.array([row]))[0]]
        assert subset.classes[label] == class_of[clip]


@pytest.mark.parametrize("half", ["base", "novel"])
def test_a_list_of_a_half_has_the_candidates_of_that_half(place, class_of, half):
    """In the order of its own numbers, so that labels are those of the list."""
    order = published_lists("hmdb51")[f"{half}_list"]
    numbers = {name: number for number, name in enumerate(order)}
    told = imported(place, write(place, by_place(class_of, numbers))).json
    assert (told["numbering"], told["conflicts"]) == (half, 0)
    store = ShardStore.open(place / "shards" / "hmdb51")
    subset = load_subset(store, "mine")
    assert subset.classes == order
    assert len(subset) == told["matched"]


@pytest.mark.parametrize("task", ["few-shot", "base-novel"])
def test_training_takes_an_imported_list(place, class_of, task):
    """Its clips, under the classes and labels that the list has."""
    order = published_lists("hmdb51")["base_list"] if task == "base-novel" else HMDB.names
    numbers = {name: number for number, name in enumerate(order)}
    imported(place, write(place, by_place(class_of, numbers)))
    recipe = RECIPES[task](Choice("hmdb51"))
    recipe = replace(recipe, protocol=replace(recipe.protocol, subset="mine"))
    store = ShardStore.open(place / "shards" / "hmdb51")
    taken = training_subset(recipe, store, save=False)
    assert taken.classes == order
    assert taken.hash == load_subset(store, "mine").hash


def test_halves_of_ones_own(place, class_of):
    names = HMDB.names[40:20:-1]
    numbers = {name: number for number, name in enumerate(names)}
    told = imported(place, write(place, by_place(class_of, numbers))).json
    assert (told["conflicts"], told["subset"]["classes"]) == (0, 20)
    store = ShardStore.open(place / "shards" / "hmdb51")
    assert load_subset(store, "mine").classes == names


@pytest.mark.parametrize("given", [False, True])
def test_swapped_numbers_are_noticed_and_not_followed(place, class_of, given):
    """The label file of three repositories against the list, with and without it at hand."""
    swapped = {name: number for number, name in enumerate(published_order("hmdb51"))}
    four = ("kick", "kick_ball", "sword", "sword_exercise")
    path = write(place, by_place(class_of, official() if given else swapped))
    labels = write(place, labels_text(published_order("hmdb51")), "labels.csv")
    words = ("--labels", labels) if given else ()
    told = imported(place, path, *words).json
    assert told["conflicts"] == sum(name in four for name in class_of.values())
    assert {item["clips_are"] for item in told["contradictions"]} == set(four)
    store = ShardStore.open(place / "shards" / "hmdb51")
    subset = load_subset(store, "mine")
    stored = store.labels[store.index_of(subset.rows)]
    mine = [HMDB.id_of(subset.classes[label]) for label in subset.labels(store)]
    assert mine == stored.tolist()  # the official class of every clip
    text = said("subset", "import", path, *_words(place), "--report-only", *words).out
    assert "clips are taken by name" in text and "'kick_ball' on 4 lines of 'kick'" in text


def test_importing_again_changes_nothing(place, class_of):
    path = write(place, by_place(class_of, official()))
    first = imported(place, path).json
    file = Path(first["subset"]["file"])
    before = file.read_bytes()
    assert imported(place, path).json["subset"] == first["subset"]
    assert "(there already)" in said("subset", "import", path, *_words(place)).out
    assert file.read_bytes() == before


def test_another_list_of_the_same_name(place, class_of):
    imported(place, write(place, by_place(class_of, official())))
    other = write(place, by_place(class_of, official(HMDB.names[:3])))
    before = {p: p.read_bytes() for p in (place / "shards").rglob("*.json")}
    line = refused("subset", "import", other, *_words(place))
    assert "holds another list or other clips" in line and "--name" in line
    assert {p: p.read_bytes() for p in (place / "shards").rglob("*.json")} == before
    assert imported(place, other, "--name", "three").json["subset"]["name"] == "three"
    assert imported(place, other, "--anew").json["subset"]["name"] == "mine"


def test_a_draw_where_a_published_list_of_its_name_lies(place, class_of):
    """As val.txt of Kinetics-400 is called like the split."""
    imported(place, write(place, by_place(class_of, official()), "test1.txt"))
    dataset = ("--dataset", "hmdb51", "--shards", place / "shards")
    line = refused("subset", "full", *dataset)
    assert "test1.json holds a published list under the name of this draw" in line
    assert "another --name" in line
    assert said("subset", "full", *dataset, "--anew").code == 0


@pytest.mark.parametrize("file", ["split 1 (copy).txt", "_split 1-(copy).csv"])
def test_the_name_of_a_file_that_is_no_name(place, class_of, file):
    told = imported(place, write(place, by_place(class_of, official()), file)).json
    assert told["subset"]["name"] == "split-1-copy"


def test_refusals_write_nothing(place, class_of):
    good = write(place, by_place(class_of, official()))
    before = sorted(place.rglob("*"))
    words = _words(place)

    def line(*more: object) -> str:
        return refused("subset", "import", *more)

    assert "there is no list" in line(place / "none.txt", *words)
    assert "leave out --export" in line(good, *words, "--report-only", "--export", place / "x")
    assert "is no name for a subset" in line(good, *words, "--name", "a/b")
    assert "there is no label file" in line(good, *words, "--labels", place / "none.csv")
    assert "no shards in" in line(good, "--dataset", "hmdb51", "--shards", place / "nowhere")
    assert "does not exist" in line(good, *words[:4], "--annotations", place / "nowhere")
    nothing = line(
        good, "--dataset", "hmdb51", "--shards", place, "--root", place / "no", "--report-only"
    )
    assert "nothing to hold the list against" in nothing and "--annotations" in nothing
    assert sorted(place.rglob("*")) == before
    missing = write(place, f"{next(iter(class_of))}.avi 0\n", "missing.txt")
    assert "shard its videos first" in line(missing, *words)
    flags = place / "official" / "kick_test_split1.txt"
    assert "is an official split file of hmdb51" in line(flags, *words)
    assert "lists classes of hmdb51" in line(write(place, "\n".join(HMDB.names)), *words)
    bare = write(place, f"{list(class_of)[1]}.avi\n", "bare.txt")
    labels = write(place, labels_text(HMDB.names), "labels.csv")
    assert "has no class numbers" in line(bare, *words, "--labels", labels)
    assert not (place / "shards" / "hmdb51" / "subsets").exists()


def test_a_report_needs_no_shards(place, class_of):
    path = write(place, by_place(class_of, official()))
    shutil.rmtree(place / "shards")
    told = imported(place, path, "--report-only").json
    assert (told["matched"], told["missing"]) == (len(class_of), 0)
    assert told["subset"] is None
    assert not (place / "shards").exists()


def test_a_list_of_another_benchmark_is_a_report_with_a_question(place):
    path = write(place, "v_Archery_g01_c01.avi 2\nv_Archery_g01_c02.avi 2\n")
    told = imported(place, path, "--report-only").json
    assert (told["matched"], told["missing"], told["unknown"]) == (0, 0, 2)
    text = said("subset", "import", path, *_words(place), "--report-only").out
    assert "is the list of another benchmark" in text
    assert "is no list of clips" in refused(
        "subset", "import", write(place, "# Read me\n\nTODO\n"), *_words(place), "--report-only"
    )


def test_a_report_without_the_official_list(place, class_of):
    """Of stored clips alone: what is not stored is unknown, and that is said."""
    path = write(place, by_place(class_of, official()))
    found = said("subset", "import", path, *_words(place)[:4], "--report-only")
    missing = sum(i % EVERY == 0 for i in range(len(class_of)))
    assert f"unknown    {missing}" in found.out
    assert "the official list would tell missing ones" in found.out


def test_a_report_against_raw_videos(place, class_of):
    there = [clip for clip, name in class_of.items() if name == "kick"]
    raw = place / "raw"
    raw.mkdir()
    for clip in there:
        (raw / f"{clip}.avi").touch()
    path = write(place, by_place(class_of, official()))
    told = imported(place, path, "--report-only", "--root", raw).json
    assert (told["matched"], told["missing"]) == (len(there), len(class_of) - len(there))


# lists in other clothes


@given(
    seed=st.integers(),
    between=st.sampled_from([" ", "\t", ",", ", ", ";", " | "]),
    frames=st.sampled_from([(), ("99",)]),
    quoted=st.booleans(),
    heading=st.sampled_from(["", "# made by hand, 2023", "path label", '"clip","class"']),
    end=st.sampled_from(["\n", "\r\n", "  \n", " \r\n\r\n"]),
    mark=st.sampled_from(["", "\ufeff"]),
    prefix=st.sampled_from(["", "/data/hmdb51/", "videos 51/", "D:\\clips\\", "class/"]),
    suffix=st.sampled_from(["", ".avi", ".AVI", ".mp4"]),
    wrong=st.integers(0, 20),
)
@settings(max_examples=40)
def test_clothes_change_nothing(
    made, class_of, seed, between, frames, quoted, heading, end, mark, prefix, suffix, wrong
):
    """Order, separators, quotes, headings, line ends, folders and suffixes.

    Wrong numbers are counted one by one.
    """
    draw = random.Random(seed)
    clips = draw.sample(sorted(class_of), 120)
    lines = []
    for i, clip in enumerate(clips):
        number = HMDB.id_of(class_of[clip]) + (i < wrong)
        folder = f"{class_of[clip]}/" if prefix == "class/" else prefix
        quote = '"' if quoted else ""
        fields = f"{folder}{clip}{suffix}", *frames, str(number)
        lines.append(between.join(f"{quote}{field}{quote}" for field in fields))
    draw.shuffle(lines)
    lines = [heading, *lines]
    found = compared(made / "drawn.txt", mark + end.join(lines), hmdb_catalogue(made / "official"))
    assert found.counts() == {
        "listed": len(clips),
        "matched": len(clips),
        "missing": 0,
        "unknown": 0,
        "conflicts": wrong,
    }
    assert (found.misfiled, found.unlabelled, found.repeated) == (0, 0, 0)


def test_folders_of_other_classes_and_lines_that_stand_twice(made, class_of):
    clips = list(class_of)[:40]
    right = [f"{class_of[clip]}/{clip}.avi" for clip in clips]
    text = "\n".join([*right, f"sword/{clips[0]}.avi", f"run/{clips[1]}.avi", right[5]])
    found = compared(made / "drawn.txt", text, hmdb_catalogue(made / "official"))
    assert (found.misfiled, found.repeated) == (2, 3)
    # A raw folder that happens to be called after a class says nothing of its clips.
    text = "\n".join(f"run/{clip}.avi {HMDB.id_of(class_of[clip])}" for clip in clips)
    found = compared(made / "drawn.txt", text, hmdb_catalogue(made / "official"))
    assert (found.misfiled, found.counts()["conflicts"]) == (0, 0)


def test_numbers_of_unknown_clips_are_held_against_their_folders(made, class_of):
    lines = [f"{name}/{clip}.avi {HMDB.id_of(name)}" for clip, name in class_of.items()]
    lines += ["kick/Nobody_np1_le_bad_1.avi 21", "kick/Nobody_np1_le_bad_2.avi 20"]
    found = compared(made / "drawn.txt", "\n".join(lines), hmdb_catalogue(made / "official"))
    assert (found.counts()["unknown"], found.counts()["conflicts"]) == (2, 1)


# export


def exported(place: Path, subset: str, out: Path) -> Said:
    dataset = ("--dataset", "hmdb51", "--shards", place / "shards")
    return said("subset", "export", subset, *dataset, "--out", out, "--json")


def test_export_beside_import(place, class_of):
    path = write(place, by_place(class_of, official()))
    line = refused("subset", "import", path, *_words(place), "--export", path)
    assert "holds something else: name another file" in line
    assert path.read_text() == by_place(class_of, official())
    line = refused("subset", "import", path, *_words(place), "--export", place)
    assert "is a folder" in line
    line = refused("subset", "import", path, *_words(place), "--export", ".")
    assert "is a folder" in line
    assert not (place / "shards" / "hmdb51" / "subsets").exists()
    told = imported(place, path, "--export", place / "out" / "list.txt").json
    stored = [f"{clip}.avi {HMDB.id_of(name)}" for clip, name in class_of.items()]
    stored = [line for i, line in enumerate(stored) if i % EVERY]
    assert (place / "out" / "list.txt").read_text().splitlines() == stored
    assert told["exported"] == {
        "list": str(place / "out" / "list.txt"),
        "labels": str(place / "out" / "list_labels.csv"),
        "clips": len(stored),
    }
    assert exported(place, "mine", place / "out" / "list.txt").code == 0  # the same again


@given(data=st.data())
@settings(max_examples=40)
def test_round_trip(made, data):
    """Any subset, exported and imported with its label file: the same clips, the same labels."""
    store = ShardStore.open(made / "shards" / "hmdb51")
    names = data.draw(st.lists(st.sampled_from(HMDB.names), min_size=1, unique=True))
    among = {HMDB.id_of(name) for name in names}
    pool = [i for i, label in enumerate(store.labels.tolist()) if label in among]
    chosen = np.array(sorted(data.draw(st.sets(st.sampled_from(pool), min_size=1))), np.int64)
    keys = tuple(store.keys.to_pylist()[i] for i in chosen)
    rows = store.rows[chosen]
    subset = Subset("mine", "hmdb51", "split", None, {}, tuple(names), rows, keys)
    clips = store.samples(["name"])["name"].to_pylist()
    text = list_text("hmdb51", [clips[i] for i in chosen], subset.labels(store))
    (made / "drawn.txt").write_text(text)
    (made / "drawn_labels.csv").write_text(labels_text(subset.classes))
    found = compare(
        read_published(made / "drawn.txt"),
        store_catalogue(store),
        labels=made / "drawn_labels.csv",
    )
    again = imported_subset(store, found, "again", store.labels)
    assert again.rows.tolist() == rows.tolist()
    assert again.keys == keys
    assert again.classes == subset.classes
    assert again.labels(store).tolist() == subset.labels(store).tolist()
    assert found.counts()["conflicts"] == 0


@pytest.mark.parametrize("protocol", ["few-shot", "base-novel", "zero-shot", "full"])
def test_drawn_subsets_come_back(place, protocol):
    """Exported lists of every protocol: the same clips under the same labels."""
    words = ("--shots", 1, "--allow-fewer") if protocol in ("few-shot", "base-novel") else ()
    dataset = ("--dataset", "hmdb51", "--shards", place / "shards")
    drawn = said("subset", protocol, *dataset, *words, "--json").json["subsets"]
    store = ShardStore.open(place / "shards" / "hmdb51")
    for item in drawn:
        out = place / f"{item['name']}.txt"
        assert exported(place, item["name"], out).code == 0
        labels = place / f"{item['name']}_labels.csv"
        imported(place, out, "--name", "again", "--labels", labels, "--anew")
        first, again = load_subset(store, item["name"]), load_subset(store, "again")
        assert again.rows.tolist() == first.rows.tolist()
        assert again.classes == first.classes
        assert again.labels(store).tolist() == first.labels(store).tolist()
