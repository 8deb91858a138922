"""What goes into the outbox comes out, in its order, once."""

from __future__ import annotations

import pytest

from spektron_edge.outbox import OutboxError, Progress

from .records import counts, ids, record


def test_records_come_out_as_they_went_in_and_in_order(open_outbox):
    outbox = open_outbox()
    records = [record(n, bytes([n]), "event" if n % 2 else "prediction") for n in range(9)]
    outbox.commit(records[:4])
    outbox.commit(records[4:])
    assert outbox.unsent(100) == records
    assert outbox.unsent(3) == records[:3]


def test_what_is_sent_is_not_offered_again(open_outbox):
    outbox = open_outbox()
    outbox.commit([record(n) for n in range(4)])
    outbox.commit([], sent=["id-000001", "id-000003"])
    assert ids(outbox) == ["id-000000", "id-000002"]
    assert outbox.counts() == counts(2, 2, 0, 0)


def test_a_refused_record_is_kept_and_offered_again_when_asked(open_outbox):
    outbox = open_outbox()
    outbox.commit([record(n) for n in range(3)])
    outbox.commit([], refused=[("id-000001", "not authorised")])
    assert ids(outbox) == ["id-000000", "id-000002"]
    assert outbox.counts()["refused"] == 1
    assert outbox.retry_refused(100) == 1
    assert ids(outbox) == ["id-000000", "id-000001", "id-000002"]
    assert outbox.retry_refused(100) == 0


def test_an_id_that_is_there_already_undoes_the_whole_commit(open_outbox):
    outbox = open_outbox()
    outbox.commit([record(1)], [Progress("S", 1, 1)])
    with pytest.raises(OutboxError, match="UNIQUE"):
        outbox.commit([record(2), record(1)], [Progress("S", 1, 2)])
    assert ids(outbox) == ["id-000001"]
    assert outbox.progress("S") == Progress("S", 1, 1)


def test_progress_is_kept_for_every_instrument(open_outbox):
    outbox = open_outbox()
    assert outbox.progress("A") is None
    outbox.commit([], [Progress("A", 1, 10)])
    outbox.commit([], [Progress("B", 2**32 - 1, 2**32 - 1)])
    outbox.commit([], [Progress("A", 3, 0)])
    assert outbox.progress("A") == Progress("A", 3, 0)
    assert outbox.progress("B") == Progress("B", 2**32 - 1, 2**32 - 1)


def test_everything_is_there_after_it_was_opened_again(open_outbox):
    outbox = open_outbox()
    outbox.commit([record(n) for n in range(4)], [Progress("S", 5, 9)])
    outbox.commit([], sent=["id-000000"])
    outbox.commit([], refused=[("id-000001", "why")])
    outbox.accept_counter("anna", 7)
    outbox.close()
    again = open_outbox()
    assert ids(again) == ["id-000002", "id-000003"]
    assert again.counts() == counts(2, 1, 1, 0)
    assert again.progress("S") == Progress("S", 5, 9)
    assert not again.accept_counter("anna", 7)
    assert again.salvaged is None


@pytest.mark.parametrize("counter", [1, 5, 2**63 - 1])
def test_a_counter_is_accepted_once(open_outbox, counter):
    outbox = open_outbox()
    assert outbox.accept_counter("anna", counter)
    assert not outbox.accept_counter("anna", counter)
    assert not outbox.accept_counter("anna", counter - 1)
    assert outbox.accept_counter("bert", counter)


def test_counters_that_are_known_from_elsewhere_only_rise(open_outbox):
    outbox = open_outbox()
    outbox.accept_counter("anna", 7)
    outbox.raise_counters({"anna": 5, "bert": 9})
    assert [outbox.accept_counter("anna", n) for n in (7, 8)] == [False, True]
    assert [outbox.accept_counter("bert", n) for n in (9, 10)] == [False, True]
