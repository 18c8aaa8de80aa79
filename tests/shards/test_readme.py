"""The page about the format: every piece of code on it runs, and gives what it says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.shards.made import made_store, painted

PAGE = (Path(__file__).resolve().parents[2] / "shards" / "README.md").read_text()


def _blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def _set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    return made_store(tmp_path / "data/shards/ucf101", 20, per_shard=7)


def test_python(_set):
    seen = {}
    for code in _blocks("python"):
        exec(compile(code, "README.md", "exec"), seen)
        if "jpegs" in seen:
            row, _ = painted(seen["jpegs"][0])
            wanted = [(row, number) for number in _set.source_frames(row).tolist()]
            assert [painted(jpeg) for jpeg in seen.pop("jpegs")] == wanted
    assert painted(seen["first"]) == (0, 0)
    assert painted(seen["last"]) == (0, int(_set.source_frames(0)[-1]))
    assert seen["table"]["key"][:] == _set.keys.to_pylist()
    assert len(_blocks("python")) == 5


def test_shell(_set):
    from prep.video.ffmpeg import ffmpeg_binary

    (code,) = _blocks("sh")
    code = code.replace("ffmpeg", f"{ffmpeg_binary()} -loglevel error", 1)
    subprocess.run(["sh", "-ec", code], check=True)
    assert Path("first.mp4").stat().st_size > 0


def test_the_drawn_folder_is_what_is_there(_set, tmp_path):
    drawn = set(re.findall(r"^  ([\w/.<>-]+\.\w+)", PAGE, re.MULTILINE))
    there = {p.relative_to(_set.folder).as_posix() for p in _set.folder.rglob("*") if p.is_file()}
    assert {name for name in there if "00000" in name or "/" not in name} == drawn - {
        "missing.csv",
        "subsets/<name>.json",
    }
