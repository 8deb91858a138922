"""The link against the reference firmware under QEMU, on a pty and on a socket."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from firmware_bridge.conformance.subject import Subject
from firmware_bridge.conformance.suite import examine
from firmware_bridge.errors import DeviceRefused, DeviceSilent, PortLost
from firmware_bridge.framing import encode_frame
from firmware_bridge.instrument import reconnect
from firmware_bridge.link import Link
from firmware_bridge.protocol import (
    Configure,
    ErrorCode,
    Event,
    EventCode,
    Position,
    Scan,
    Stop,
    encode,
    wavelengths,
)
from firmware_bridge.transport import Transport
from tests.clocked import SAMPLE
from tests.firmware.emulator import Emulator
from tests.firmware.optics import sample_counts

LONG_S = 30.0
LINE_BYTES_S = 92_160


@pytest.fixture(scope="module", params=["pty", "socket"])
def board(request, tmp_path_factory) -> Iterator[Emulator]:
    """One for all tests on a line: each opens the link anew."""
    board = Emulator(tmp_path_factory.mktemp("board"), request.param)
    yield board
    board.kill()


@pytest.fixture
def link(board) -> Iterator[Link]:
    with Link(board.url, reply_timeout_s=10.0) as link:
        link.open()
        yield link


def scans(link, count):
    found = []
    while len(found) < count:
        received = link.read(LONG_S)
        assert received is not None
        if isinstance(received.message, Scan):
            found.append(received)
    return found


def test_it_conforms(board):
    line = Transport(board.url, 921600)
    # Noise without end is for the library (tests/contract/test_conformance.py), which is faster.
    report = examine(Subject(line, 921600, patience_s=10.0), board.url, quick=True)
    line.close()
    assert report.failed == ()
    assert report.conforms


def test_it_says_who_it_is(link):
    assert (link.info.serial, link.info.firmware) == ("MPS2-0001", "reference 1.0")
    assert wavelengths(link.info).tolist() == np.arange(1100.0, 2499.0, 2.0).tolist()
    assert 0 < link.ping() < LONG_S


def test_scans_come_with_exact_stamps_and_counts(link):
    link.configure(Configure(1000, 100, 1, Position.SAMPLE))
    link.start(3)
    slow = scans(link, 3)
    assert np.diff([r.header.device_us for r in slow]).tolist() == [100_000, 100_000]
    link.configure(SAMPLE)
    link.start(20)
    got = scans(link, 20)
    first = slow[-1].message.number + 1
    assert [r.message.number for r in got] == list(range(first, first + 20))
    for received in got:
        expected = sample_counts(received.message.number)
        np.testing.assert_array_equal(received.message.counts, expected)
    assert link.read(0.0) is None
    counters = link.counters
    assert counters.crc_errors == counters.cobs_errors == counters.malformed == 0


def test_the_references_are_dark_and_white(link):
    levels = []
    for position in (Position.DARK, Position.SAMPLE, Position.REFERENCE):
        link.configure(Configure(1000, 64, 1, position))
        link.start(1)
        (received,) = scans(link, 1)
        levels.append(received.message.counts.mean())
    assert levels[0] == pytest.approx(609, abs=2)
    assert levels[0] < levels[1] < levels[2]


def test_saturation_is_counted_and_told(link):
    link.configure(Configure(2000, 1, 1, Position.REFERENCE))
    link.start(1)
    (received,) = scans(link, 1)
    assert received.message.saturated == np.count_nonzero(received.message.counts == 65535) > 0
    event = link.read(LONG_S).message
    assert event.code == EventCode.SATURATED


def test_settings_out_of_range_are_refused(link):
    with pytest.raises(DeviceRefused, match="averages 1 to 10000") as caught:
        link.configure(Configure(1000, 0, 1, Position.SAMPLE))
    assert caught.value.code == ErrorCode.OUT_OF_RANGE
    assert link.ping() > 0


def test_unknown_types_and_garbage_cost_nothing_but_themselves(board, link):
    rng = random.Random(6)
    unknown = bytearray(encode(Stop(), 1))
    unknown[1] = 99
    before = board.heard()
    for _ in range(20):
        link._transport.write(encode_frame(bytes(unknown)))
        link._transport.write(rng.randbytes(rng.randint(1, 500)).replace(b"\0", b"\1") + b"\0")
        assert link.ping() > 0
    heard = board.heard()
    assert heard.frames - before.frames == 40
    assert heard.bad_frames - before.bad_frames == 20


def test_half_a_request_of_a_host_that_died_is_forgotten(board, link):
    link._transport.write(encode_frame(encode(SAMPLE, 7))[:-4])
    link.close()
    assert link.open().serial == "MPS2-0001"


def test_stopped_it_is_silent_and_goes_on_where_it_was(board, link):
    link.configure(SAMPLE)
    link.start()
    scans(link, 5)
    board.stop()
    while link.read(0.5) is not None:
        pass
    with Link(link.url, reply_timeout_s=0.2) as other:
        link.close()
        with pytest.raises(DeviceSilent):
            other.open()
    board.cont()
    boot_id = link.info.boot_id
    assert reconnect(link, threading.Event(), lambda _error: None).boot_id == boot_id


def test_a_reset_is_told_and_shows_in_the_boot_id(board, link):
    link.configure(SAMPLE)
    link.start()
    scans(link, 3)
    board.reset()
    while not isinstance(event := link.read(LONG_S).message, Event):
        pass
    assert event == Event(EventCode.RESTARTED, "power on")
    before = link.info.boot_id
    assert link.open().boot_id != before
    link.configure(SAMPLE)
    link.start(2)
    assert [r.message.number for r in scans(link, 2)] == [0, 1]


def test_unplugged_and_plugged_in_it_is_found_again(tmp_path):
    board = Emulator(tmp_path, "pty")
    try:
        with Link(board.url, reply_timeout_s=10.0) as link:
            before = link.open().boot_id
            board.kill()
            with pytest.raises(PortLost):  # noqa: PT012
                while True:
                    link.read(LONG_S)
            board.power_on()
            info = reconnect(link, threading.Event(), lambda _error: None)
            assert info.boot_id != before
    finally:
        board.kill()


@pytest.mark.parametrize(
    "seconds", [15, pytest.param(300, marks=[pytest.mark.long, pytest.mark.timeout(900)])]
)
def test_a_full_line_loses_nothing(tmp_path, seconds):
    """700-pixel scans as fast as the line carries, by the device's own clock: 0 lost, 0 wrong."""
    board = Emulator(tmp_path, "pty")
    try:
        with Link(board.url, reply_timeout_s=30.0) as link:
            link.open()
            link.configure(SAMPLE)
            assert link.read(LONG_S).message.code == EventCode.LAMP_STABLE
            said, sent, heard = link.counters, board.sent(), board.heard()
            count = seconds * LINE_BYTES_S // 1443
            link.start(count)
            stamps = []
            for number in range(count):
                (received,) = scans(link, 1)
                assert received.message.number == number
                np.testing.assert_array_equal(received.message.counts, sample_counts(number))
                stamps.append(received.header.device_us)
            assert link.ping() > 0
            frames = link.counters.frames - said.frames
            size = link.counters.bytes - said.bytes
            assert board.sent() == {
                "scans": count,
                "scans_lost": 0,
                "frames_sent": sent["frames_sent"] + frames,
                "bytes_sent": sent["bytes_sent"] + size,
                "frames_lost": 0,
            }
            # Each request has one reply: START, PING, and who is there, asked every few seconds.
            assert board.heard().frames == heard.frames + frames - count
            assert board.heard().bad_frames == 0
            # A line that is opened amid a message begins with half of one.
            for name in ("crc_errors", "discarded_bytes", "unknown", "malformed", "dropped"):
                assert getattr(link.counters, name) == getattr(said, name), name
    finally:
        board.kill()
    assert count + 2 < frames <= count + 3 + seconds
    rate = size * (count - 1) / count / ((stamps[-1] - stamps[0]) * 1e-6)
    print(f"{count} scans, {rate:.0f} bytes a second of the device's own time")
    assert rate == pytest.approx(LINE_BYTES_S, rel=1e-3)
