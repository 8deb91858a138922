"""What an instrument of the wire protocol must do: the virtual one, and the firmware's library."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from firmware_bridge.framing import encode_frame
from firmware_bridge.protocol import (
    Ack,
    Configure,
    ErrorCode,
    ErrorReply,
    Event,
    EventCode,
    Hello,
    Info,
    LampState,
    MessageType,
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


@pytest.mark.parametrize(("low", "high"), [(1, 1), (0, 9), (0, 255)])
def test_the_highest_shared_version_is_chosen(bench, low, high):
    assert bench().ask(Hello(low, high)).version == 1


@pytest.mark.parametrize(("low", "high"), [(2, 9), (0, 0), (2, 1), (255, 255)])
def test_no_shared_version_is_refused(bench, low, high):
    answer = bench().ask(Hello(low, high))
    assert answer == ErrorReply(ErrorCode.UNSUPPORTED_VERSION, "this firmware speaks 1 to 1")


def test_a_hello_of_a_later_version_that_has_grown_is_understood(bench):
    b = bench()
    (answer,) = b.hear(encode_frame(encode(Hello(1, 7), 5, version=7) + b"and more"))
    assert answer.header.sequence == 5
    assert isinstance(answer.message, Info)


def test_ping_comes_back_under_its_sequence(bench):
    ((header, pong),) = bench().hear(encode_frame(encode(Ping(42), 0xFFFF)))
    assert (header.sequence, header.flags, pong) == (0xFFFF, 1, Ping(42))


def test_nothing_is_streamed_before_start(bench):
    b = bench()
    b.ask(SAMPLE)
    assert b.scans(10.0) == []


def test_scans_are_numbered_since_power_on(bench):
    b = bench()
    b.ask(REFERENCE)
    b.ask(Start(2))
    assert [s.number for s in b.scans(1.0)] == [0, 1]
    b.ask(Start(3))
    assert [s.number for s in b.scans(1.0)] == [2, 3, 4]
    assert b.scans(1.0) == []


def test_stop_stops_and_may_come_at_any_time(bench):
    b = bench()
    assert b.ask(Stop()) == Ack(MessageType.STOP)
    b.ask(SAMPLE)
    b.ask(Start())
    assert b.scans(1.0)
    assert b.ask(Stop()) == Ack(MessageType.STOP)
    assert b.scans(10.0) == []


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


def test_a_repeated_request_is_answered_again_and_done_once(bench):
    b = bench()
    b.ask(Configure(100_000, 1, 1, Position.SAMPLE))
    b.ask(Start(2))
    assert len(b.scans(0.1001)) == 1
    assert b.ask_again(Start(2)) == Ack(MessageType.START)
    assert len(b.scans(1.0)) == 1


def test_a_repeated_refusal_is_the_same_refusal(bench):
    b = bench()
    first = b.ask(Configure(1, 1, 1, 1))
    assert b.ask_again(Configure(1, 1, 1, 1)) == first


def test_another_request_under_the_same_sequence_is_done(bench):
    b = bench()
    b.ask(SAMPLE)
    b.ask(Start(1))
    b.ask_again(Start(2))
    assert len(b.scans(1.0)) == 2


@pytest.mark.parametrize("message", [Ack(1), Event(1, "x"), ErrorReply(1, "no")])
def test_messages_that_are_no_requests_are_refused(bench, message):
    assert bench().ask(message).code == ErrorCode.UNKNOWN_TYPE


@pytest.mark.parametrize("size", [14, 20, 3000])
def test_an_unknown_type_is_refused_and_nothing_else_suffers(bench, size):
    b = bench()
    body = bytearray(encode(Stop(), 9)) + bytes(size - 14)
    body[1] = 200
    ((header, answer),) = b.hear(encode_frame(bytes(body)))
    assert (header.sequence, header.flags, answer.code) == (9, 1, ErrorCode.UNKNOWN_TYPE)
    assert b.ask(Ping(1)) == Ping(1)


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
