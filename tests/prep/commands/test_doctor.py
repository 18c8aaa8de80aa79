"""`prep doctor`: what is there, what is not, and only what is necessary makes it fail."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from prep import doctor
from prep.commands.doctor import DoctorReport
from prep.doctor import Finding, Probe, disk, ffmpeg, gpu, memory_limit, probe
from prep.video.ffmpeg import ffmpeg_binary
from tests.prep.commands.said import said


def test_this_machine_is_fit_and_every_line_says_what_was_found():
    found = said("doctor", "--json")
    findings = {item["name"]: item for item in found.json["findings"]}
    assert found.code == 0, found.out
    assert found.json["ok"]
    assert {"Python", "ffmpeg", "PyAV", "torch", "DALI", "GPU", "memory", "disk"} <= set(findings)
    assert {"Ray", "openai client", "object stores"} <= set(findings)
    assert {"decord", "processor", "/dev/shm", "open files"} <= set(findings)
    assert all(item["found"] for item in findings.values())
    assert all(item["mend"] or item["state"] != "missing" for item in findings.values())


def test_only_what_is_necessary_fails():
    fine, worse = Finding("a", "ok", "1.0"), Finding("bb", "note", "none", "pip install bb")
    gone = Finding("c", "missing", "not found", "install c")
    assert DoctorReport((fine, worse)).exit_code == 0
    assert DoctorReport((fine, worse, gone)).exit_code == 1
    assert DoctorReport((fine, worse, gone)).text().splitlines() == [
        "ok       a   1.0",
        "note     bb  none",
        "         mend: pip install bb",
        "missing  c   not found",
        "         mend: install c",
    ]


@pytest.mark.parametrize(
    ("code", "said_of_it"),
    [
        ("import nosuchmodule", "ModuleNotFoundError: No module named 'nosuchmodule'"),
        ("import os; os.abort()", "killed by signal 6"),
        ("import sys; sys.exit(3)", "exit code 3"),
    ],
)
@pytest.mark.parametrize("necessary", [True, False])
def test_a_library_that_fails_is_a_finding(code, said_of_it, necessary):
    found = probe(Probe("lib", code, necessary, "pip install lib"))
    assert found == Finding(
        "lib", "missing" if necessary else "note", said_of_it, "pip install lib"
    )


def test_a_library_that_talks_or_hangs(monkeypatch):
    assert probe(Probe("lib", "print('hello'); say('1.2')", True, "")).found == "1.2"
    monkeypatch.setattr(doctor, "_PROBE_SECONDS", 0.5)
    found = probe(Probe("lib", "import time; time.sleep(60)", False, "wait"))
    assert (found.state, found.found) == ("note", "no answer within 0.5 s")


@pytest.fixture
def _found_anew():
    ffmpeg_binary.cache_clear()
    yield
    ffmpeg_binary.cache_clear()


@pytest.mark.usefixtures("_found_anew")
def test_no_ffmpeg_anywhere(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ffmpeg().state == "ok"  # imageio-ffmpeg brings one
    ffmpeg_binary.cache_clear()
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert ffmpeg().state == "missing"


@pytest.mark.usefixtures("_found_anew")
def test_an_ffmpeg_that_does_not_run(monkeypatch, tmp_path):
    (tmp_path / "ffmpeg").write_text("no program")
    (tmp_path / "ffmpeg").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = ffmpeg()
    assert found.state == "missing"
    assert str(tmp_path / "ffmpeg") in found.found


def test_disk_where_the_shards_will_go(tmp_path):
    assert str(tmp_path) in disk(tmp_path / "not" / "there").found
    (tmp_path / "data").write_text("a file in the way")
    assert disk(tmp_path / "data").state == "missing"


def test_little_of_something_is_a_note(monkeypatch):
    monkeypatch.setattr(doctor, "_LEAST_MEMORY", 1 << 60)
    monkeypatch.setattr(doctor, "_LEAST_FILES", 1 << 40)
    states = {finding.name: finding for finding in doctor.machine()}
    assert states["memory"].state == states["open files"].state == "note"
    assert states["open files"].mend.startswith("ulimit -n ")


def test_a_gpu_that_torch_does_not_see_is_told(monkeypatch):
    there = [Path("/dev/nvidia0")]
    monkeypatch.setattr(Path, "glob", lambda *_: there)
    assert gpu(Finding("torch", "ok", "2.9, no GPU")).mend
    assert gpu(Finding("torch", "ok", "2.9, CUDA 13.0, 1 x H100")).state == "ok"
    there.clear()
    assert "none" in gpu(Finding("torch", "ok", "2.9, no GPU")).found


def test_memory_is_that_of_the_control_group(monkeypatch):
    machine = memory_limit()
    real = Path.read_text
    limit = {"/sys/fs/cgroup/memory.max": "1048576\n"}
    monkeypatch.setattr(Path, "read_text", lambda self: limit.get(str(self)) or real(self))
    assert memory_limit() == 1048576
    limit["/sys/fs/cgroup/memory.max"] = "max\n"
    assert memory_limit() == machine


def test_an_extra_that_is_not_installed_is_a_note_that_names_it():
    extras = {"Ray": "ray", "openai client": "describe", "object stores": "remote"}
    found = {item.name: item for item in doctor.PROBES if item.name in extras}
    assert found.keys() == extras.keys()
    for name, item in found.items():
        absent = probe(replace(item, code=f"import sys; sys.path.clear(); {item.code}"))
        assert (absent.name, absent.state) == (name, "note") and "No module" in absent.found
        assert absent.mend.endswith(f"pip install -e '.[{extras[name]}]'")
