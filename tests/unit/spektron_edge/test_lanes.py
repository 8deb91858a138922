"""What is published next: live records, then the backlog, then what is sent again."""

from __future__ import annotations

import pytest

from spektron_edge.outbox import Outgoing
from spektron_edge.outbox import lanes as module
from spektron_edge.outbox.lanes import Lanes
from spektron_edge.outbox.span import Span


def record(number) -> Outgoing:
    return Outgoing(f"{number:026d}", "prediction", b"{}")


@pytest.fixture
def outbox(open_outbox):
    return open_outbox()


@pytest.fixture
def lanes(outbox):
    return Lanes(outbox, in_flight=4, again_per_s=1e6)


@pytest.fixture
def commit(outbox, lanes):
    def make(*numbers):
        lanes.committed(outbox.commit([record(n) for n in numbers]))

    return make


@pytest.fixture
def answer(outbox, lanes):
    """The broker acknowledges these, and it is written down."""

    def make(*numbers):
        ids = [record(n).id for n in numbers]
        for record_id in ids:
            lanes.answered(record_id)
        outbox.commit([], sent=ids)
        lanes.settled(ids)

    return make


def taken(lanes):
    return [int(n.record.id) for n in lanes.take()]


def test_live_records_overtake_a_backlog_and_both_keep_their_order(lanes, commit, answer):
    commit(*range(10))
    assert taken(lanes) == [0, 1, 2]  # a place is left
    commit(100)
    assert taken(lanes) == [100]
    commit(101, 102)
    answer(0, 100)
    assert taken(lanes) == [101, 102]
    answer(1, 2, 101, 102)
    assert taken(lanes) == [3, 4, 5]


def test_a_backlog_that_fits_goes_before_what_is_live(lanes, commit):
    commit(0, 1)
    commit(2)
    assert taken(lanes) == [0, 1, 2]
    commit(3)
    assert taken(lanes) == [3]


def test_records_say_whether_they_come_late(lanes, commit):
    commit(0)
    (late,) = lanes.take()
    commit(1)
    (live,) = lanes.take()
    assert (late.stored, live.stored) == (True, False)


def test_what_was_live_when_the_broker_went_is_a_backlog_when_it_is_back(lanes, commit, answer):
    assert taken(lanes) == []
    commit(*range(6))
    assert taken(lanes) == [0, 1, 2, 3]
    lanes.pause()
    commit(6, 7)
    lanes.pause()
    answer(0, 1, 2, 3)
    following = list(lanes.take())
    assert [(int(n.record.id), n.stored) for n in following] == [(4, True), (5, True), (6, True)]
    answer(4, 5, 6)
    assert taken(lanes) == [7]


def test_more_live_records_than_anybody_takes_become_a_backlog(lanes, commit, answer, monkeypatch):
    monkeypatch.setattr(module, "_MOST_LIVE", 3)
    assert taken(lanes) == []
    commit(*range(8))
    commit(8)
    assert taken(lanes) == [8, 0, 1, 2]
    answer(8, 0, 1, 2)
    assert taken(lanes) == [3, 4, 5]


def test_nothing_is_taken_twice_whenever_it_is_settled(outbox, lanes, commit, monkeypatch):
    monkeypatch.setattr(module, "_PAGE", 2)
    commit(*range(7))
    seen = []
    for _ in range(7):
        seen += taken(lanes)
        # Acknowledged, and not written down before all is over.
        for number in seen:
            lanes.answered(record(number).id)
        lanes.reread()
    assert seen == list(range(7))
    outbox.commit([], sent=[record(n).id for n in seen])
    lanes.settled([record(n).id for n in seen])
    lanes.reread()
    assert taken(lanes) == []


def test_what_is_given_back_is_the_next_again(lanes, commit):
    commit(0, 1)
    first = next(iter(lanes.take()))
    lanes.give_back(first.record.id)
    assert taken(lanes) == [0, 1]
    commit(2, 3)
    first = next(iter(lanes.take()))
    assert int(first.record.id) == 2
    lanes.give_back(first.record.id)
    assert taken(lanes) == [2, 3]


def test_records_sent_again_go_last(outbox, lanes, commit, answer):
    commit(0, 1)
    taken(lanes)
    answer(0, 1)
    lanes.pause()
    commit(2)
    assert outbox.send_again(Span(since=record(0).id)) == 2
    lanes.reread()
    assert taken(lanes) == [2, 0, 1]
    answer(2, 0, 1)
    assert outbox.counts()["sent_again"] == 0
    assert taken(lanes) == []


def test_records_sent_again_are_slow(outbox, commit, monkeypatch):
    at = 0.0
    monkeypatch.setattr(module.time, "monotonic", lambda: at)
    lanes = Lanes(outbox, in_flight=100, again_per_s=10.0)
    ids = [record(n).id for n in range(40)]
    outbox.commit([record(n) for n in range(40)])
    outbox.commit([], sent=ids)
    outbox.send_again(Span(since=ids[0]))
    assert taken(lanes) == [0]
    at = 0.3
    assert taken(lanes) == [1, 2, 3]
    at = 100.0
    assert len(taken(lanes)) == 5  # nothing is saved up


def test_one_record_under_way_at_a_time_is_enough(outbox):
    lanes = Lanes(outbox, in_flight=1, again_per_s=1.0)
    outbox.commit([record(0), record(1)])
    assert taken(lanes) == [0]
    assert taken(lanes) == []
    lanes.answered(record(0).id)
    assert taken(lanes) == [1]
