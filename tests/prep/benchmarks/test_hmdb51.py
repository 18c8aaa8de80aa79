"""HMDB-51: official lists, hostile names, classes that begin like others."""

from __future__ import annotations

import shutil

import pytest

from manifests.classes import load_classes
from manifests.errors import UserError
from prep.benchmarks import SOURCES
from shards.schema import check_clips

read = SOURCES["hmdb51"]
FOLDER = "testTrainMulti_7030_splits"


def made_lists(splits="1", **lists: str) -> dict[str, str]:
    """Files of all classes: one unused clip each unless given."""
    return {
        f"{FOLDER}/{name}_test_split{split}.txt": lists.get(name, f"{name}_clip.avi 0 \n")
        for name in load_classes("hmdb51").names
        for split in splits
    }


def test_official_counts(tree, annotations):
    source = read(tree("wave/20060723sfjffbartsinger_wave_f_cm_np1_ba_med_0.avi"), annotations)
    clips = source.clips
    check_clips(clips)
    assert len(clips) == 6766
    for split in "123":
        train, test = (clips[f"split_{part}{split}"].to_numpy() for part in ("train", "test"))
        assert (train.sum(), test.sum(), (~train & ~test).sum()) == (3570, 1530, 1666)
        labels = clips["class_id"].to_numpy()
        assert all((labels[test] == number).sum() == 30 for number in range(51))
        assert all((labels[train] == number).sum() == 70 for number in range(51))


def test_every_official_name_finds_its_file(tree, annotations):
    listed = read(
        tree("wave/20060723sfjffbartsinger_wave_f_cm_np1_ba_med_0.avi"), annotations
    ).clips
    files = [
        f"{folder}/{name}.avi"
        for folder, name in zip(
            listed["class_name"].to_pylist(), listed["name"].to_pylist(), strict=True
        )
    ]
    source = read(tree(*files, name="hmdb51_org"), annotations)
    assert source.clips["file"].to_pylist() == files
    assert source.unexpected == ()


def test_real_clips(real_root, annotations, rows):
    source = read(real_root("hmdb51"), annotations / "hmdb51")
    found = rows(source)
    assert {row["file"].split("/")[0] for row in found.values()} == {
        row["class_name"] for row in found.values()
    }
    shot = found["6arrowswithin30seconds_shoot_bow_f_nm_np1_fr_med_3"]
    assert [shot[f"split_{name}"] for name in ("train1", "test2", "train3")] == [True] * 3
    assert len(found) == 3
    assert source.unexpected == ()


def test_the_list_names_the_class(tree, rows):
    lists = made_lists(
        kick="good_kick_ball_u_nm.avi 1 \r\nkick_ball.avi 2 \r\n", kick_ball="kick.avi 1 \n"
    )
    source = read(tree("good_kick_ball_u_nm.avi", "kick.avi", "kick_ball.avi", texts=lists))
    assert {name: row["class_name"] for name, row in rows(source).items()} == {
        "good_kick_ball_u_nm": "kick",
        "kick_ball": "kick",
        "kick": "kick_ball",
    }
    assert source.splits == ("train1", "test1")
    assert "split 2 and 3" in source.notes[0]


def test_hostile_names(tree, rows):
    name = "#1!&(a)+;@[b]~'$%_u.v_2"
    source = read(tree(f"pick/{name}.avi", texts=made_lists(pick=f"{name}.avi 1 \n")))
    assert rows(source)[name]["key"].isascii()
    assert rows(source)[name]["file"] == f"pick/{name}.avi"


def test_a_split_that_lacks_classes(tree):
    lists = made_lists("12")
    del lists[f"{FOLDER}/wave_test_split2.txt"]
    with pytest.raises(
        UserError, match=r"lacks 1 of the 51 files of split 2, first wave_test_split2"
    ):
        read(tree("x.avi", texts=lists))


def test_lists_that_contradict_each_other(tree):
    with pytest.raises(UserError, match=r"split1\.txt, line 2: a\.avi has another flag"):
        read(tree("x.avi", texts=made_lists(wave="a.avi 1 \na.avi 2 \n")))
    with pytest.raises(UserError, match=r"and so does a list of another class, such as kick_test"):
        read(tree("x.avi", texts=made_lists(wave="a.avi 1 \n", kick="a.avi 1 \n")))


def test_a_list_cut_between_lines_is_told(tree):
    lists = made_lists("123", wave="a.avi 1 \nb.avi 2 \n")
    lists[f"{FOLDER}/wave_test_split2.txt"] = "a.avi 1 \n"
    (note,) = read(tree("a.avi", texts=lists)).notes
    assert "wave_test_split2.txt lacks 1 clip that other lists of its class have: was" in note
    lists[f"{FOLDER}/wave_test_split3.txt"] = "b.avi 1 \n"
    (note,) = read(tree("a.avi", texts=lists)).notes
    assert "have, as do 1 more: was it cut short?" in note


@pytest.mark.parametrize("line", ["clip.avi", "clip.avi 3", "a clip.avi 1"])
def test_wrong_lines(tree, line):
    with pytest.raises(UserError, match=r"wave_test_split1\.txt, line 1: not of the form"):
        read(tree("x.avi", texts=made_lists(wave=line)))


def test_a_list_of_no_class(tree):
    lists = {**made_lists(), f"{FOLDER}/sing_test_split1.txt": ""}
    with pytest.raises(UserError, match=r"sing_test_split1\.txt is named after no class"):
        read(tree("x.avi", texts=lists))


def test_ucf_lists_are_not_hmdb_lists(tree, annotations):
    with pytest.raises(UserError, match=r"such as brush_hair_test_split1\.txt.*serre"):
        read(tree("x.avi"), annotations / "ucf101")


def test_a_second_copy_of_the_lists_is_told(tree, annotations):
    root = tree("wave/wave_clip.avi", texts=made_lists())
    shutil.copytree(root / FOLDER, root / "old" / FOLDER)
    assert "old" in read(root).notes[0]


def test_an_empty_list(tree):
    with pytest.raises(UserError, match=r"kick_test_split1\.txt lists no clip"):
        read(tree("a.avi", texts=made_lists(kick="")))


def test_some_classes_still_in_their_archives(tree):
    source = read(tree("climb/climb_clip.avi", "kick.rar", "wave.rar", texts=made_lists()))
    assert (
        "2 archives not unpacked, first kick.rar: `unrar x kick.rar` in its folder" in source.notes
    )
