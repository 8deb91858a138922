"""What every driver must do, over four kinds of line. Its instrument is a virtual one."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.drivers import nirscan
from firmware_bridge.drivers.driver import Place
from firmware_bridge.drivers.line import MAX_REPLY
from firmware_bridge.drivers.talk import Exchange
from firmware_bridge.errors import DeviceRefused, DeviceSilent, LineGarbage, LinkError, PortLost
from firmware_bridge.instrument import reconnect
from firmware_bridge.protocol import Capability, Configure, Position, Scan
from firmware_bridge.virtual import PtyPort
from firmware_bridge.virtual.faults import InjectedFaults
from firmware_bridge.virtual.instrument import Foreign
from tests.drivers.cases import AXIS, CASES, SPECTRA, Case
from tests.drivers.lines import KINDS, MadeLine


@pytest.fixture(params=sorted(CASES))
def case(request) -> Case:
    return CASES[request.param]


@pytest.fixture(params=KINDS)
def kind(request, case) -> str:
    if request.param not in case.kinds:
        pytest.skip("its line cannot be of this kind")
    return request.param


def settings(case: Case, averages: int = 1, position: Position = Position.SAMPLE) -> Configure:
    return Configure(case.integration_us, averages, 1, position)


def opened(case: Case, line: MadeLine):
    """Open however often it takes: a line that loses a fifth may lose one request three times."""
    instrument = case.instrument(line)
    assert reconnect(instrument, threading.Event(), lambda _error: line.sleep(0.2)) is not None
    return instrument


def scans(case: Case, instrument, line: MadeLine, count: int, averages: int = 1) -> list[Scan]:
    """So many scans of one connection."""
    instrument.configure(settings(case, averages))
    instrument.start()
    found = []
    deadline = line.now + 600.0
    while len(found) < count and line.now < deadline:
        received = instrument.read(5.0)
        if received is not None:
            found.append(received)
    assert len(found) == count
    return found


def patiently(action):
    """Do it again where a fifth of everything is lost and three attempts were not enough."""
    for _ in range(20):
        with suppress(DeviceSilent, LineGarbage):
            return action()
    return action()


def test_it_says_who_it_is(case, kind):
    line = MadeLine(case.device(), kind)
    identity = patiently(case.instrument(line).open)
    optics = line.device.optics
    assert (identity.pixels, identity.full_scale) == (optics.pixels, optics.full_scale)
    assert identity.serial
    assert identity.protocol == 0
    assert identity.integration_step_us % case.driver.integration_step_us == 0
    assert identity.axis_nm.shape == (optics.pixels,)
    assert identity.min_integration_us <= case.integration_us <= identity.max_integration_us


def test_scans_are_exposures_it_made_each_once_and_in_order(case, kind):
    line = MadeLine(case.device(), kind)

    def five():
        instrument = case.instrument(line)
        instrument.open()
        return scans(case, instrument, line, 5)

    received = patiently(five)
    made = line.device.made
    at = [
        next(n for n, counts in made.items() if np.array_equal(counts, r.message.counts))
        for r in received
    ]
    assert at == sorted(set(at))
    assert [r.message.number for r in received] == list(range(5))
    assert all(r.message.position == Position.SAMPLE for r in received)


def test_it_streams_over_a_real_pty_read_in_slices_as_the_daemon_does(case):
    if not case.driver.bauds:
        pytest.skip("it speaks no serial line")
    device = case.device()
    device.baud = 115200
    begun = time.monotonic()
    with PtyPort(device, clock=lambda: time.monotonic() - begun) as port:
        instrument = case.driver.make(Place(port.url, device.baud, **case.given))
        try:
            instrument.open()
            instrument.configure(settings(case))
            instrument.start()
            found, until = [], time.monotonic() + 60.0
            while len(found) < 5 and time.monotonic() < until:
                if (received := instrument.read(0.25)) is not None:
                    found.append(received.message.number)
        finally:
            instrument.close()
    assert found == list(range(5))


def test_averages_come_with_the_variance_of_their_mean(case):
    line = MadeLine(case.device())
    instrument = opened(case, line)
    (received,) = scans(case, instrument, line, 1, averages=4)
    used = [counts.astype(np.float64) for counts in line.device.made.values()]
    runs = [np.array(used[i : i + 4]) for i in range(len(used) - 3)]
    steps = [np.array(used[i : i + 8 : 2]) for i in range(len(used) - 6)]
    (run,) = [r for r in (*runs, *steps) if np.allclose(r.mean(axis=0), received.message.counts)]
    assert np.allclose(received.variance, run.var(axis=0, ddof=1) / 4)
    assert received.message.averages == 4


def test_full_pixels_are_counted(case):
    line = MadeLine(case.device(InjectedFaults(saturate_at=frozenset(range(1000)))))
    instrument = opened(case, line)
    (received,) = scans(case, instrument, line, 1)
    full = int(np.count_nonzero(received.message.counts >= line.device.optics.full_scale))
    assert received.message.saturated >= full > 0


def test_it_is_still_there(case):
    line = MadeLine(case.device())
    assert opened(case, line).ping() > 0.0


def test_what_it_cannot_do_is_refused(case):
    line = MadeLine(case.device())
    instrument = case.instrument(line)
    identity = instrument.open()
    with pytest.raises(DeviceRefused, match="averages"):
        instrument.configure(Configure(case.integration_us, 0, 1, Position.SAMPLE))
    with pytest.raises(DeviceRefused, match="integration"):
        instrument.configure(Configure(identity.min_integration_us - 1, 1, 1, Position.SAMPLE))
    for position, capability in (
        (Position.DARK, Capability.SHUTTER),
        (Position.REFERENCE, Capability.REFERENCE),
    ):
        if not identity.capabilities & capability:
            with pytest.raises(DeviceRefused, match="no "):
                instrument.configure(settings(case, position=position))


def test_nothing_comes_before_start_and_after_stop(case):
    line = MadeLine(case.device())
    instrument = opened(case, line)
    instrument.configure(settings(case))
    assert instrument.read(1.0) is None
    instrument.start()
    assert instrument.read(30.0) is not None
    instrument.stop()
    while instrument.read(0.0) is not None:
        pass
    assert instrument.read(5.0) is None


def test_a_pulled_plug_is_told_and_another_start_works(case):
    line = MadeLine(case.device())
    instrument = opened(case, line)
    before = instrument.open().boot_id
    instrument.configure(settings(case))
    instrument.start()
    instrument.read(0.005)
    line.unplug()
    with pytest.raises(PortLost):
        instrument.read(5.0)
    line.plug()
    assert instrument.open().boot_id != before
    assert scans(case, instrument, line, 1)


def test_half_a_request_heard_before_does_no_harm(case):
    line = MadeLine(case.device())
    first = case.instrument(line)
    first.open()
    first.configure(settings(case))
    first.start()
    first.read(0.0)
    line.device.feed(case.half_request, line.now)
    first.close()
    second = case.instrument(line)
    patiently(second.open)
    assert scans(case, second, line, 2)


def test_an_old_scan_on_the_line_is_never_taken_for_a_new_one(case):
    line = MadeLine(case.device())
    first = opened(case, line)
    first.configure(settings(case))
    first.start()
    first.read(0.001)  # asked for, not waited for
    first.close()
    line.sleep(5.0)  # its reply waits in the port
    second = case.instrument(line)
    patiently(second.open)
    made_before = dict(line.device.made)
    (received,) = scans(case, second, line, 1)
    assert not any(np.array_equal(received.message.counts, c) for c in made_before.values())


@pytest.mark.parametrize("other", sorted(CASES))
def test_another_instrument_is_told_as_what_it_is_not(case, other):
    if CASES[other].driver is case.driver:
        pytest.skip("a right one")
    line = MadeLine(CASES[other].device())
    line.device.baud = case.baud
    with pytest.raises(LinkError) as raised:
        case.instrument(line).open()
    for word in ("expected", "received", "tried"):
        assert word in str(raised.value)


def test_silence_is_told(case):
    line = MadeLine(case.device(InjectedFaults(silent=True)))
    with pytest.raises(DeviceSilent, match=r"expected .* received no byte, tried"):
        case.instrument(line).open()


def late(name, is_exposure, numbers):
    """Line and streaming instrument; exposures of these numbers are said later than the host waits
    for them."""
    case = CASES[name]
    line = MadeLine(case.device())
    dialect = case.dialect(Place("made", case.baud, **case.given))
    instrument = case.instrument(line)
    instrument._make = lambda: dialect
    instrument.open()
    instrument.configure(settings(case))
    step = next(dialect.expose(settings(case)))
    assert isinstance(step, Exchange)
    device, say = line.device, line.device.say

    def later(reply, after_s=0.0):
        is_late = is_exposure(reply) and device.scans_made - 1 in numbers
        say(reply, after_s + (1.3 * step.timeout_s if is_late else 0.0))

    device.say = later
    instrument.start()
    return line, instrument


@pytest.mark.parametrize(
    ("name", "is_exposure"),
    [
        ("ocean-sad500", lambda reply: reply[:1] == b"\x02"),
        ("tcd1304", lambda reply: True),
        ("nirone", lambda reply: reply.startswith(b"Measurement")),
    ],
)
def test_an_exposure_that_comes_late_is_never_taken_for_the_next(name, is_exposure):
    line, instrument = late(name, is_exposure, {2, 3, 6})
    found = 0
    while found < 8:
        before = line.now
        received = instrument.read(0.25)
        assert line.now < before + 60.0
        if received is None:
            continue
        found += 1
        made = line.device.made
        assert np.array_equal(made[max(made)], received.message.counts)


def test_exposures_that_all_come_late_are_told_so():
    _, instrument = late("ocean-sad500", lambda reply: reply[:1] == b"\x02", range(1000))
    with pytest.raises(DeviceSilent, match=r"in time, received \d+ bytes later.*come too late"):
        instrument.read(600.0)


def test_a_scan_may_take_as_long_as_an_instrument_is_busy_before_it_is_missed():
    case = CASES["nirscan"]
    instrument = case.instrument(MadeLine(case.device()))
    instrument.open()
    busy_s = nirscan.BUSY_S * nirscan.BUSY_TIMES
    assert instrument.longest_s(settings(case)) > busy_s


class Zeros(Foreign):
    """A line that is held: zeros without end."""

    def reset(self):
        self.say(b"")

    def hear(self, received):
        return len(received)

    def poll(self, now):
        super().poll(now)
        self.say(b"", 0.01)
        return bytes(8)


@pytest.mark.parametrize("name", ["ocean-obp", "ocean-sad500", "nirone", "nirscan"])
def test_bytes_that_never_cease_are_told_soon(name):
    case = CASES[name]
    optics = case.device().optics
    line = MadeLine(Zeros(SPECTRA, AXIS, optics, baud=case.baud))
    with pytest.raises(LineGarbage, match="never cease"):
        case.instrument(line).open()
    assert line.now < 9.0


class Babble:
    """Answers anything with given bytes."""

    def __init__(self, answers: list[bytes], baud: int) -> None:
        self.baud, self.faults, self.scans_made, self.next_due = baud, InjectedFaults(), 0, None
        self._answers = answers

    def feed(self, data: bytes, now: float) -> bytes:
        return self._answers.pop(0) if self._answers else b""

    def poll(self, now: float) -> bytes:
        return b""

    def pieces(self, out: bytes) -> list[bytes]:
        return [out] if out else []


@given(answers=st.lists(st.binary(max_size=300), max_size=12))
def test_nonsense_ends_in_an_error_that_says_so(answers):
    for case in CASES.values():
        line = MadeLine(Babble(list(answers), case.baud))
        for answer in answers[:2]:
            line.leave(answer)
        instrument = case.instrument(line)
        with pytest.raises(LinkError, match=r"(?s)expected.*received"):
            instrument.open()
        assert instrument.counters.bytes <= MAX_REPLY
