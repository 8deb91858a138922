"""What speaks on a port: found at whatever speed, or told what came instead."""

from __future__ import annotations

import json
import sys
import threading
import time

import pytest

from firmware_bridge.drivers import ocean_sad500
from firmware_bridge.drivers.driver import Driver, Place
from firmware_bridge.drivers.registry import driver
from firmware_bridge.errors import DeviceRefused, PortMissing
from firmware_bridge.probe import Found, Noise, candidates, probe
from firmware_bridge.terminal import Terminal
from firmware_bridge.virtual import PtyPort
from firmware_bridge.virtual.ocean_sad500 import VirtualOceanSad500
from spektron_edge.cli.main import main
from spektron_edge.config.instrument import Serial
from spektron_edge.examination.ports import nothing
from tests.drivers.arduino import VirtualArduino
from tests.drivers.cases import AXIS, SPECTRA, c12880ma

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SPEKTRON = driver("spektron")


def silent(_said: str) -> None:
    """Nobody listens."""


def test_usual_speeds_come_first():
    a = Driver("a", "", (9600, 115200), "", "", SPEKTRON.make)
    b = Driver("b", "", (460800,), "", "", SPEKTRON.make)
    usb = Driver("usb", "", (), "", "", SPEKTRON.make)
    tried = [(d.name, baud) for d, baud in candidates([a, usb, b])]
    assert tried == [("a", 9600), ("b", 460800), ("a", 115200)]


def test_our_own_instrument_is_found_at_another_speed(make_device):
    told = []
    with PtyPort(make_device(baud=460800)) as port:
        outcome = probe(port.url, [SPEKTRON, c12880ma.DRIVER], told.append)
        found = outcome.found
        assert (found.driver.name, found.place.baud) == ("spektron", 460800)
        assert found.identity.pixels == 120
        assert found.identity.axis_nm[0] == 1096.0
        assert found.block() == f'[serial]\nurl = "{port.url}"\nbaud = 460800\n'
    assert [(a.driver, a.baud) for a in outcome.attempts] == [
        ("spektron", 921600),
        ("c12880ma", 115200),
    ]
    assert told[0] == "spektron at 921600 baud"


def test_an_instrument_that_knows_no_wavelengths_is_found_and_told_so():
    begun = time.monotonic()
    with PtyPort(VirtualArduino(SPECTRA, AXIS), clock=lambda: time.monotonic() - begun) as port:
        outcome = probe(port.url, [c12880ma.DRIVER], silent)
        block = outcome.found.block()
    assert outcome.found.meanwhile == ("wavelength_nm", "serial")
    assert "put its polynomial here" in block
    assert tomllib.loads(block)["serial"] == {
        "url": port.url,
        "driver": "c12880ma",
        "baud": 115200,
        "wavelength_nm": [0.0, 1.0],
        "serial_number": "unnamed",
    }


def test_silence_is_told():
    terminal = Terminal(None, 921600)
    slow = Driver("slow", "", (9600,), "", "", SPEKTRON.make)
    outcome = probe(terminal.url, [slow], silent)
    terminal.unplug()
    assert outcome.found is None
    assert outcome.attempts[0].said.startswith("DeviceSilent: ")
    assert outcome.heard == (Noise(9600, 0, b""),)


def probed_beside(act):
    """Where was looked and what came of it, while `act` was done with the terminal all the time."""
    terminal, over = Terminal(None, 9600), threading.Event()

    def go_on():
        while not over.wait(0.02):
            act(terminal)

    thread = threading.Thread(target=go_on)
    thread.start()
    slow = Driver("slow", "", (9600,), "", "", SPEKTRON.make)
    try:
        return terminal.url, probe(terminal.url, [slow], silent)
    finally:
        over.set()
        thread.join()
        terminal.unplug()


def test_free_running_text_is_shown():
    _, outcome = probed_beside(lambda terminal: terminal.write(b"jetson login: \r\n", 0.1))
    (heard,) = outcome.heard
    assert outcome.attempts[0].said.startswith("LineGarbage: ")
    assert heard.size > 0
    assert "login" in heard.text


def test_binary_is_no_text():
    assert Noise(9600, 4, b"\x80\x81ab").text is None


def test_a_missing_port_ends_it():
    with pytest.raises(PortMissing):
        probe("/dev/absent", [SPEKTRON], silent)


class Refuses:
    def open(self):
        raise DeviceRefused("HELLO", 6, "HARDWARE", "no detector")

    def close(self):
        """Nothing is held."""


def test_one_that_answers_but_refuses_is_no_find():
    terminal = Terminal(None, 9600)
    refusing = Driver("r", "", (9600,), "", "", lambda _place: Refuses())
    try:
        outcome = probe(terminal.url, [refusing], silent)
    finally:
        terminal.unplug()
    assert outcome.attempts[0].said.startswith("DeviceRefused: ")


def test_a_name_for_one_that_has_none():
    found = Found(c12880ma.DRIVER, Place("u", 9600, serial="unnamed"), None, ("serial",))
    assert 'serial_number = "unnamed"  # any name; the instrument has none' in found.block()


def test_an_instrument_that_does_not_say_its_model_is_found_as_one_of_them():
    device = VirtualOceanSad500(SPECTRA, AXIS, baud=9600)
    with PtyPort(device) as port:
        block = probe(port.url, [ocean_sad500.DRIVER], silent).found.block()
    with pytest.raises(ValueError, match="needs `model`, one of S2000, USB2000"):
        Serial(**tomllib.loads(block)["serial"])
    chosen = block.replace('# model = "Flame-S"', 'model = "Flame-S"')
    serial = Serial(**tomllib.loads(chosen)["serial"])
    assert (serial.driver, serial.model, serial.serial_number) == (
        "ocean-sad500",
        "Flame-S",
        "unnamed",
    )


def test_what_only_the_first_model_has_is_not_reported_as_the_instruments(capsys):
    with PtyPort(VirtualOceanSad500(SPECTRA, AXIS, baud=9600)) as port:
        assert main(["probe", port.url, "--driver", "ocean-sad500", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    for unknown in ("model", "serial", "pixels", "integration_us", "wavelength_nm"):
        assert report[unknown] is None
    assert report["firmware"] == "3.00.1"


@pytest.mark.parametrize(
    "answer", [lambda heard: heard, lambda heard: b"\r\njetson login: " * heard.count(b"\r")]
)
def test_a_login_console_is_told(answer, capsys):
    def console(terminal):
        if heard := terminal.read():
            terminal.write(answer(heard), 0.1)

    url, outcome = probed_beside(console)
    (heard,) = outcome.heard
    assert heard.console
    told = nothing(url, outcome, [])
    assert "login console" in told
    assert "systemctl disable --now serial-getty@" in told
