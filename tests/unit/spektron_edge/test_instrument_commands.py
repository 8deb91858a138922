"""What becomes of commands for an instrument, on a daemon without a line."""

from __future__ import annotations

import time

import pytest

from spektron_edge.commands.asked import Asked
from spektron_edge.faults import Fault, Faults
from spektron_edge.inbox import OrderDone, Streaming
from spektron_edge.instrument.commands import BEGIN_WITHIN_S
from spektron_edge.instrument.orders import Order

from .turns import ready, turn


def request(command, **arguments):
    return Asked("anna", arguments)


@pytest.fixture
def ended(daemon, monkeypatch):
    """Ticket -> how it ended."""
    found = {}
    monkeypatch.setattr(daemon._commands.instrument, "_finish", found.__setitem__)
    return found


@pytest.fixture
def ask(daemon, ended):
    actions = daemon._commands.instrument.actions()
    return lambda command, **arguments: actions[command](request(command, **arguments)).ticket


def test_what_the_instrument_does_not_begin_is_withdrawn(daemon, ask, ended):
    ticket = ask("take-dark")
    begun = time.monotonic()
    daemon._commands.instrument.look_after(begun, ("port_missing",))
    assert ended == {}
    daemon._commands.instrument.look_after(begun + BEGIN_WITHIN_S + 1, ("port_missing",))
    assert not daemon._line.orders.any
    assert not ended[ticket].ok
    assert "withdrawn: not begun within 30 s (port_missing)" in ended[ticket].message


def test_what_was_begun_is_waited_for_and_given_up_at_last(daemon, ask, ended):
    ticket = ask("take-dark")
    assert daemon._line.orders.take() == Order(ticket, "take-dark")
    now = time.monotonic()
    daemon._commands.instrument.look_after(now + BEGIN_WITHIN_S + 1, ())
    assert ended == {}
    daemon._commands.instrument.look_after(now + 4000, ())
    assert "no word from the instrument" in ended[ticket].message


def test_a_ninth_command_is_refused(ask):
    for _ in range(8):
        ask("scan-now")
    with pytest.raises(Fault, match="8 commands wait"):
        ask("scan-now")


def test_whoever_waits_is_told_that_the_daemon_stops(daemon, ask, ended):
    ticket = ask("scan-now")
    daemon._commands.instrument.end()
    assert "the daemon was stopped" in ended[ticket].message


def test_an_integration_that_cannot_be_kept_is_told(daemon, ask, ended, make_scan, monkeypatch):
    turn(daemon, ready(make_scan))
    ticket = ask("set-integration", integration_us=900)

    def full(*_):
        raise Fault(Faults.DISK_FULL, "no room")

    monkeypatch.setattr(daemon._commands.instrument._choices, "choose_integration", full)
    turn(daemon, OrderDone(ticket, None, "integration 1000 -> 900 us", 900))
    assert not ended[ticket].ok
    assert "integration 1000 -> 900 us, until a restart only: no room" in ended[ticket].message


def test_a_scan_that_was_asked_for_is_answered_with_its_record(daemon, ask, ended, scan, make_scan):
    turn(daemon, ready(make_scan))
    ticket = ask("scan-now")
    daemon._line.orders.take()
    measured = scan(1)
    turn(daemon, type(measured)(measured.scan, measured.references, ticket))
    told = ended[ticket].result
    (record,) = [r for r in daemon._state.outbox.unsent(10) if r.kind == "prediction"]
    assert (told["record"], told["scan"]) == (record.id, 1)


def test_a_scan_that_came_twice_is_answered(daemon, ask, ended, scan, make_scan):
    turn(daemon, ready(make_scan), scan(1))
    ticket = ask("scan-now")
    measured = scan(1)
    twice = type(measured)(measured.scan, measured.references, ticket)
    unseen = OrderDone(ticket, Fault(Faults.COMMAND_NOT_DONE, "its scan was not evaluated"))
    turn(daemon, twice, unseen)
    assert ended[ticket].result == {"fault": "command_not_done"}


def test_the_state_says_what_is_waited_for(daemon, references):
    def waiting(streaming):
        turn(daemon, streaming)
        return daemon._line.waiting_for(daemon._ages)

    half = Streaming(None, measured=False, by_hand=True, lacking=("take-reference",))
    assert waiting(half) == ("take-reference",)
    old = Streaming(references, measured=False, by_hand=True)
    assert waiting(old) == ("take-dark", "take-reference")
    assert waiting(Streaming(references, measured=False)) == ()
