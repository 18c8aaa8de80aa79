import pytest

from manifests.classes import load_classes
from manifests.errors import UserError
from prep.benchmarks import SOURCES
from prep.benchmarks.toy import read_toy

HEAD = "name,class,split\n"


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "videos" / "ring_moving_up"
    folder.mkdir(parents=True)
    (folder / "ring_a.mp4").write_bytes(b"x")
    (folder / "ring_b.webm").write_bytes(b"x")
    (tmp_path / "toy_clips.csv").write_text(
        HEAD
        + "ring_b,ring moving up,test\nstar_a,star vanishing,val\nring_a,ring moving up,train\n"
    )
    return tmp_path


def test_rows_are_the_lines_of_the_list(root):
    source = read_toy(root)
    clips = source.clips
    assert SOURCES["toy"] is read_toy
    assert clips["row"].to_pylist() == [0, 1, 2]
    assert clips["file"].to_pylist() == [
        "videos/ring_moving_up/ring_b.webm",
        None,
        "videos/ring_moving_up/ring_a.mp4",
    ]
    classes = load_classes("toy")
    assert clips["class_id"].to_pylist() == [
        classes.id_of(name) for name in ("ring moving up", "star vanishing", "ring moving up")
    ]
    assert clips["split_test"].to_pylist() == [True, False, False]
    assert clips["partition"].to_pylist() == ["test", "val", "train"]


def test_the_list_may_lie_elsewhere(root, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("lists")
    (root / "toy_clips.csv").rename(elsewhere / "toy_clips.csv")
    assert len(read_toy(root, elsewhere).clips) == 3
    with pytest.raises(UserError, match=r"toy_clips\.csv"):
        read_toy(root)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name,class\na,ring moving up\n", "split"),
        (HEAD, "no clip"),
        (HEAD + "ring_a,ring moving up,train\nring_a,ring moving up,val\n", "twice"),
        (HEAD + "ring_a,ring moving up,dev\n", "dev"),
        (HEAD + "ring_a,ring dancing,train\n", "ring dancing"),
    ],
)
def test_a_wrong_list_is_one_clear_line(root, text, why):
    (root / "toy_clips.csv").write_text(text)
    with pytest.raises(UserError, match=why) as error:
        read_toy(root)
    assert "prep demo" in str(error.value) and "\n" not in str(error.value)


def test_an_absent_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        read_toy(tmp_path / "nowhere")
