from __future__ import annotations

import os
import socket
import tempfile
import threading
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest

from spektron_edge.config.loading import load_config
from spektron_edge.config.page import PageSettings
from spektron_edge.examination import clock, machine, page, permissions, service
from spektron_edge.examination.finding import ok, warning, worst
from spektron_edge.examination.looking import Look, taken
from spektron_edge.examination.subject import Subject
from spektron_edge.examination.users import ENTER, READ, WRITE, User, daemon_user
from spektron_edge.faults import Fault, Faults
from tests.devices import make_device


def states(findings, part):
    return [finding.state for finding in findings if finding.part == part]


# ---- how looks are taken


def test_a_look_that_hangs_is_left_and_what_it_found_before_counts():
    never = threading.Event()

    def look():
        yield ok("part", "one thing")
        never.wait()
        yield ok("part", "another")

    found = list(taken(Look("part", look, 0.2)))
    never.set()
    assert [f.state for f in found] == ["ok", "bad"]
    assert "within 0.2 s" in found[1].said


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Fault(Faults.DISK_FULL, "full"), "disk_full"),
        (PermissionError(13, "denied", "/x"), None),
        (ZeroDivisionError("oops"), "internal"),
    ],
)
def test_a_look_that_fails_is_a_finding(error, code):
    def look():
        yield ok("part", "one thing")
        raise error

    good, bad = taken(Look("part", look))
    assert (good.state, bad.state, bad.code) == ("ok", "bad", code)
    assert bad.next_step


def test_the_verdict():
    assert worst([]) == "ok"
    assert worst([ok("a", ""), warning("b", "", "x")]) == "warning"


# ---- users and permissions


@pytest.fixture
def plain():
    """A folder that others may enter: pytest's own are closed to them."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of others")
def test_what_a_user_may(plain):
    stranger = User("nobody", 65534, frozenset({65534}))
    member = User("nobody", 65534, frozenset({65534, 4711}))
    file = plain / "file"
    file.touch(mode=0o640)
    file.chmod(0o640)
    os.chown(file, 0, 4711)
    assert not stranger.may(file, READ)
    assert member.may(file, READ)
    assert not member.may(file, READ | WRITE)
    os.chown(file, 65534, 0)
    assert stranger.may(file, READ | WRITE)
    plain.chmod(0o700)
    assert not stranger.may(file, READ)
    assert daemon_user(plain).may(file, READ | WRITE | ENTER)
    os.chown(plain, 65534, 65534)
    assert daemon_user(plain).uid == 65534


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of others")
def test_a_file_of_roots_that_the_daemon_goes_on_in_is_told(plain):
    device = make_device(plain / "device")
    for file in (device.folder, *device.folder.rglob("*")):
        os.chown(file, 65534, 65534)
    subject = Subject(device.config, load_config(device.config), running=False)
    assert "bad" not in states(permissions.look(subject), "permissions")
    os.chown(device.state / "audit.jsonl", 0, 0)
    (found,) = (f for f in permissions.look(subject) if f.state == "bad")
    assert "may not use" in found.said
    assert "audit.jsonl" in found.said


# ---- the machine


@pytest.fixture
def kernel(tmp_path):
    """kernel(files): /proc and /sys with these files."""

    def make(memory_kb=1_000_000, **files):
        (tmp_path / "meminfo").write_text(f"MemTotal: 1 kB\nMemAvailable:  {memory_kb} kB\n")
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")
        return list(machine.look(tmp_path, tmp_path))

    return make


def zone(temperature, limit):
    at = "class__thermal__thermal_zone0__"
    return {
        f"{at}temp": temperature,
        f"{at}type": "cpu",
        f"{at}trip_point_0_type": "passive",
        f"{at}trip_point_0_temp": limit,
    }


def test_memory(kernel):
    assert states(kernel(), "memory") == ["ok"]
    assert states(kernel(memory_kb=100_000), "memory") == ["warning"]
    assert states(kernel(memory_kb=10_000), "memory") == ["bad"]


def test_a_processor_that_is_hot_or_held_back(kernel):
    load = kernel()
    assert "not looked at" in states(load, "processor")
    cool = kernel(**zone(50_000, 80_000))
    assert any("30 below" in f.said for f in cool)
    hot = kernel(**zone(84_000, 80_000))
    assert any("4 above" in f.said and f.state == "warning" for f in hot)
    cpu = "devices__system__cpu__cpu0__"
    slow = kernel(
        **{f"{cpu}cpufreq__cpuinfo_max_freq": 1_500_000, f"{cpu}cpufreq__scaling_max_freq": 600_000}
    )
    assert any("600 of 1500 MHz" in f.said for f in slow)
    often = kernel(**{f"{cpu}thermal_throttle__core_throttle_count": 7})
    assert any("7 times" in f.said for f in often)


def test_this_machine_can_be_looked_at():
    assert states(list(machine.look()), "versions") == ["ok"]


# ---- the clock


def test_the_clock(monkeypatch):
    future = datetime(2100, 1, 1, tzinfo=timezone.utc)
    (early,) = clock.look(future)
    assert early.code == "clock_suspect"
    for in_step, state in ((True, "ok"), (False, "warning"), (None, "not looked at")):
        monkeypatch.setattr(clock, "kernel_synchronised", lambda in_step=in_step: in_step)
        (found,) = clock.look(None)
        assert found.state == state


# ---- systemd, which tests do not run under


@pytest.fixture
def systemctl(tmp_path, monkeypatch):
    """systemctl(**what `show` says of both units)"""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(service, "_BOOTED", tmp_path)

    def make(**properties):
        told = "".join(f"{key}={value}\\n" for key, value in properties.items())
        program = tmp_path / "systemctl"
        program.write_text(f"#!/bin/sh\nprintf '{told}'\n")
        program.chmod(0o755)
        return list(service.look())

    return make


@pytest.mark.parametrize(
    ("told", "of_daemon", "of_page"),
    [
        ({"LoadState": "not-found"}, "not looked at", "not looked at"),
        ({"ActiveState": "active"}, "ok", "ok"),
        ({"ActiveState": "active", "NRestarts": 3}, "warning", "warning"),
        ({"ActiveState": "failed", "ExecMainStatus": 10}, "bad", "bad"),
        ({"ActiveState": "inactive", "UnitFileState": "enabled"}, "bad", "bad"),
        ({"ActiveState": "inactive", "UnitFileState": "disabled"}, "warning", "not looked at"),
    ],
)
def test_units(systemctl, told, of_daemon, of_page):
    found = systemctl(**{"LoadState": "loaded", **told})
    assert [f.state for f in found] == [of_daemon, of_page]
    if told.get("ExecMainStatus"):
        assert "config_invalid" in found[0].said


def test_a_machine_without_systemd(monkeypatch, tmp_path):
    monkeypatch.setattr(service, "_BOOTED", tmp_path / "absent")
    assert [f.state for f in service.look()] == ["not looked at"]


# ---- the page


def look_at_page(port):
    subject = SimpleNamespace(config=SimpleNamespace(page=PageSettings(port=port)))
    return [finding.state for finding in page.look(subject)]


def test_a_page_that_is_not_there_hangs_up_or_answers():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve():
            for answer in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"):
                line, _ = server.accept()
                with line:
                    line.recv(4096)
                    line.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        assert look_at_page(port) == ["bad"]
        assert look_at_page(port) == ["ok"]
        thread.join()
    assert look_at_page(port) == ["not looked at"]
