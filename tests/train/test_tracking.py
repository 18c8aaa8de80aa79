"""The log of a run, line by line, and its pace."""

from __future__ import annotations

import io
import json

import pytest
from accelerate import Accelerator
from hypothesis import given
from hypothesis import strategies as st

from train import tracking
from train.tracking import JSONLines, Pace, progress_line, trim_log

pytestmark = pytest.mark.usefixtures("one_process")


def test_one_line_an_update_in_order(tmp_path):
    path = tmp_path / "log.jsonl"
    accelerator = Accelerator(cpu=True, log_with=[JSONLines(path)])
    accelerator.init_trackers("run")
    for update in range(3):
        accelerator.log({"loss": update / 3, "epoch": 0}, step=update)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == [{"update": u, "loss": u / 3, "epoch": 0} for u in range(3)]


@given(
    updates=st.lists(st.integers(0, 30), max_size=12),
    done=st.integers(0, 30),
    torn=st.integers(0, 40),
)
def test_a_trimmed_log_has_the_lines_before_and_goes_on_in_lines(
    tmp_path_factory, updates, done, torn
):
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    whole = "".join(json.dumps({"update": update, "loss": 0.5}) + "\n" for update in updates)
    last = json.dumps({"update": 99, "loss": 0.25}) + "\n"
    path.write_text(whole + last[:torn])
    trim_log(path, done)
    with path.open("a") as file:
        file.write('{"update": 100}\n')
    found = [json.loads(line)["update"] for line in path.read_text().splitlines()]
    assert found == [update for update in updates if update < done] + [100]


def test_a_line_that_lacks_only_its_end_is_kept_whole(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"update": 0}\n{"update": 1}')
    trim_log(path, 2)
    assert path.read_text() == '{"update": 0}\n{"update": 1}\n'


def test_no_log_is_no_fault(tmp_path):
    trim_log(tmp_path / "log.jsonl", 3)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def clock(monkeypatch):
    """A clock that tests set."""
    now = [100.0]
    monkeypatch.setattr(tracking.time, "perf_counter", lambda: now[0])
    return now


def test_pace_counts_seconds_clips_and_waiting(clock):
    pace = Pace(earlier=50.0, window=2)
    assert (pace.rate, pace.wait_share, pace.total) == (0.0, 0.0, 50.0)
    for seconds, clips, waited in [(8.0, 4, 2.0), (2.0, 4, 0.0), (2.0, 12, 1.0)]:
        clock[0] += seconds
        pace.step(clips, waited)
    assert (pace.seconds, pace.clips, pace.total) == (12.0, 20, 62.0)
    assert pace.rate == 16 / 4  # of the last two updates
    assert pace.wait_share == 3 / 12
    clock[0] += 1000  # an evaluation
    pace.restart()
    clock[0] += 1
    pace.step(4, 0.0)
    assert pace.seconds == 13.0


def test_progress_is_shown_on_a_terminal_only(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    accelerator = Accelerator(cpu=True)
    for stream, shown in ((io.StringIO(), False), (Terminal(), True)):
        monkeypatch.setattr(tracking.sys, "stderr", stream)
        with progress_line(10, 4, accelerator) as line:
            assert line.disable is not shown
            assert not shown or (line.n, line.total) == (4, 10)
        assert bool(stream.getvalue()) is shown
