"""UCF-101: official lists, official tree, known variants."""

from __future__ import annotations

import pytest

from manifests.errors import UserError
from prep.benchmarks import SOURCES
from shards.schema import check_clips

TRAIN = (
    "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1\r\n"
    "HandstandPushups/v_HandStandPushups_g08_c01.avi 37\r\n"
)
TEST = (
    "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi\r\n"
    "HandstandPushups/v_HandStandPushups_g01_c01.avi\r\n"
)
LISTS = {"ucfTrainTestlist/trainlist01.txt": TRAIN, "ucfTrainTestlist/testlist01.txt": TEST}
EYE = "UCF-101/ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi"
read = SOURCES["ucf101"]


def test_official_counts(tree, annotations):
    source = read(tree(EYE), annotations / "ucf101")
    check_clips(source.clips)
    assert len(source.clips) == 13320
    assert source.clips["row"].to_pylist() == list(range(13320))
    sizes = {name: source.clips[f"split_{name}"].to_pylist().count(True) for name in source.splits}
    assert sizes == {
        "train1": 9537,
        "test1": 3783,
        "train2": 9586,
        "test2": 3734,
        "train3": 9624,
        "test3": 3696,
    }
    assert set(source.clips["partition"].to_pylist()) == {"all"}
    assert source.clips["class_id"].to_pylist() == sorted(source.clips["class_id"].to_pylist())
    assert source.notes == ()


def test_real_clip(real_root, annotations, rows):
    source = read(real_root("ucf101"), annotations / "ucf101")
    row = rows(source)["v_ApplyEyeMakeup_g01_c01"]
    assert row["file"] == "UCF-101/ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi"
    assert (row["class_id"], row["class_name"]) == (0, "ApplyEyeMakeup")
    assert [row[f"split_{name}"] for name in ("train1", "test1", "train2")] == [False, True, True]
    assert source.unexpected == ()


def test_lists_inside_the_raw_folder(tree, rows):
    source = read(tree(EYE, texts=LISTS))
    assert source.splits == ("train1", "test1")
    assert len(source.clips) == 4
    assert list(rows(source)) == ["v_ApplyEyeMakeup_g08_c01"]
    assert "trainlist02.txt, testlist02.txt" in source.notes[0]


@pytest.mark.parametrize(
    "file",
    [
        "HandstandPushups/v_HandStandPushups_g08_c01.avi",
        "HandStandPushups/v_HandStandPushups_g08_c01.avi",
        "videos/handstandpushups/v_HandstandPushups_g08_c01.mp4",
        "v_HandStandPushups_g08_c01.avi",
    ],
)
def test_handstand_pushups_in_every_spelling(tree, rows, file):
    source = read(tree(file, texts=LISTS))
    row = rows(source)["v_HandStandPushups_g08_c01"]
    assert (row["file"], row["class_id"], row["class_name"]) == (file, 36, "HandstandPushups")
    assert source.unexpected == source.notes[1:] == ()


def test_two_copies_of_a_class_folder(tree, rows):
    copy = "UCF-101/ApplyEyeMakeup (1)/v_ApplyEyeMakeup_g08_c01.avi"
    source = read(tree(EYE, copy, texts=LISTS))
    assert rows(source)["v_ApplyEyeMakeup_g08_c01"]["file"] == EYE
    assert source.unexpected == (copy,)
    assert source.notes[-1] == (
        f"second copies of clips already found: 1 file, not used, first {copy} beside {EYE}"
    )


def test_foreign_and_half_fetched_files_are_unexpected(tree):
    source = read(tree(EYE, "UCF-101/other.avi", "UCF-101/x.avi.part", texts=LISTS))
    assert source.unexpected == ("UCF-101/other.avi", "UCF-101/x.avi.part")


def test_a_file_in_the_folder_of_another_class_is_taken_by_name(tree, rows):
    file = "Archery/v_ApplyEyeMakeup_g08_c01.avi"
    source = read(tree(file, texts=LISTS))
    assert rows(source)["v_ApplyEyeMakeup_g08_c01"]["class_name"] == "ApplyEyeMakeup"
    assert any("folder of another class" in note for note in source.notes)


def test_rows_do_not_depend_on_the_order_of_lines(tree):
    turned = {name: "\n".join(reversed(text.split("\r\n"))) for name, text in LISTS.items()}
    one, two = (read(tree(EYE, texts=texts)).clips for texts in (LISTS, turned))
    assert one.equals(two)


