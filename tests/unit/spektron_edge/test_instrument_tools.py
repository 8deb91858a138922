"""`conformance`, `probe`, `record` and `replay` as commands."""

from __future__ import annotations

import io
import json
import os
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import numpy as np
import pytest
from serial.tools import list_ports

from firmware_bridge.errors import LinkError
from firmware_bridge.link import Link
from firmware_bridge.recording.file import read
from firmware_bridge.terminal import Terminal
from firmware_bridge.virtual import InjectedFaults, Optics, PtyPort, VirtualSpectrometer
from spektron_edge.cli.main import main
from spektron_edge.config.loading import load_config
from spektron_edge.faults import Faults

AXIS = np.arange(1100.0, 2499.0, 2.0)


@pytest.fixture
def port():
    device = VirtualSpectrometer(np.full((1, AXIS.size), 0.3), AXIS, Optics(pixels=120))
    with PtyPort(device) as port:
        yield port


def fails(capsys, kind, *arguments):
    assert main([str(a) for a in arguments]) == kind.value.exit_status
    out, err = capsys.readouterr()
    assert f"[{kind.value.code}]" in err
    assert "Traceback" not in out + err
    return out, err


def test_conformance(port, capsys, tmp_path):
    page = tmp_path / "report.html"
    assert main(["conformance", port.url, "--quick", "--json", "--report", str(page)]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert report["conforms"]
    assert report["instrument"] == "VIRT-0001, firmware virtual 1.0"
    assert report["counts"]["failed"] == 0
    assert {"id", "severity", "verdict", "promise", "where"} <= set(report["requirements"][0])
    assert "passed   must    hello.info" in err
    assert "frame.noise" in page.read_text()
    assert not port.call(lambda: port.device.streaming)


def test_an_instrument_that_does_not_conform(capsys, tmp_path):
    faults = InjectedFaults(error_on_configure=True)
    device = VirtualSpectrometer(
        np.full((1, AXIS.size), 0.3), AXIS, Optics(pixels=20), faults=faults, serial="<b>&"
    )
    page = tmp_path / "report.html"
    with PtyPort(device) as port:
        out, err = fails(
            capsys, Faults.NOT_CONFORMING, "conformance", port.url, "--quick", "--report", page
        )
    assert "failed   must    configure.limits" in out
    assert 'docs/protocol.md: "Settings beyond the limits of INFO' in out
    assert "<b>&: does not conform" in out.replace(", firmware virtual 1.0 on " + port.url, "")
    assert "&lt;b&gt;&amp;" in page.read_text()
    assert "configure.limits" in err


def test_conformance_over_a_power_cycle(port, capsys, monkeypatch):
    class Hand:
        def readline(self):
            port.call(lambda: port.device.power_cycle(time.monotonic()))
            return "\n"

    monkeypatch.setattr(sys, "stdin", Hand())
    assert main(["conformance", port.url, "--quick", "--power-cycle"]) == 0
    out, _ = capsys.readouterr()
    assert "Switch the instrument off and on now" in out
    assert "passed   must    power.boot-id" in out
    assert "seen     SAMPLE, brightest of its scans: " in out


def test_a_power_cycle_needs_somebody(port, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    fails(capsys, Faults.COMMAND_INPUT, "conformance", port.url, "--quick", "--power-cycle")
    with pytest.raises(SystemExit):
        main(["conformance", port.url, "--power-cycle", "--json"])


def test_conformance_of_nothing(capsys):
    terminal = Terminal(None, 921600)
    fails(capsys, Faults.DEVICE_SILENT, "conformance", terminal.url, "--json")
    terminal.unplug()
    fails(capsys, Faults.PORT_MISSING, "conformance", "/dev/absent")


def test_conformance_of_a_line_that_sends_everything_back(capsys):
    terminal = Terminal(None, 921600)
    stop = threading.Event()

    def echo():
        while not stop.is_set():
            if select.select([terminal.fd], [], [], 0.01)[0]:
                terminal.write(terminal.read(), 1.0)

    thread = threading.Thread(target=echo)
    thread.start()
    try:
        _, err = fails(capsys, Faults.LINE_GARBAGE, "conformance", terminal.url)
    finally:
        stop.set()
        thread.join()
        terminal.unplug()
    assert "received what was sent" in err


def test_a_report_that_cannot_be_written(port, capsys, tmp_path):
    gone = tmp_path / "no" / "report.html"
    fails(capsys, Faults.REPORT_UNWRITABLE, "conformance", port.url, "--quick", "--report", gone)


def test_probe_prints_a_block_that_is_accepted(port, capsys, tmp_path, tiny_bundle):
    assert main(["probe", port.url, "--json"]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert (report["driver"], report["baud"], report["pixels"]) == ("spektron", 921600, 120)
    assert report["serial"] == "VIRT-0001"
    assert report["wavelength_nm"] == pytest.approx([1096.0, 2502.0])
    assert report["capabilities"] == ["shutter", "reference", "lamp"]
    assert "spektron at 921600 baud" in err
    file = tmp_path / "edge.toml"
    file.write_text(
        f'site = "plant"\ninstrument = "nir"\nstate_dir = "state"\nbundle = "{tiny_bundle}"\n'
        f'[mqtt]\nurl = "mqtt://127.0.0.1:1"\n{report["configuration"]}'
    )
    assert load_config(file).serial.url == port.url
    assert main(["probe", port.url]) == 0
    assert report["configuration"] in capsys.readouterr().out


def test_probe_of_nothing_says_what_was_tried(capsys):
    terminal = Terminal(None, 921600)
    _, err = fails(capsys, Faults.NOTHING_FOUND, "probe", terminal.url, "--driver", "spektron")
    terminal.unplug()
    assert "tried spektron 921600" in err
    assert "not one byte came by itself" in err
    fails(capsys, Faults.PORT_MISSING, "probe", "/dev/absent")
    _, err = fails(capsys, Faults.NOTHING_FOUND, "probe", "/dev/absent", "--driver", "nobody")
    assert "no driver 'nobody'" in err


def test_probe_lists_ports(capsys, monkeypatch):
    class Port:
        device, description, hwid = "/dev/ttyUSB7", "FT232R", "USB VID:PID=0403:6001"

    monkeypatch.setattr(list_ports, "comports", lambda: [Port])
    assert main(["probe"]) == 0
    assert "/dev/ttyUSB7" in capsys.readouterr().out
    monkeypatch.setattr(list_ports, "comports", list)
    fails(capsys, Faults.NOTHING_FOUND, "probe", "--json")


class Tool:
    """A command in a process of its own; the first line that it says names its port."""

    def __init__(self, *arguments: object, stderr: int | None = None) -> None:
        command = [sys.executable, "-m", "spektron_edge", *map(str, arguments), "--json"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
        self.port = json.loads(self.process.stdout.readline())["port"]

    def end(self, number: int = signal.SIGTERM) -> list[dict]:
        self.process.send_signal(number)
        out, _ = self.process.communicate(timeout=60)
        return [json.loads(line) for line in out.splitlines()]


def test_a_recording_that_was_killed_is_played(port, tmp_path):
    path = tmp_path / "fault.jsonl"
    recorder = Tool("record", port.url, path, "--link", tmp_path / "between")
    with Link(recorder.port, reply_timeout_s=10.0) as link:
        first = link.open()
        link.ping()
    recorder.end(signal.SIGKILL)
    assert recorder.process.returncode == -signal.SIGKILL
    assert read(path).lines
    player = Tool("replay", path)
    with Link(player.port, reply_timeout_s=10.0) as link:
        again = link.open()
        link.ping()
    assert (again.serial, again.boot_id) == (first.serial, first.boot_id)
    said = json.loads(player.process.stdout.readline())
    assert said["played"] == "to the end"
    assert (said["requests"], said["differing"]) == (3, 0)
    player.end()
    assert player.process.returncode == 0


def test_a_recording_tells_what_it_kept(port, tmp_path):
    path = tmp_path / "ok.jsonl"
    recorder = Tool("record", port.url, path)
    with Link(recorder.port, reply_timeout_s=10.0) as link:
        link.open()
    (said,) = recorder.end(signal.SIGINT)
    assert said["ended"] == "stopped"
    assert said["bytes_from_instrument"] > 100
    assert recorder.process.returncode == 0
    assert not os.path.lexists(tmp_path / "between")


def test_a_file_that_takes_no_more_ends_a_recording(port, tmp_path):
    path = tmp_path / "full.jsonl"
    recorder = Tool("record", port.url, path, stderr=subprocess.PIPE)
    size = path.stat().st_size
    resource.prlimit(recorder.process.pid, resource.RLIMIT_FSIZE, (size + 100, size + 100))
    with Link(recorder.port, reply_timeout_s=1.0) as link, suppress(LinkError):
        link.open()
    out, err = recorder.process.communicate(timeout=60)
    said = json.loads(out)
    assert said["ended"] == f"{path}: File too large"
    assert said["bytes_from_host"] > 0
    assert recorder.process.returncode == Faults.REPORT_UNWRITABLE.value.exit_status
    assert f"{path}: File too large [report_unwritable]" in err
    read(path)


def test_what_cannot_be_recorded_or_played(port, capsys, tmp_path):
    path = tmp_path / "x.jsonl"
    fails(capsys, Faults.PORT_MISSING, "record", "/dev/absent", path)
    assert not path.exists()
    fails(capsys, Faults.RECORDING_UNUSABLE, "replay", path)
    path.write_text("mine")
    fails(capsys, Faults.RECORDING_UNUSABLE, "replay", path, "--json")
    fails(capsys, Faults.REPORT_UNWRITABLE, "record", port.url, path)
    assert path.read_text() == "mine"
    with pytest.raises(SystemExit):
        main(["replay", str(path), "--speed", "0"])
