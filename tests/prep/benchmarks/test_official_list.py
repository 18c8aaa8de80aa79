"""An official annotation read alone says what it says when videos are there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from manifests.errors import UserError
from prep.benchmarks import SOURCES, official_list

LIST = "path,class,split\na/one.mp4,open door,train\na/two.mp4,close door,test\n"
CSV = "label,youtube_id,time_start,time_end,split\nabseiling,-aB,3,13,val\narchery,_c,0,10,val\n"


@pytest.mark.parametrize(
    ("benchmark", "file", "text", "video"),
    [
        ("custom", "list.csv", LIST, "a/one.mp4"),
        ("kinetics400", "val.csv", CSV, "-aB_000003_000013.mp4"),
        ("ucf101", "testlist01.txt", "Archery/v_Archery_g01_c01.avi\r\n", "v_Archery_g01_c01.avi"),
        ("toy", "toy_clips.csv", "name,class,split\nx,circle moving left,train\n", "x.mp4"),
    ],
)
def test_it_is_the_annotation_of_the_raw_folder(tree, benchmark, file, text, video):
    root = tree(video, texts={f"lists/{file}": text})
    source = SOURCES[benchmark](root, None)
    for read in (
        official_list(benchmark, root),
        official_list(benchmark, Path("absent"), root / "lists"),
    ):
        assert read.columns.names.to_pylist() == source.clips["name"].to_pylist()
        assert read.columns.rows.tolist() == source.clips["row"].to_pylist()
        assert read.columns.class_ids.tolist() == source.clips["class_id"].to_pylist()
        assert tuple(read.columns.splits) == source.splits
        assert read.classes.names == source.classes.names


def test_no_video_is_needed(tree):
    root = tree(texts={"val.csv": CSV})
    read = official_list("kinetics400", root)
    assert read.columns.names.to_pylist() == ["-aB_000003_000013", "_c_000000_000010"]
    assert np.array(read.columns.splits["val"]).all()
    with pytest.raises(UserError, match="holds no video"):
        SOURCES["kinetics400"](root, None)


def test_absent_annotation_is_one_line(tree, tmp_path):
    with pytest.raises(UserError, match="no annotation file of ucf101"):
        official_list("ucf101", tree("v_Archery_g01_c01.avi"))
    with pytest.raises(UserError, match="does not exist"):
        official_list("ucf101", tmp_path, tmp_path / "absent")
