from __future__ import annotations

import threading

import pytest

from spektron_edge.inbox import CommandReceived, Connected, Inbox, Measured


@pytest.fixture
def scan(make_scan):
    return lambda number: Measured(make_scan(number=number), None)


def test_items_come_in_order_and_no_more_than_asked_for():
    inbox = Inbox(2)
    items = [Connected() for _ in range(5)]
    for item in items:
        inbox.put(item)
    taken = inbox.take(0.0, 3) + inbox.take(0.0, 10)
    assert all(a is b for a, b in zip(taken, items, strict=True))
    assert inbox.take(0.0, 10) == []


def test_a_full_inbox_drops_new_scans_counts_them_and_takes_everything_else(scan):
    inbox = Inbox(2)
    for number in range(5):
        inbox.put(scan(number))
    inbox.put(Connected())
    assert inbox.dropped[Measured] == 3
    taken = inbox.take(0.0, 10)
    assert [i.scan.number for i in taken[:2]] == [0, 1]
    assert isinstance(taken[2], Connected)


def test_room_comes_back_with_every_scan_that_is_taken(scan):
    inbox = Inbox(1)
    for number in range(4):
        inbox.put(scan(number))
        assert [i.scan.number for i in inbox.take(0.0, 1)] == [number]
    assert inbox.dropped[Measured] == 0


def test_taking_waits_for_somebody_to_put():
    inbox = Inbox(1)
    timer = threading.Timer(0.05, inbox.put, [Connected()])
    timer.start()
    assert inbox.take(30.0, 5) == [Connected()]
    timer.join()


def test_many_writers_lose_nothing_but_what_is_counted(scan):
    inbox = Inbox(10)
    items = [scan(number) for number in range(50)]

    def write():
        for item in items:
            inbox.put(item)

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    taken = 0
    while any(w.is_alive() for w in writers):
        taken += len(inbox.take(0.01, 7))
    for writer in writers:
        writer.join()
    while rest := inbox.take(0.0, 7):
        taken += len(rest)
    assert taken + inbox.dropped[Measured] == 200
    inbox.put(items[0])
    assert len(inbox.take(0.0, 1)) == 1


def test_a_flood_of_commands_is_bounded():
    inbox = Inbox(10)
    for _ in range(200):
        inbox.put(CommandReceived("health", b"", None))
    assert inbox.dropped[CommandReceived] > 0
    assert len(inbox.take(0.0, 500)) + inbox.dropped[CommandReceived] == 200
    inbox.put(CommandReceived("health", b"", None))
    assert len(inbox.take(0.0, 1)) == 1
