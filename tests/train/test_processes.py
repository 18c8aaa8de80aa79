"""Ranks: when they are missing, what they are told, and how their ends are waited for."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from train import processes
from train.processes import leave_with_launcher, missing_ranks, start_ranks

LAUNCHED = {"ACCELERATE_USE_CPU": "true", "MASTER_PORT": "29500"}
LAUNCHER = ("python", "accelerate", "launch", "--cpu", "--num_processes", "2", "train/run.py")
_PR_SET_PDEATHSIG, _PR_GET_PDEATHSIG = 1, 2


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    """No variable of any launcher."""
    for name in list(os.environ):
        if name.startswith(("ACCELERATE", "MASTER", "PMI_", "OMPI_", "MV2_")) or "RANK" in name:
            monkeypatch.delenv(name)


@pytest.fixture
def launched(monkeypatch):
    """As below `accelerate launch --cpu --num_processes 2`."""
    for name, value in LAUNCHED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(processes, "_words_of", lambda _: LAUNCHER)
    return monkeypatch


def test_ranks_that_the_launcher_left_out_are_missing(launched):
    assert missing_ranks() == 2


def test_nothing_is_missing_without_a_launcher():
    assert missing_ranks() == 0


@pytest.mark.parametrize(
    "name", ["RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK"]
)
def test_nothing_is_missing_where_ranks_were_given(launched, name):
    launched.setenv(name, "0")
    assert missing_ranks() == 0


def test_nothing_is_missing_on_gpus(launched):
    launched.setenv("ACCELERATE_USE_CPU", "false")
    assert missing_ranks() == 0


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["--num_processes", "4", "train/run.py"], 4),
        (["--num-processes=3"], 3),
        (["--num_processes", "1"], 0),
        (["--num_processes", "many"], 0),
        (["--num_processes"], 0),
        (["--num_machines", "4"], 0),
        ([], 0),
    ],
)
def test_the_number_asked_for_is_read_off_the_launchers_words(launched, words, count):
    launched.setattr(processes, "_words_of", lambda _: words)
    assert missing_ranks() == count


def test_words_of_a_process():
    code = "print(flush=True); input()"
    command = [sys.executable, "-S", "-c", code, "--num_processes", "7"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as child:
        assert child.stdout is not None and child.stdout.readline()
        found = processes._words_of(child.pid)
        child.communicate(b"\n")
    assert found[1:6] == command[1:]
    assert processes._words_of(2**22 + 1) == []


def test_ranks_are_told_who_they_are(tmp_path):
    script = tmp_path / "rank.py"
    script.write_text(
        "import os, pathlib, sys\n"
        "names = ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'LOCAL_WORLD_SIZE', 'MASTER_ADDR',\n"
        "         'MASTER_PORT')\n"
        "text = ' '.join(os.environ[name] for name in names) + ' ' + ' '.join(sys.argv[1:])\n"
        "pathlib.Path(sys.argv[1], os.environ['RANK']).write_text(text)\n"
    )
    out = tmp_path / "told"
    out.mkdir()
    with kept_handlers():
        assert start_ranks(3, [str(script), str(out), "--resume"]) == 0
    told = [(out / str(rank)).read_text().split() for rank in range(3)]
    assert [line[:5] for line in told] == [
        [str(r), str(r), "3", "3", "127.0.0.1"] for r in range(3)
    ]
    assert len({line[5] for line in told}) == 1
    assert all(line[6:] == [str(out), "--resume"] for line in told)


def test_a_signal_is_handed_to_every_rank(tmp_path):
    script = tmp_path / "rank.py"
    script.write_text(
        "import os, pathlib, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))\n"
        "pathlib.Path(sys.argv[1], os.environ['RANK']).touch()\n"
        "if os.environ['RANK'] == '1':\n"
        "    while len(list(pathlib.Path(sys.argv[1]).iterdir())) < 2: time.sleep(0.01)\n"
        "    os.kill(os.getppid(), signal.SIGTERM)\n"
        "time.sleep(60)\n"
    )
    out = tmp_path / "ready"
    out.mkdir()
    began = time.monotonic()
    with kept_handlers():
        assert start_ranks(2, [str(script), str(out)]) == 130
    assert time.monotonic() - began < 30


def ranks(*codes: str) -> list[subprocess.Popen[bytes]]:
    return [subprocess.Popen([sys.executable, "-S", "-E", "-c", code]) for code in codes]


@pytest.mark.parametrize(
    ("codes", "wanted"),
    [
        (["pass", "pass"], 0),
        (["pass", "raise SystemExit(2)"], 2),
        (["raise SystemExit(130)", "pass"], 130),
        (["import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "pass"], 1),
    ],
)
def test_the_first_code_that_is_not_0_is_told(codes, wanted):
    assert processes._wait(ranks(*codes)) == wanted


def test_when_one_fails_the_others_are_asked_and_then_made_to_leave(monkeypatch, tmp_path):
    monkeypatch.setattr(processes, "_PATIENCE_S", 0.3)
    monkeypatch.setattr(processes, "_GRACE_S", 1.0)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    ready = tmp_path / "deaf"
    deaf += f"open({str(ready)!r}, 'w'); time.sleep(60)"
    waiting = f"import os, time\nwhile not os.path.exists({str(ready)!r}): time.sleep(0.01)\n"
    started = ranks(waiting + "raise SystemExit(1)", "import time; time.sleep(60)", deaf)
    assert processes._wait(started) == 1
    assert [process.returncode for process in started] == [1, -signal.SIGTERM, -signal.SIGKILL]


def test_a_free_port_can_be_taken():
    with socket.socket() as mine:
        mine.bind(("127.0.0.1", processes._free_port()))


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own signal is Linux's")
@pytest.mark.parametrize(
    ("name", "wanted"),
    [("LOCAL_RANK", signal.SIGTERM), ("ACCELERATE_MIXED_PRECISION", signal.SIGTERM), ("", 0)],
)
def test_a_launched_run_dies_with_its_launcher_and_no_other(monkeypatch, name, wanted):
    if name:
        monkeypatch.setenv(name, "0")
    library = ctypes.CDLL(None)
    found = ctypes.c_int()
    try:
        leave_with_launcher()
        library.prctl(_PR_GET_PDEATHSIG, ctypes.byref(found))
    finally:
        library.prctl(_PR_SET_PDEATHSIG, 0)
    assert found.value == wanted


class kept_handlers:
    """Puts this process's handlers back."""

    def __enter__(self) -> None:
        self.before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
