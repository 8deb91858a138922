"""The driver for USB instruments: a real worker process, the maker's real library in it.

There is no USB here. libseabreeze also speaks over RS-232, with virtual instruments on a pty.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager

import numpy as np
import pytest

from firmware_bridge.drivers import ocean_usb
from firmware_bridge.drivers.driver import Place
from firmware_bridge.drivers.ocean_usb import WorkerPort, make
from firmware_bridge.errors import (
    DeviceRefused,
    DeviceSilent,
    LineGarbage,
    PortBusy,
    PortLost,
    PortMissing,
)
from firmware_bridge.protocol import Configure, Position
from firmware_bridge.virtual.ocean_obp import NONLINEARITY, VirtualOceanObp
from firmware_bridge.virtual.port import PtyPort
from tests.drivers.cases import AXIS, SPECTRA
from tests.requirements import need

# The worker as it is, but for where the library looks for instruments.
OVER_RS232 = """
import sys
import seabreeze.cseabreeze
from firmware_bridge.drivers.ocean_usb_worker import main
api = seabreeze.cseabreeze.SeaBreezeAPI()
api.add_rs232_device_location(sys.argv[1].encode(), sys.argv[2].encode(), int(sys.argv[3]))
main(sys.argv[4])
"""


@pytest.fixture(autouse=True)
def _here():
    need("seabreeze")


@contextmanager
def plugged_in(model="STS", serial=""):
    """(device, port, instrument, its worker's process when open)."""
    device = VirtualOceanObp(SPECTRA, AXIS, model=model, baud=115200)
    with PtyPort(device) as port:
        name = {"STS": "STS", "QE Pro": "QE-PRO"}[model]
        command = [sys.executable, "-c", OVER_RS232, name, port.url, str(device.baud)]
        instrument = make(Place(serial, 0), command)
        try:
            yield device, port, instrument
        finally:
            instrument.close()


def settings(averages=1):
    return Configure(20_000, averages, 1, Position.SAMPLE)


def scans(instrument, count, averages=1):
    instrument.configure(settings(averages))
    instrument.start(count)
    found = []
    while len(found) < count:
        received = instrument.read(20.0)
        if received is not None:
            found.append(received)
    return found


@pytest.mark.parametrize("model", ["STS", "QE Pro"])
def test_an_instrument_through_the_real_library(model):
    with plugged_in(model) as (device, port, instrument):
        identity = instrument.open()
        assert identity.serial == device.serial
        assert identity.full_scale == device.model.full_scale
        assert np.allclose(identity.axis_nm, device.optics.wavelengths, atol=1e-3)
        assert identity.nonlinearity == pytest.approx(NONLINEARITY)
        assert identity.min_integration_us == device.model.least_us
        assert instrument.ping() > 0.0
        received = scans(instrument, 2, averages=2)
        made = port.call(lambda: dict(device.made))
    # The first one after the integration time was set is thrown away.
    assert np.allclose(received[0].message.counts, (made[1] + made[2].astype(float)) / 2)
    assert np.allclose(received[1].message.counts, (made[3] + made[4].astype(float)) / 2)
    assert received[0].variance is not None
    assert [r.message.number for r in received] == [0, 1]


def test_what_it_cannot_do_is_refused():
    with plugged_in() as (_, _, instrument):
        instrument.open()
        with pytest.raises(DeviceRefused, match="integration is 10 to 85000000 us"):
            instrument.configure(Configure(9, 1, 1, Position.SAMPLE))


def test_the_wrong_serial_number_is_told_with_those_that_are_there():
    with (
        plugged_in(serial="S00001") as (_, _, instrument),
        pytest.raises(PortMissing, match=r"S00001: expected an Ocean instrument.*found S11908"),
    ):
        instrument.open()


def test_nothing_on_usb():
    with pytest.raises(PortMissing, match="found none"):
        ocean_usb.DRIVER.make(Place("S11908", 0)).open()


def test_a_worker_that_hangs_is_killed_and_the_next_one_works(monkeypatch):
    with plugged_in() as (_, _, instrument):
        instrument.open()
        before = instrument._line.port._process
        instrument.configure(settings())
        instrument.start()
        os.kill(before.pid, signal.SIGSTOP)
        monkeypatch.setattr(ocean_usb, "THINKS_S", 1.0)
        with pytest.raises(DeviceSilent, match="expected a line of JSON, received no byte, tried"):
            instrument.read(30.0)
        monkeypatch.undo()
        instrument.open()
        assert before.returncode == -signal.SIGKILL
        assert scans(instrument, 1)


def test_a_worker_that_dies_is_told_and_the_next_one_works():
    with plugged_in() as (_, _, instrument):
        first = instrument.open()
        instrument.configure(settings())
        instrument.start()
        os.kill(instrument._line.port._process.pid, signal.SIGKILL)
        with pytest.raises(PortLost, match="the library ended"):
            list(iter(lambda: instrument.read(5.0), "no end"))
        assert instrument.open().boot_id != first.boot_id
        assert scans(instrument, 1)


def test_a_pulled_plug_is_told(monkeypatch):
    with plugged_in() as (_, port, instrument):
        instrument.open()
        instrument.configure(settings())
        instrument.start()
        assert instrument.read(20.0) is not None
        port.unplug()
        monkeypatch.setattr(ocean_usb, "THINKS_S", 1.0)
        with pytest.raises((PortLost, DeviceSilent)):
            list(iter(lambda: instrument.read(5.0), "no end"))


def test_a_worker_ends_with_the_one_who_asks():
    with plugged_in() as (_, _, instrument):
        instrument.open()
        process = instrument._line.port._process
        process.stdin.close()
        assert process.wait(30.0) == 0


def test_the_package_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setattr(ocean_usb, "find_spec", lambda name: None)
    with pytest.raises(PortMissing, match=r"pip install 'spektron-edge\[ocean-usb\]'"):
        ocean_usb.DRIVER.make(Place("", 0)).open()


# ---- workers that talk nonsense


def saying(*lines):
    """The instrument of a worker that says this, then echoes nothing until its end."""
    program = f"import sys\nfor line in {lines!r}: print(line, flush=True)\nsys.stdin.read()"
    return make(Place("", 0), [sys.executable, "-c", program])


def opened(*lines):
    instrument = saying(*lines)
    try:
        instrument.open()
    finally:
        instrument.close()


READY = '{"ready": true}'


def test_a_busy_instrument():
    with pytest.raises(PortBusy, match="another process holds it"):
        opened('{"busy": "Device already opened."}')


@pytest.mark.parametrize("line", ["hello", '{"failed": "USB"}', "{}"])
def test_a_library_that_cannot_open_it(line):
    with pytest.raises(PortLost, match="the library could not open it"):
        opened(line)


def test_a_library_that_never_opens_it():
    with pytest.raises(DeviceSilent, match=r"expected the library to open it within 0\.5 s"):
        WorkerPort([sys.executable, "-c", "import sys; sys.stdin.read()"], "", opens_s=0.5)


def test_a_worker_that_ends_says_why():
    with pytest.raises(PortLost, match=r"the library ended: .*boom"):
        make(Place("", 0), [sys.executable, "-c", "raise RuntimeError('boom')"]).open()


LATE = (
    "import sys\nprint('{\"ready\": true}', flush=True)\nfor line in sys.stdin:\n"
    "    print(sys.argv[1], flush=True)"
)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("hello", "no JSON"),
        ("[1]", "no object"),
        ('{"id": 7}', "an answer to request 7, not 1"),
        ('{"id": 1}', "an identity that lacks something"),
        (
            '{"id": 1, "serial": "x", "nm": [1, NaN], "full": 1, "limits_us": [1, 2],'
            ' "model": "", "dark": [], "nonlinearity": []}',
            "no list of numbers",
        ),
    ],
)
def test_answers_that_are_none(answer, told):
    instrument = make(Place("", 0), [sys.executable, "-c", LATE, answer])
    with pytest.raises(LineGarbage, match=f"expected .*{told}"):
        instrument.open()
    instrument.close()
