"""A decoder is limited in CPU time, leaves no orphan, and its death is told from a verdict."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from manifests.errors import UserError
from prep.video.outcomes import clip_outcomes
from prep.video.process import run_limited
from prep.video.settings import EncodeSettings, Limits
from shards.schema import Reject
from tests.prep.video.films import clip_of, write_film

_REPOSITORY = Path(__file__).resolve().parents[3]


def python(code: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code)]


def run(code: str, cpu_seconds: float = 60.0):
    texts: list[bytes] = []
    done = run_limited(python(code), cpu_seconds, texts.append, dict(os.environ))
    assert all(text.endswith(b"\n") for text in texts[:-1])
    return done, b"".join(texts).splitlines()


def test_both_streams_are_read_to_their_ends():
    """Two megabytes on each: either pipe would fill up and stop the child if it were left."""
    done, lines = run(
        """
        import sys
        for number in range(20000):
            sys.stdout.write("x" * 99 + "\\n")
            sys.stderr.write(f"{number} " + "y" * 90 + "\\n")
        """
    )
    assert (len(done.output), done.status, done.over) == (2_000_000, 0, "")
    assert [int(line.split()[0]) for line in lines] == list(range(20000))


@pytest.mark.parametrize("ignore", [False, True])
def test_the_limit_of_cpu_time_holds_whatever_the_child_does(ignore):
    begin = time.monotonic()
    done, _ = run(
        f"""
        import signal
        if {ignore}:
            signal.signal(signal.SIGXCPU, signal.SIG_IGN)
        while True:
            pass
        """,
        cpu_seconds=0.5,
    )
    assert done.over == "cpu"
    assert time.monotonic() - begin < 60


def test_a_file_over_the_limit_is_refused(tmp_path):
    film = write_film(tmp_path / "film.mp4", 600, (640, 480), options={"preset": "ultrafast"})
    limits = Limits(cpu_seconds=0.05)
    (got,) = clip_outcomes([clip_of(film)], tmp_path, EncodeSettings(), limits, "custom")
    assert isinstance(got, Reject)
    assert (got.reason, got.detail) == ("time-limit", "takes more than 0.05 CPU seconds")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_death_from_outside_is_no_verdict(name):
    with pytest.raises(UserError, match=name):
        run(f"import os, signal; os.kill(os.getpid(), signal.{name})")


def test_a_crash_is_a_status():
    done, _ = run("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert done.status == -signal.SIGSEGV


def test_a_program_that_is_not_there_is_a_users_error():
    with pytest.raises(UserError, match="cannot start"):
        run_limited(["/nowhere/ffmpeg"], 1.0, lambda text: None, {})


def test_ctrl_c_on_the_terminal_does_not_reach_the_decoder():
    done, _ = run("import os; print(os.getsid(0) == os.getpid())")
    assert done.output == b"True\n"


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux ends orphans")
@pytest.mark.parametrize(
    ("decoder", "helper"), [("ffmpeg", True), ("ffmpeg", False), ("pyav", True)]
)
def test_no_orphan_is_left_when_the_parent_is_killed(tmp_path, decoder, helper):
    """With setpriv and, where there is none, without."""
    film = write_film(tmp_path / "film.mp4", 500, (640, 480), options={"preset": "ultrafast"})
    parent = subprocess.Popen(
        python(
            f"""
            from pathlib import Path
            from prep.video import launch
            from prep.video.outcomes import clip_outcomes
            from prep.video.settings import EncodeSettings, Limits
            from tests.prep.video.films import clip_of
            if not {helper}:
                launch._death_with_parent = tuple
            film, settings = Path({str(film)!r}), EncodeSettings(decoder={decoder!r})
            while True:
                list(clip_outcomes([clip_of(film)], film.parent, settings, Limits(), "custom"))
            """
        ),
        cwd=_REPOSITORY,
    )
    try:
        children = _wait_for(lambda: _children(parent.pid), 60)
    finally:
        parent.kill()
        parent.wait()
    assert children
    assert _wait_for(lambda: not any(_runs(pid) for pid in children), 10)


def _children(pid: int) -> list[int]:
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _wait_for(condition, seconds: float):
    end = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return met
