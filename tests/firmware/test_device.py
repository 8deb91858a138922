"""What the firmware's library does beyond the contract of tests/contract/test_devices.py."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_bridge.framing import Framer
from firmware_bridge.protocol import (
    Capability,
    Configure,
    ErrorCode,
    Event,
    EventCode,
    Ping,
    Position,
    Scan,
    Start,
    decode,
)
from tests.clocked import SAMPLE, Bench
from tests.firmware.host import HostDevice


def test_it_announces_its_power_on(driver):
    (body,) = Framer().feed(HostDevice(driver).greeting)
    assert decode(body).message == Event(EventCode.RESTARTED, "power on")


@pytest.mark.parametrize("averages", [1, 2, 7, 10_000])
def test_exposures_are_averaged_and_rounded(driver, averages):
    b = Bench(HostDevice(driver))
    b.ask(Configure(1000, averages, 1, Position.SAMPLE))
    b.ask(Start(1))
    (scan,) = b.scans(20.0)
    assert set(scan.counts) <= {20_000, 20_001}
    assert scan.averages == averages


def test_a_pixel_full_in_one_exposure_is_full_in_the_mean(driver):
    b = Bench(HostDevice(driver, saturated_scan=1))
    b.ask(Configure(1000, 5, 1, Position.SAMPLE))
    b.ask(Start(3))
    out = b.wait(1.0)
    scans = [m for m in out if isinstance(m, Scan)]
    assert [s.saturated for s in scans] == [0, 1, 0]
    assert np.flatnonzero(scans[1].counts == 65535).tolist() == [7]
    told = [m for m in out if isinstance(m, Event)]
    assert told == [Event(EventCode.SATURATED, "1 pixels saturated in scan 1")]


def test_a_line_that_takes_no_more_loses_whole_scans_and_says_so(driver):
    """A thousand bytes are three scans and a bit: what does not fit is counted, and named later."""
    device = HostDevice(driver, line_bytes=1000)
    b = Bench(device)
    b.ask(SAMPLE)
    b.ask(Start(10))
    out = b.wait(1.0)
    assert [m.number for m in out] == [0, 1, 2]
    assert device.counters["scans"] == 10
    assert device.counters["scans_lost"] == 7
    (event,) = b.wait(0.0)
    assert event.code == EventCode.OVERRUN
    assert event.text.startswith("7 scans lost")
    assert b.wait(1.0) == []
    assert b.framer.counters.bad_frames == 0


def test_a_blocked_line_slows_no_scan_down_and_hurries_none(driver):
    made = []
    for line_bytes in (400, 1 << 20):
        device = HostDevice(driver, line_bytes=line_bytes)
        b = Bench(device)
        b.ask(Configure(10, 1, 1, Position.SAMPLE))
        b.ask(Start())
        b.wait(1.0)
        made.append(device.counters["scans"])
    assert made[0] == pytest.approx(made[1], rel=0.02)


def test_it_counts_what_it_sends(driver):
    device = HostDevice(driver)
    b = Bench(device)
    b.ask(SAMPLE)
    b.ask(Start(20))
    b.wait(1.0)
    greeting = Framer()
    greeting.feed(device.greeting)
    counters = device.counters
    assert counters["frames_sent"] == b.framer.counters.frames + greeting.counters.frames
    assert counters["bytes_sent"] == b.framer.counters.bytes + greeting.counters.bytes
    assert counters["frames_lost"] == counters["scans_lost"] == 0


@pytest.mark.parametrize(
    ("capabilities", "position"),
    [(Capability.SHUTTER, Position.REFERENCE), (Capability.REFERENCE, Position.DARK)],
)
def test_a_position_it_does_not_have_is_refused(driver, capabilities, position):
    b = Bench(HostDevice(driver, capabilities=capabilities))
    assert b.ask(Configure(1000, 1, 1, position)).code == ErrorCode.NOT_CAPABLE
    b.ask(SAMPLE)
    b.ask(Start(1))
    assert b.scans(1.0)[0].position == Position.SAMPLE


def test_hardware_that_fails_is_told(driver):
    b = Bench(HostDevice(driver, stuck=True))
    answer = b.ask(SAMPLE)
    assert answer.code == ErrorCode.HARDWARE
    assert b.ask(Ping(3)) == Ping(3)
