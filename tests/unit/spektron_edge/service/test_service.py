"""What feeds the watchdog, on a clock of the test's own."""

from __future__ import annotations

import pytest

from spektron_edge.service.notify import Notifier
from spektron_edge.service.service import Service


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


@pytest.fixture
def told(monkeypatch):
    """Everything that is told, without waiting."""
    said = []
    monkeypatch.setattr(Notifier, "send", lambda self, **more: said.append(more))
    return said


@pytest.fixture
def service(clock, told):
    return Service(Notifier(), watchdog_s=60.0)


def fed(told):
    return sum("WATCHDOG" in message for message in told)


def test_turns_feed_ten_times_in_the_patience_of_the_watchdog(service, clock, told):
    for _ in range(600):
        clock[0] += 0.1
        service.turn()
    assert 9 <= fed(told) <= 11


def test_nothing_feeds_while_the_main_path_does_not_turn(service, clock, told):
    service.ready()
    before = fed(told)
    clock[0] += 600
    assert fed(told) == before


def test_a_thread_that_takes_too_long_ends_the_feeding_and_is_named(service, clock, told):
    beat = service.beats.new("instrument")
    beat.doing("waiting for a scan", 2.0)
    clock[0] += 61.9
    service.turn()
    assert (fed(told), service.late) == (1, ())
    clock[0] += 6.1
    service.turn()
    assert fed(told) == 1
    assert service.late == ("instrument has been waiting for a scan for 68 s",)
    beat.doing("handing on what came", 2.0)
    clock[0] += 6.1
    service.turn()
    assert (fed(told), service.late) == (2, ())


def test_one_that_gets_on_does_not_speak_for_one_that_hangs(service, clock, told):
    hangs, goes_on = service.beats.new("mqtt"), service.beats.new("instrument")
    hangs.doing("connecting", 0.0)
    for _ in range(200):
        clock[0] += 1.0
        goes_on.doing("reading", 0.0)
        service.turn()
    assert fed(told) <= 11


def test_threads_that_rest_or_were_replaced_are_not_waited_for(service, clock, told):
    service.beats.new("sparkplug").doing("connecting", 0.0)
    service.beats.new("sparkplug")
    ended = service.beats.new("mqtt")
    ended.doing("connecting", 0.0)
    ended.rest()
    clock[0] += 1000
    service.turn()
    assert fed(told) == 1


def test_a_long_step_asks_for_time_before_ready_and_feeds_after(service, clock, told):
    for _ in range(30):
        clock[0] += 0.1
        service.step()
    assert [message["EXTEND_TIMEOUT_USEC"] for message in told] == [60_000_000] * len(told)
    assert 2 <= len(told) <= 4
    service.ready()
    told.clear()
    for _ in range(600):
        clock[0] += 0.1
        service.step()
    assert 9 <= fed(told) <= 11
    assert all("EXTEND_TIMEOUT_USEC" not in message for message in told)


def test_without_a_watchdog_nobody_is_fed_and_late_threads_are_known(clock, told):
    service = Service(Notifier())
    service.ready()
    service.beats.new("mqtt").doing("connecting", 300.0)
    clock[0] += 361
    service.turn()
    assert fed(told) == 0
    assert service.late


def test_the_line_for_people_is_sent_when_it_changes(service, told):
    for line in ("a", "a", "b", "a"):
        service.status(line)
    assert [message["STATUS"] for message in told] == ["a", "b", "a"]