@pytest.mark.parametrize(
    ("file", "line", "why"),
    [
        (
            "trainlist01.txt",
            "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 2",
            "line 3: label 2, but",
        ),
        ("trainlist01.txt", "Sewing/v_Sewing_g08_c01.avi 2", "line 3: .* names no clip of a class"),
        ("testlist01.txt", "v_ApplyEyeMakeup_g08_c01.avi", "line 3: .* names no clip of a class"),
        (
            "trainlist01.txt",
            "ApplyEyeMakeup/v_ApplyEyeMakeup_g1",
            "line 3: .* is not written like the lines above, as if it were cut",
        ),
        (
            "testlist01.txt",
            "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.a",
            "line 3: .* is not written like",
        ),
        ("classInd.txt", "1 Archery", "line 1: class 'Archery' is not number 1"),
        ("classInd.txt", "Archery", "line 1: not of the form"),
    ],
)
def test_wrong_lists_are_named_by_line(tree, file, line, why):
    name = f"ucfTrainTestlist/{file}"
    texts = {**LISTS, name: LISTS.get(name, "") + line}
    with pytest.raises(UserError, match=rf"{file}, {why}.*crcv\.ucf\.edu"):
        read(tree(EYE, texts=texts))


def test_lists_that_contradict_each_other(tree):
    texts = {
        "trainlist01.txt": "Archery/v_x.avi 3\n",
        "testlist02.txt": "Bowling/v_x.avi\n",
    }
    with pytest.raises(UserError, match=r"testlist02\.txt lists v_x under Bowling, .* under Arch"):
        read(tree("v_x.avi", texts=texts))
    texts["testlist02.txt"] = "Archery/v_x.avi\nBowling/v_x.avi\n"
    with pytest.raises(UserError, match=r"testlist02\.txt, line 2: v_x stands under another"):
        read(tree("v_x.avi", texts=texts))


def test_a_clip_of_both_train_and_test_is_told(tree):
    texts = {"trainlist02.txt": "Archery/v_x.avi 3\n", "testlist02.txt": "Archery/v_x.avi\n"}
    notes = read(tree("v_x.avi", texts=texts)).notes
    assert "1 clip in both lists of split 2, train and test, first v_x" in notes


def test_states_of_the_raw_folder(tree, tmp_path, annotations):
    lists = annotations / "ucf101"
    with pytest.raises(
        UserError, match=r"none does not exist: get the videos from https://www.crcv"
    ):
        read(tmp_path / "none", lists)
    with pytest.raises(
        UserError, match=r"; UCF101\.rar is not unpacked: run `unrar x UCF101\.rar` in"
    ):
        read(tree("UCF101.rar", name="packed"), lists)
    with pytest.raises(UserError, match=r"holds no video: get the videos"):
        read(tree(name="empty"), lists)
    with pytest.raises(UserError, match=r"none of the 13320 clips .* such as holiday\.mp4"):
        read(tree("holiday.mp4", name="wrong"), lists)
    with pytest.raises(UserError, match="no annotation file of ucf101"):
        read(tree(EYE, name="right"), annotations / "hmdb51")


def test_class_index_alone_is_no_list(tree, annotations):
    index = (annotations / "ucf101/ucfTrainTestlist/classInd.txt").read_text(encoding="utf-8")
    with pytest.raises(UserError, match="no train or test list"):
        read(tree(EYE, texts={"classInd.txt": index}))


def test_an_empty_list(tree):
    with pytest.raises(UserError, match=r"trainlist02\.txt lists no clip: get them from https"):
        read(tree(EYE, texts={**LISTS, "trainlist02.txt": ""}))


def test_folders_of_frames(tree, rows):
    """A folder stands in for the video of its name; what is of the other kind is told."""
    frames = EYE.removesuffix(".avi")
    root = tree(f"{frames}/img_00001.jpg", f"{frames}/flow_x_00001.jpg", "b.avi", texts=LISTS)
    source = SOURCES["ucf101"](root, None, True)
    assert source.from_frames
    assert [row["file"] for row in rows(source).values()] == [frames]
    assert source.unexpected == ()
    assert "not used: videos, such as b.avi, go in without --from-frames" in source.notes
    (root / EYE).touch()
    notes = read(root).notes
    assert any(note.startswith("not used: folders of images, such as UCF-101") for note in notes)


def test_a_folder_that_is_one_clip(tree):
    root = tree("img_00001.jpg", "img_00002.jpg", texts=LISTS)
    with pytest.raises(UserError, match=r"images lie in it directly, .* name the folder above"):
        SOURCES["ucf101"](root, None, True)
