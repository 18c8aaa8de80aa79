"""Who may be at work on a set at one time."""

from __future__ import annotations

import subprocess
import sys

import pytest

from manifests.errors import UserError
from prep.locks import hold_set, hold_tables

HOLD = """
import pathlib, sys
from prep.locks import hold_set
with hold_set(pathlib.Path(sys.argv[1]), shared=False):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("first", "second", "fits"),
    [(True, True, True), (True, False, False), (False, True, False), (False, False, False)],
)
def test_only_parts_work_side_by_side(tmp_path, first, second, fits):
    with hold_set(tmp_path / "toy", shared=first):
        if fits:
            with hold_set(tmp_path / "toy", shared=second):
                pass
        else:
            with (
                pytest.raises(UserError, match=r"is at work on .*toy: wait.*--part"),
                hold_set(tmp_path / "toy", shared=second),
            ):
                pass
    with hold_set(tmp_path / "toy", shared=False):
        pass


def test_a_killed_run_holds_nothing(tmp_path):
    words = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(UserError, match="at work"), hold_set(tmp_path, shared=True):
            pass
        process.kill()
        process.wait()
        with hold_set(tmp_path, shared=False):
            pass


def test_the_lock_of_the_tables_is_another(tmp_path):
    with hold_set(tmp_path, shared=True), hold_tables(tmp_path):
        pass


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with (
        pytest.raises(UserError, match=r"cannot write .*not a directory"),
        hold_set(tmp_path / "file" / "toy", shared=False),
    ):
        pass
