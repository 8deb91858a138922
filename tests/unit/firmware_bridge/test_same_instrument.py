"""Another instrument, or the same one after a power-on, is not taken for the one that answered."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from firmware_bridge import link as link_module
from firmware_bridge.errors import InstrumentExchanged
from firmware_bridge.intake import Received
from firmware_bridge.protocol import Header, Info, Position, Scan
from firmware_bridge.same_instrument import HANDFUL, SameInstrument
from tests.clocked import SAMPLE

LONG_S = 20.0
INFO = Info(1, "A", "F", 7, 2, 65535, 0, (1.0, 1.0, 0.0, 0.0, 0.0, 0.0), 1, 2, 3)


def streaming(port, link, count):
    link.open()
    link.configure(SAMPLE)
    link.start()
    return numbers(link, count)


def numbers(link, count):
    found = []
    while len(found) < count:
        received = link.read(LONG_S)
        if isinstance(received.message, Scan):
            found.append(received.message.number)
    return found


def already_streaming(device, up_s, number):
    """As an instrument that another host has set up."""
    now = time.monotonic()
    device.poll(now)
    device._booted_at = now - up_s
    device._settings = SAMPLE
    device._lamp_on_at, device._stable_at, device._next_at = now - up_s, None, now
    device._number = number


@pytest.mark.parametrize(("up_s", "number"), [(0.0, 0), (1000.0, 3), (1000.0, 0), (1000.0, 9999)])
def test_another_instrument_that_streams_already_gives_not_one_scan(
    plugged_in, make_device, up_s, number
):
    port, link = plugged_in(serial="AAA", interval_s=0.02)
    streaming(port, link, 60)
    other = make_device(serial="BBB", interval_s=0.02)

    def exchange():
        already_streaming(other, up_s, number)
        port.device = other

    port.call(exchange)
    last = 59
    with pytest.raises(InstrumentExchanged, match="'BBB' instead of 'AAA'"):  # noqa: PT012
        while True:
            (got,) = numbers(link, 1)
            assert got == last + 1  # still of the first one, on its way
            last = got
    assert link.open().serial == "BBB"


def test_who_it_is_is_asked_amid_the_stream(plugged_in, make_device, monkeypatch):
    """Even where numbers and clock happen to fit."""
    monkeypatch.setattr(link_module, "SURE_FOR_S", 0.2)
    port, link = plugged_in(serial="AAA", interval_s=0.02)
    streaming(port, link, 30)
    other = make_device(serial="BBB", interval_s=0.02)

    def exchange():
        first = port.device
        already_streaming(other, time.monotonic() - first._booted_at, first.scans_made)
        port.device = other

    port.call(exchange)
    with pytest.raises(InstrumentExchanged, match="'BBB' instead of 'AAA'"):
        numbers(link, 1000)


def test_questions_amid_the_stream_cost_no_scan(plugged_in, monkeypatch):
    monkeypatch.setattr(link_module, "SURE_FOR_S", 0.0)
    port, link = plugged_in(interval_s=0.005)
    assert streaming(port, link, 100) == list(range(100))


def test_a_power_on_that_keeps_the_boot_id_is_one_by_the_clock(plugged_in):
    port, link = plugged_in(interval_s=0.02)
    streaming(port, link, 50)
    before = link.open()
    assert not before.untold_power_on
    port.unplug()

    def power_cycle():
        kept = port.device.boot_id
        port.device.power_cycle(time.monotonic())
        port.device.boot_id = kept

    port.call(power_cycle)
    port.plug()
    after = link.open()
    assert after.boot_id != before.boot_id
    assert "clock went back" in after.untold_power_on
    assert f"boot_id is {before.boot_id} as before" in after.untold_power_on
    again = link.open()
    assert (again.boot_id, again.untold_power_on) == (after.boot_id, "")


# ---- without a line


def scan(number, device_us, at):
    said = Scan(number, 1000, 1, 2, Position.SAMPLE, 25.0, 0, np.zeros(2))
    return Received(Header(1, 6, 0, 0, device_us), said, at)


def followed(*scans_, info_us=1_000_000):
    same = SameInstrument()
    same.answered(INFO, info_us, 1.0)
    for received in scans_:
        assert not same.doubtful(received, received.message)
        same.passed(received, received.message)
    return same


TEN = [scan(n, 1_100_000 + n * 100_000, 1.1 + n * 0.1) for n in range(10)]


def doubtful(same, received):
    return same.doubtful(received, received.message)


@pytest.mark.parametrize(
    ("number", "device_us", "at", "doubted"),
    [
        (10, 2_100_000, 2.1, False),
        (10 + HANDFUL - 1, 4_000_000, 4.0, False),
        (10 + HANDFUL, 4_000_000, 4.0, True),
        (7, 1_800_000, 2.1, False),  # the same frame again
        (7, 2_100_000, 2.1, False),  # the same number again
        (10, 1_900_000, 2.1, True),
        (0, 0, 2.1, True),
        (10, 2_100_000, 12.1, False),  # held up on its way
        (10, 12_100_000, 2.1, True),
    ],
)
def test_which_scans_are_asked_about(number, device_us, at, doubted):
    assert doubtful(followed(*TEN), scan(number, device_us, at)) is doubted


def test_numbers_alone_that_begin_anew_are_no_power_on():
    same, again = followed(*TEN), scan(100, 2_100_000, 2.1)
    assert doubtful(same, again)
    assert same.confirm(INFO, 2_110_000, 2.11, again.message) == ""
    assert not doubtful(same, again)


def test_a_clock_that_was_set_is_no_power_on_where_numbers_count_on():
    same, again = followed(*TEN), scan(10, 500, 2.1)
    assert doubtful(same, again)
    assert same.confirm(INFO, 600, 2.11, again.message) == ""
    assert not doubtful(same, again)


def test_clock_and_numbers_that_begin_anew_are_a_power_on():
    same, again = followed(*TEN), scan(0, 500, 2.1)
    assert doubtful(same, again)
    assert "though its boot_id is the same" in same.confirm(INFO, 600, 2.11, again.message)
    boot_id, told = same.answered(INFO, 50_000, 2.2)
    assert boot_id != INFO.boot_id
    assert told


def test_a_new_boot_id_amid_a_stream_is_a_power_on():
    same = followed(*TEN)
    told = same.confirm(replace(INFO, boot_id=8), 2_000_000, 2.1, None)
    assert "boot_id 8 instead of 7: A was switched off" in told
    assert same.answered(replace(INFO, boot_id=8), 2_100_000, 2.2) == (8, "")


@pytest.mark.parametrize("wrap", [2**32, 2**32 * 1000])
def test_a_counter_of_32_bits_that_is_full_is_no_power_on(wrap):
    late = [scan(n, wrap - 1_000_000 + n * 100_000, 1.1 + n * 0.1) for n in range(10)]
    same = followed(*late, info_us=wrap - 1_100_000)
    assert not doubtful(same, scan(10, 50_000, 2.15))
    days_s = 3 * wrap * 1e-6
    assert same.answered(INFO, 900_000, 3.0 + days_s) == (INFO.boot_id, "")


@pytest.mark.parametrize(("device_us", "untold"), [(61_000_000, False), (20_000_000, True)])
def test_a_clock_that_went_on_by_less_than_the_time_was_off_meanwhile(device_us, untold):
    same = followed(*TEN)
    boot_id, told = same.answered(INFO, device_us, 61.0)
    assert bool(told) is (boot_id != INFO.boot_id) is untold


def test_an_instrument_without_a_clock_is_believed():
    same = SameInstrument()
    same.answered(INFO, 0, 1.0)
    for n in range(3):
        assert not doubtful(same, scan(n, 0, 1.0 + n))
        same.passed(scan(n, 0, 1.0 + n), scan(n, 0, 1.0 + n).message)
    assert same.answered(INFO, 0, 500.0) == (INFO.boot_id, "")
