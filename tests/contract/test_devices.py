"""What the virtual instrument and the firmware's library do alike, beyond what is promised.

What docs/protocol.md promises is in firmware_bridge/conformance (test_conformance.py).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from firmware_bridge.framing import encode_frame
from firmware_bridge.protocol import (
    Configure,
    ErrorCode,
    ErrorReply,
    Event,
    EventCode,
    Hello,
    Info,
    LampState,
    Ping,
    Position,
    Scan,
    Start,
    Stop,
    encode,
)
from firmware_bridge.virtual import Optics, VirtualSpectrometer
from tests.clocked import DARK, REFERENCE, SAMPLE, Bench
from tests.firmware.host import Driver, HostDevice

AXIS = np.arange(1100.0, 2499.0, 2.0)
PIXELS = 120
BAUD = 921600


@pytest.fixture(params=["virtual", "firmware"])
def bench(request: pytest.FixtureRequest) -> Iterator[Callable[..., Bench]]:
    """bench(warmup_s=0.0): a fresh instrument of 120 pixels."""
    if request.param == "virtual":

        def make(warmup_s: float = 0.0) -> Bench:
            optics = Optics(pixels=PIXELS, warmup_s=warmup_s)
            return Bench(VirtualSpectrometer(np.full((1, AXIS.size), 0.3), AXIS, optics))

        yield make
        return
    driver = Driver()
    yield lambda warmup_s=0.0: Bench(HostDevice(driver, warmup_s=warmup_s))
    assert driver.report() == ""


def test_hello_is_answered_by_info(bench):
    info = bench().ask(Hello(1, 1))
    assert isinstance(info, Info)
    assert (info.version, info.pixels, info.full_scale) == (1, PIXELS, 65535)
    assert info.serial
    assert info.firmware


@pytest.mark.parametrize(("low", "high"), [(2, 9), (0, 0), (2, 1), (255, 255)])
def test_no_shared_version_is_refused(bench, low, high):
    answer = bench().ask(Hello(low, high))
    assert answer == ErrorReply(ErrorCode.UNSUPPORTED_VERSION, "this firmware speaks 1 to 1")


def test_scans_are_numbered_since_power_on(bench):
    b = bench()
    b.ask(REFERENCE)
    b.ask(Start(2))
    assert [s.number for s in b.scans(1.0)] == [0, 1]
    b.ask(Start(3))
    assert [s.number for s in b.scans(1.0)] == [2, 3, 4]
    assert b.scans(1.0) == []


def test_scans_and_their_stamps_are_as_far_apart_as_their_exposures(bench):
    b = bench()
    b.ask(Configure(1000, 500, 1, Position.REFERENCE))
    b.ask(Start())
    stamps = [h.device_us for h, m in b.received(5.0001) if isinstance(m, Scan)]
    assert np.diff(stamps).tolist() == [500_000] * 9


def test_no_scan_comes_faster_than_the_line_carries(bench):
    b = bench()
    b.ask(Configure(10, 1, 1, Position.REFERENCE))
    b.ask(Start())
    b.now += 10.0
    sent = len(b.device.poll(b.now))
    assert 0.8 * BAUD < sent < BAUD * 1.001


def test_new_settings_count_for_a_running_stream(bench):
    b = bench()
    b.ask(DARK)
    b.ask(Start())
    b.scans(0.1)
    b.ask(Configure(1000, 100, 1, Position.REFERENCE))
    scans = b.scans(1.0001)
    assert len(scans) == 10
    assert {(s.position, s.averages) for s in scans} == {(Position.REFERENCE, 100)}


def test_the_positions_give_dark_white_and_sample(bench):
    b = bench()
    levels = []
    for settings in (DARK, SAMPLE, REFERENCE):
        b.ask(settings)
        b.ask(Start(1))
        (scan,) = b.scans(1.0)
        assert (scan.position, scan.lamp, scan.saturated) == (settings.position, 2, 0)
        assert scan.counts.size == PIXELS
        levels.append(scan.counts.mean())
    assert levels[0] < levels[1] < levels[2]


def test_the_lamp_says_when_it_is_warm(bench):
    b = bench(warmup_s=60.0)
    b.ask(REFERENCE)
    assert [e.code for e in b.events] == [EventCode.LAMP_WARMING]
    b.ask(Start(1))
    assert [s.lamp for s in b.scans(0.1)] == [LampState.WARMING]
    assert [m.code for m in b.wait(61.0)] == [EventCode.LAMP_STABLE]
    b.ask(REFERENCE)
    assert b.events == []
    b.ask(Configure(1000, 1, 0, Position.REFERENCE))
    b.ask(Start(1))
    assert [s.lamp for s in b.scans(0.1)] == [LampState.OFF]


def test_a_lamp_without_warm_up_says_so_at_once(bench):
    b = bench()
    b.ask(SAMPLE)
    assert b.events == [Event(EventCode.LAMP_STABLE, "lamp is stable")]


@pytest.mark.parametrize(
    "wish",
    [
        Configure(0, 1, 1, 1),
        Configure(100_000_000, 1, 1, 1),
        Configure(1000, 0, 1, 1),
        Configure(1000, 60000, 1, 1),
        Configure(1000, 1, 2, 1),
        Configure(1000, 1, 1, 3),
    ],
)
def test_settings_out_of_range_are_refused_and_change_nothing(bench, wish):
    b = bench()
    assert b.ask(wish).code == ErrorCode.OUT_OF_RANGE
    b.ask(Start(1))
    assert b.scans(1.0)[0].position == Position.DARK


def test_a_refusal_names_the_range(bench):
    b = bench()
    assert "10 to 10000000" in b.ask(Configure(1, 1, 1, 1)).text
    assert "averages 1 to 10000" in b.ask(Configure(1000, 0, 1, 1)).text


def test_a_bad_frame_is_told_without_the_response_flag(bench):
    b = bench()
    ((header, error),) = b.hear(b"\xff\xfe\0")
    assert (header.flags, header.sequence, error.code) == (0, 0, ErrorCode.BAD_FRAME)


@pytest.mark.parametrize(
    "body",
    [encode(Stop()) + b"x", encode(Ping(1))[:-1], encode(Ping(1), version=2), b"short"],
    ids=["too long", "too short", "foreign version", "half a header"],
)
def test_a_message_that_makes_no_sense_is_told_without_the_response_flag(bench, body):
    ((header, error),) = bench().hear(encode_frame(body))
    assert (header.flags, error.code) == (0, ErrorCode.MALFORMED)


def test_after_any_garbage_the_next_good_frame_is_answered(bench):
    b = bench()
    rng = random.Random(5)
    for nonce in range(200):
        b.hear(rng.randbytes(rng.randint(0, 300)) + b"\0")
        assert b.ask(Ping(nonce)) == Ping(nonce)
