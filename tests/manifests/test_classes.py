"""Every class list against the official files and the published lists."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.classes import BENCHMARKS, ActionClass, canonical, class_list, load_classes
from manifests.errors import UserError
from manifests.protocols import published_order
from manifests.spelling import split_words, squeeze

SIZES = {
    "ucf101": 101,
    "hmdb51": 51,
    "kinetics400": 400,
    "kinetics600": 600,
    "ssv2": 174,
    "activitynet": 200,
}
HALVES = {
    "hmdb51": ("hmdb_51", 26, 25),
    "ucf101": ("ucf_101", 51, 50),
    "ssv2": ("ssv2_174", 87, 87),
    "kinetics400": ("kinetics_400", 200, 200),
}
LABEL_FILES = {
    "ucf101": "ucf_101_labels.csv",
    "hmdb51": "hmdb_51_labels.csv",
    "ssv2": "ssv2_labels.csv",
    "kinetics400": "kinetics_400_labels.csv",
    "kinetics600": "kinetics_600_labels.csv",
}


def label_names(path: Path) -> list[str]:
    """Names of a published label file "id,name", in its order."""
    with path.open(newline="", encoding="utf-8") as stream:
        return [row["name"] for row in csv.DictReader(stream)]


def lines(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


@pytest.mark.parametrize(("benchmark", "size"), SIZES.items())
def test_ids_count_from_zero(benchmark, size):
    classes = load_classes(benchmark)
    assert len(classes) == size
    assert [item.id for item in classes.classes] == list(range(size))
    assert len(set(classes.names)) == size


@pytest.mark.parametrize("benchmark", SIZES)
def test_no_two_classes_share_a_spelling(benchmark):
    names = load_classes(benchmark).names
    assert len({squeeze(name) for name in names}) == len(names)


def test_ucf_is_in_class_index_order(annotations):
    index = lines(annotations / "ucf101/ucfTrainTestlist/classInd.txt")
    assert load_classes("ucf101").names == tuple(line.split()[1] for line in index)
    assert [int(line.split()[0]) - 1 for line in index] == list(range(101))


def test_hmdb_is_in_alphabetical_order_of_folders(annotations):
    files = (annotations / "hmdb51/testTrainMulti_7030_splits").iterdir()
    folders = sorted({re.sub(r"_test_split[123]$", "", path.stem) for path in files})
    assert list(load_classes("hmdb51").names) == folders


def test_ssv2_is_in_label_id_order(annotations):
    ids = json.loads((annotations / "ssv2/labels/labels.json").read_text(encoding="utf-8"))
    classes = load_classes("ssv2")
    assert {name: int(number) for name, number in ids.items()} == {
        item.name: item.id for item in classes.classes
    }


@pytest.mark.parametrize("benchmark", ["kinetics400", "kinetics600"])
def test_kinetics_is_alphabetical_and_complete(benchmark, annotations):
    for file in ("validate.csv", f"crawler/kinetics-{benchmark[-3:]}_val.csv"):
        with (annotations / benchmark / file).open(newline="", encoding="utf-8") as stream:
            labels = {row["label"] for row in csv.DictReader(stream)}
        assert list(load_classes(benchmark).names) == sorted(labels)


def test_activitynet_is_in_the_order_of_the_taxonomy(annotations, published):
    path = annotations / "activitynet/fragments/activity_net_taxonomy.json"
    nodes = json.loads(path.read_text(encoding="utf-8"))["taxonomy"]
    parents = {node["parentName"] for node in nodes}
    leaves = tuple(node["nodeName"] for node in nodes if node["nodeName"] not in parents)
    names = load_classes("activitynet").names
    assert names == leaves
    assert names == tuple(lines(published / "mmaction2/tools/data/activitynet/label_map.txt"))
    sorted_order = label_names(published / "Text4Vis/lists/anet1.3_labels.csv")
    assert list(published_order("activitynet")) == sorted_order == sorted(names)


@pytest.mark.parametrize(("benchmark", "file"), LABEL_FILES.items())
def test_raw_prompts_are_the_published_texts(benchmark, file, published):
    names = label_names(published / "ViFi-CLIP/labels" / file)
    classes = load_classes(benchmark)
    assert sorted(classes.prompts("raw")) == sorted(names)
    in_published_order = [
        classes.classes[classes.id_of(name)].prompt for name in published_order(benchmark)
    ]
    assert in_published_order == names


def test_published_hmdb_order_swaps_the_prefix_classes():
    names = load_classes("hmdb51").names
    moved = {i for i, name in enumerate(published_order("hmdb51")) if name != names[i]}
    assert moved == {20, 21, 44, 45}


def test_split_prompts_are_words(published):
    ucf = label_names(published / "MoTE/lists/ucf101/ucf_labels.csv")
    assert list(load_classes("ucf101").prompts("split")) == ucf
    hmdb = label_names(published / "ViFi-CLIP/labels/hmdb_51_labels.csv")
    assert set(load_classes("hmdb51").prompts("split")) == set(hmdb)


@pytest.mark.parametrize("benchmark", ["kinetics400", "kinetics600", "ssv2", "activitynet"])
def test_names_that_are_words_stay(benchmark):
    classes = load_classes(benchmark)
    assert classes.prompts("split") == classes.names == classes.prompts()


@pytest.mark.parametrize("benchmark", HALVES)
def test_halves_are_the_published_ones(benchmark, published):
    file, base, novel = HALVES[benchmark]
    classes = load_classes(benchmark)
    for which, size in (("base", base), ("novel", novel)):
        names = label_names(published / "ViFi-CLIP/labels" / f"{file}_{which}_labels.csv")
        half = classes.half(which)
        assert len(half) == size
        assert {classes.id_of(name) for name in names} == {item.id for item in half.classes}
        assert [classes.id_of(name) for name in published_order(benchmark, which)] == [
            classes.id_of(name) for name in names
        ]
    ids = [item.id for which in ("base", "novel") for item in classes.half(which).classes]
    assert sorted(ids) == list(range(len(classes)))


@pytest.mark.parametrize("benchmark", ["kinetics600", "activitynet"])
def test_no_half_where_none_is_published(benchmark):
    with pytest.raises(UserError, match="no base half"):
        load_classes(benchmark).half("base")


def published_spellings(published: Path) -> list[tuple[str, str]]:
    """Every class name of every published label file, with the benchmark it belongs to."""
    maps = published / "mmaction2/tools/data"
    found = []
    for benchmark, path in (
        ("ucf101", maps / "ucf101/label_map.txt"),
        ("hmdb51", maps / "hmdb51/label_map.txt"),
        ("ssv2", maps / "sthv2/label_map.txt"),
        ("kinetics400", maps / "kinetics/label_map_k400.txt"),
        ("kinetics600", maps / "kinetics/label_map_k600.txt"),
        ("activitynet", maps / "activitynet/label_map.txt"),
        ("ssv2", published / "UniFormer/video_classification/data_list/sthv2/category.txt"),
    ):
        found += [(benchmark, name) for name in lines(path)]
    open_vclip = published / "Open-VCLIP"
    for benchmark, path in (
        ("ucf101", open_vclip / "zs_label_db/ucf101-cls2index.json"),
        ("hmdb51", open_vclip / "zs_label_db/hmdb-cls2index.json"),
        ("ssv2", open_vclip / "zs_label_db/ssv2-cls2index.json"),
        ("kinetics400", open_vclip / "label_db/k400-cls2index.json"),
        ("kinetics600", open_vclip / "label_db/k600-cls2index.json"),
        ("kinetics600", published / "VideoTransformer-pytorch/k600_classmap.json"),
    ):
        found += [(benchmark, name) for name in json.loads(path.read_text(encoding="utf-8"))]
    return found


def test_every_published_spelling_is_known(published):
    seen: dict[str, set[int]] = {}
    for benchmark, name in published_spellings(published):
        seen.setdefault(benchmark, set()).add(load_classes(benchmark).id_of(name))
    assert {name: len(ids) for name, ids in seen.items()} == SIZES


def test_templates_with_brackets_are_known(annotations):
    clips = json.loads((annotations / "ssv2/labels/validation.json").read_text(encoding="utf-8"))
    classes = load_classes("ssv2")
    for template in {clip["template"] for clip in clips}:
        plain = template.replace("[", "").replace("]", "")
        assert classes.names[classes.id_of(template)] == plain


@pytest.mark.parametrize(
    ("benchmark", "spelling", "name"),
    [
        ("ucf101", "HandStandPushups", "HandstandPushups"),
        ("ucf101", "yo yo", "YoYo"),
        ("hmdb51", "Kick Ball", "kick_ball"),
        ("hmdb51", "kick", "kick"),
        ("kinetics400", "massaging_person's_head", "massaging person's head"),
        ("activitynet", "carving jack-o-lanterns", "Carving jack-o-lanterns"),
    ],
)
def test_spellings(benchmark, spelling, name):
    classes = load_classes(benchmark)
    assert classes.names[classes.id_of(spelling)] == name


def test_unknown_class_names_the_nearest():
    with pytest.raises(UserError, match=r"ucf101 has no class 'Archary'.*Archery"):
        load_classes("ucf101").id_of("Archary")


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("k400", "kinetics400"),
        ("Kinetics-600", "kinetics600"),
        ("anet", "activitynet"),
        ("ActivityNet-1.3", "activitynet"),
        ("something-something-v2", "ssv2"),
        ("UCF-101", "ucf101"),
        ("custom", "custom"),
        *((name, name) for name in BENCHMARKS),
    ],
)
def test_canonical_names(alias, name):
    assert canonical(alias) == name


def test_unknown_benchmark_lists_the_known():
    with pytest.raises(UserError, match=r"'imagenet': use one of ucf101, .*custom"):
        canonical("imagenet")


def test_custom_has_no_list_of_its_own():
    with pytest.raises(UserError, match="list file"):
        load_classes("custom")


def test_own_list():
    classes = class_list("custom", ["open_door", "closeDoor"])
    assert classes.classes[0] == ActionClass(0, "open_door", "open door", "")
    assert classes.prompts("split") == ("open door", "close Door")
    with pytest.raises(UserError, match="2 times"):
        class_list("custom", ["wave", "wave"])


def test_names_that_differ_in_punctuation_only_must_be_exact():
    classes = class_list("custom", ["a_b", "a b", "c d"])
    assert [classes.id_of(name) for name in ("a_b", "a b", "C-D")] == [0, 1, 2]
    with pytest.raises(UserError, match="no class 'A-B'"):
        classes.id_of("A-B")


def test_hash_tells_lists_apart_and_ignores_prompts():
    classes = class_list("custom", ["one", "two"])
    assert classes.hash == class_list("custom", ["one", "two"]).hash
    assert classes.hash != class_list("custom", ["two", "one"]).hash
    assert classes.hash != class_list("ucf101", ["one", "two"]).hash
    assert len({load_classes(name).hash for name in SIZES}) == len(SIZES)


@given(st.lists(st.text("abcXYZ", min_size=1, max_size=5), min_size=1, max_size=4))
def test_splitting_words_changes_blanks_only(words):
    name = "_".join(words)
    split = split_words(name)
    assert squeeze(split) == squeeze(name)
    assert "_" not in split
    assert split_words(split) == split
