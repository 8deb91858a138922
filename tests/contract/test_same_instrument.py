"""One that is exchanged or loses power between two scans is not taken for the same instrument."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from firmware_bridge.drivers.obp import Ask
from firmware_bridge.drivers.single import SURE_FOR_S
from firmware_bridge.errors import InstrumentExchanged
from firmware_bridge.protocol import Configure, Position
from firmware_bridge.virtual.faults import InjectedFaults
from firmware_bridge.virtual.nirone import VirtualNirone
from firmware_bridge.virtual.nirscan import VirtualNirscan
from firmware_bridge.virtual.ocean_obp import VirtualOceanObp
from tests.drivers.cases import AXIS, CASES, SPECTRA
from tests.drivers.lines import MadeLine

STS = partial(VirtualOceanObp, SPECTRA, AXIS, baud=115200)


def streaming(name, device):
    """A driver that gave two scans of it."""
    case, line = CASES[name], MadeLine(device)
    instrument = case.instrument(line)
    instrument.open()
    instrument.configure(Configure(case.integration_us, 1, 1, Position.SAMPLE))
    instrument.start()
    scans(instrument, line, 2)
    return instrument, line


def scans(instrument, line, count, within_s=60.0):
    found, until = [], line.now + within_s
    while len(found) < count and line.now < until:
        if (received := instrument.read(0.25)) is not None:
            found.append(received.message)
    return found


def power_cycled(line, integration_us, silent_s=0.0):
    """Power fails for a moment, behind a port that stays."""
    device = line.device
    device.faults = InjectedFaults(silent=silent_s > 0.0)
    device.power_cycle(line.now)
    line._coming.clear()
    line.sleep(silent_s)
    device.faults = InjectedFaults(silent=False)
    device.integration_us = integration_us


def other(serial):
    device = STS(seed=9)
    device.serial = serial
    return device


def test_an_sts_that_lost_its_integration_time_is_told():
    instrument, line = streaming("ocean-obp", STS())
    power_cycled(line, 21_000)
    begun = line.now
    with pytest.raises(InstrumentExchanged, match="21000 us instead of 20000 us"):
        scans(instrument, line, 1000)
    assert line.now - begun < SURE_FOR_S + 2.0


def test_after_a_lost_reply_not_one_exposure_of_it_counts():
    instrument, line = streaming("ocean-obp", STS())
    line.device.faults = InjectedFaults(silent=True)
    for _ in range(3):
        assert instrument.read(0.25) is None
    power_cycled(line, 19_000, silent_s=0.2)
    with pytest.raises(InstrumentExchanged, match="19000 us instead of 20000 us"):
        assert scans(instrument, line, 1) == []


def test_another_sts_on_the_same_port_is_told():
    instrument, line = streaming("ocean-obp", STS())
    before = instrument.open().boot_id
    instrument.configure(Configure(20_000, 1, 1, Position.SAMPLE))
    instrument.start()
    line.device = other("S99999")
    begun = line.now
    with pytest.raises(InstrumentExchanged, match="'S99999' instead of 'S11908'"):
        scans(instrument, line, 1000)
    assert line.now - begun < SURE_FOR_S + 2.0
    found = instrument.open()
    assert (found.serial, found.boot_id != before) == ("S99999", True)


def test_an_order_that_sets_it_up_anew_notices_the_exchange():
    instrument, line = streaming("ocean-obp", STS())
    instrument.stop()
    line.device = other("S99999")
    line.sleep(SURE_FOR_S)
    with pytest.raises(InstrumentExchanged, match="'S99999' instead of 'S11908'"):
        instrument.configure(Configure(20_000, 1, 1, Position.SAMPLE))


def test_one_that_does_not_say_its_integration_time_is_told_it_for_each_exposure():
    instrument, line = streaming("ocean-obp", STS(unknown=frozenset({Ask.INTEGRATION_US})))
    power_cycled(line, 700_000)
    assert len(scans(instrument, line, 3)) == 3
    assert line.device.integration_us == 20_000


def test_a_nirone_that_forgot_lamp_and_set_points_is_told_at_once():
    instrument, line = streaming("nirone", VirtualNirone(SPECTRA, AXIS))
    line.device.power_cycle(line.now)
    with pytest.raises(InstrumentExchanged, match="switched off"):
        assert scans(instrument, line, 1) == []


@pytest.mark.parametrize("silent_s", [0.0, 1.0, 3.0])
def test_a_nirone_off_for_a_while_is_told(silent_s):
    instrument, line = streaming("nirone", VirtualNirone(SPECTRA, AXIS))
    assert instrument.read(0.25) is None  # a measurement goes on
    power_cycled(line, 0, silent_s)
    with pytest.raises(InstrumentExchanged, match="switched off"):
        assert scans(instrument, line, 1) == []


def test_a_nirscan_whose_index_falls_was_off():
    instrument, line = streaming("nirscan", VirtualNirscan(SPECTRA, AXIS))
    line.device.power_cycle(line.now)
    with pytest.raises(InstrumentExchanged, match="expected a scan after"):
        scans(instrument, line, 20)


def test_another_nirscan_is_told():
    instrument, line = streaming("nirscan", VirtualNirscan(SPECTRA, AXIS))
    line.device.serial = b"6100040"
    begun = line.now
    with pytest.raises(InstrumentExchanged, match="6100040"):
        scans(instrument, line, 20)
    assert line.now - begun < SURE_FOR_S + 5.0


class Deaf:
    """Every so often what the instrument says is lost."""

    def __init__(self, device, every):
        self.said, say = 0, device.say

        def lossy(reply, after_s=0.0):
            self.said += 1
            say(b"" if self.said % every == 0 else reply, after_s)

        device.say = lossy


@pytest.mark.parametrize("name", sorted(set(CASES) - {"c12880ma", "ocean-usb"}))
def test_lost_replies_alone_cost_nothing(name):
    instrument, line = streaming(name, CASES[name].device())
    Deaf(line.device, 23 if name == "nirscan" else 7)  # a file has eight pieces
    found = scans(instrument, line, 12, within_s=600.0)
    assert [scan.number for scan in found] == list(range(2, 14))
    assert all(np.isfinite(scan.counts).all() for scan in found)
