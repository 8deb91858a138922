from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from spektron_edge.faults import Faults
from spektron_edge.outbox import Gap, Limits, Outbox, OutboxFullError, Outgoing, Progress
from spektron_edge.publishing import delivery as module
from spektron_edge.publishing.delivery import Delivery, Latencies


class Client:
    """Keeps what it is given, as paho does; the test decides when it is acknowledged."""

    def __init__(self, room: int = 1000) -> None:
        self.connected = True
        self.room = room
        self.given: dict[int, bytes] = {}
        self.handed_over: list[bytes] = []

    def publish(self, kind, payload, **_):
        if len(self.given) >= self.room:
            return None
        mid = 1 + len(self.handed_over)
        self.handed_over.append(payload)
        self.given[mid] = payload
        return mid

    def acknowledge(self, delivery, mid, error=None):
        del self.given[mid]
        return delivery.acknowledge(mid, 5.0, error)


def record(number, kind="prediction") -> Outgoing:
    return Outgoing(f"id-{number:05d}", kind, b"%d" % number)


@pytest.fixture
def outbox(open_outbox):
    return open_outbox()


@pytest.fixture
def client():
    return Client()


@pytest.fixture
def delivery(outbox, client):
    delivery = Delivery(outbox, client, in_flight=3)
    delivery.publish()  # connected from the beginning
    return delivery


def store(delivery, number, kind="prediction"):
    progress = Progress("S", 1, number) if kind == "prediction" else None
    delivery.store([record(number, kind)], progress, 1.0 if progress else None)


def numbers(records):
    return [int(r.payload if isinstance(r, Outgoing) else r) for r in records]


def test_nothing_is_published_before_it_is_on_disk(delivery, client, outbox):
    store(delivery, 1)
    delivery.publish()
    assert client.handed_over == []
    assert delivery.waiting == 1
    assert delivery.commit()
    delivery.publish()
    assert client.handed_over == [b"1"]
    assert outbox.progress("S").number == 1
    assert not delivery.commit()


def test_a_record_is_sent_only_once_it_is_acknowledged(delivery, client, outbox):
    store(delivery, 1)
    delivery.commit()
    delivery.publish()
    delivery.note(now=True)
    assert outbox.counts()["sent"] == 0
    assert client.acknowledge(delivery, 1) is None
    delivery.note(now=True)
    assert outbox.counts()["sent"] == 1
    assert delivery.published == Counter(prediction=1)
    assert delivery.latencies.quantile(0.5) == 4000.0


def test_no_more_is_under_way_than_allowed_and_nothing_goes_twice(delivery, client):
    for number in range(10):
        store(delivery, number)
    delivery.commit()
    for _ in range(5):
        delivery.publish()
    assert numbers(client.handed_over) == [0, 1, 2]
    assert delivery.under_way == 3
    client.acknowledge(delivery, 2)
    delivery.publish()
    delivery.note(now=True)
    delivery.publish()
    assert numbers(client.handed_over) == [0, 1, 2, 3]


def test_while_the_broker_is_away_everything_waits_on_disk(delivery, client, outbox):
    client.connected = False
    for number in range(5):
        store(delivery, number)
        delivery.commit()
        delivery.publish()
    assert client.handed_over == []
    assert outbox.counts()["unsent"] == 5
    client.connected = True
    delivery.publish()
    assert numbers(client.handed_over) == [0, 1]  # the third place is for live records


def test_what_was_handed_over_stays_so_across_a_lost_connection(delivery, client):
    store(delivery, 1)
    delivery.commit()
    delivery.publish()
    client.connected = False
    delivery.publish()
    client.connected = True
    delivery.publish()
    assert client.handed_over == [b"1"]  # the client itself sends it again


def test_a_full_client_is_offered_the_record_again(delivery, client):
    client.room = 1
    for number in range(2):
        store(delivery, number)
    delivery.commit()
    delivery.publish()
    assert numbers(client.handed_over) == [0]
    client.acknowledge(delivery, 1)
    delivery.publish()
    assert numbers(client.handed_over) == [0, 1]


def test_a_refused_record_is_a_fault_kept_and_tried_again(delivery, client, outbox):
    store(delivery, 1)
    store(delivery, 2)
    delivery.commit()
    delivery.publish()
    fault = client.acknowledge(delivery, 1, "Not authorized")
    assert fault.kind is Faults.PUBLISH_REFUSED
    assert "Not authorized" in fault.detail
    client.acknowledge(delivery, 2)
    delivery.note(now=True)
    delivery.publish()
    assert numbers(client.handed_over) == [1, 2]
    assert (outbox.counts()["sent"], outbox.counts()["refused"]) == (1, 1)
    assert delivery.retry_refused()
    delivery.publish()
    assert numbers(client.handed_over) == [1, 2, 1]
    client.acknowledge(delivery, 3)
    delivery.note(now=True)
    assert outbox.counts()["sent"] == 2


def test_refused_records_are_offered_in_growing_lots_while_none_is_refused_again(
    outbox, client, monkeypatch
):
    monkeypatch.setattr(module, "_RETRIED_FIRST", 1)
    delivery = Delivery(outbox, client, in_flight=100)
    outbox.commit([record(n) for n in range(20)], refused=[(record(n).id, "no") for n in range(20)])
    refused = []
    for answer in (None, None, "no", None, None, None):
        assert delivery.retry_refused()
        delivery.publish()
        for mid in list(client.given):
            client.acknowledge(delivery, mid, answer)
        delivery.note(now=True)
        refused.append(outbox.counts()["refused"])
    assert refused == [18, 14, 14, 13, 11, 7]
    while delivery.retry_refused():
        pass
    for _ in range(100):  # nothing grows while there is nothing
        assert not delivery.retry_refused()


def test_what_the_broker_said_is_written_with_the_next_commit(delivery, client, outbox):
    store(delivery, 1)
    delivery.commit()
    delivery.publish()
    client.acknowledge(delivery, 1)
    store(delivery, 2)
    delivery.commit()
    assert outbox.counts()["sent"] == 1


def test_what_memory_holds_outlives_a_damaged_file(delivery, client, outbox, tmp_path):
    for number in range(6):
        store(delivery, number)
    delivery.commit()
    delivery.publish()
    store(delivery, 6)
    outbox._db.close()
    outbox.path.write_bytes(b"\x5a" * 8192)
    salvaged = delivery.renew([Progress("S", 1, 5)])
    assert salvaged.records == 0
    assert outbox.progress("S") == Progress("S", 1, 5)
    delivery.commit()
    client.acknowledge(delivery, 1)
    delivery.note(now=True)
    assert numbers(outbox.unsent(10)) == [1, 2, 3, 4, 5, 6]
    for mid in range(2, 8):
        delivery.publish()
        client.acknowledge(delivery, mid)
    delivery.note(now=True)
    assert sorted(numbers(client.handed_over)) == list(range(7))
    assert outbox.counts()["unsent"] == 0


def test_an_acknowledgement_of_something_else_means_nothing(delivery, outbox):
    assert delivery.acknowledge(99, 1.0, "error") is None
    delivery.note(now=True)
    assert delivery.published == Counter()


def test_acknowledgements_are_marked_in_groups(delivery, client, outbox, monkeypatch):
    monkeypatch.setattr(module, "_GROUP", 2)
    monkeypatch.setattr(module, "_NOTE_AFTER_S", 1e9)
    for number in range(2):
        store(delivery, number)
    delivery.commit()
    delivery.publish()
    client.acknowledge(delivery, 1)
    delivery.note()
    assert outbox.counts()["sent"] == 0
    client.acknowledge(delivery, 2)
    delivery.note()
    assert outbox.counts()["sent"] == 2


def test_acknowledged_but_not_yet_marked_is_not_published_again(delivery, client):
    store(delivery, 1)
    delivery.commit()
    delivery.publish()
    client.acknowledge(delivery, 1)
    delivery.publish()
    assert client.handed_over == [b"1"]


# ---- a disk that is full


@pytest.fixture
def full(outbox):
    """Make the disk full, and free again."""
    (pages,) = outbox._db.execute("PRAGMA page_count").fetchone()

    def switch(on):
        outbox._db.execute(f"PRAGMA max_page_count = {pages if on else 10**6}")

    return switch


def big(delivery, number):
    outgoing = Outgoing(f"id-{number:05d}", "prediction", b"%d" % number + b" " * 5000)
    delivery.store([outgoing], Progress("S", 1, number), 1.0)


def test_with_a_full_disk_results_wait_in_memory(delivery, client, outbox, full):
    full(True)
    for number in range(20):
        big(delivery, number)
        with pytest.raises(OutboxFullError):
            delivery.commit()
        delivery.publish()
    assert client.handed_over == []
    assert delivery.waiting == 20
    full(False)
    delivery.commit()
    assert numbers(outbox.unsent(100)) == list(range(20))
    assert outbox.progress("S").number == 19
    assert delivery.lost == []


def test_when_memory_is_full_too_the_oldest_scans_go_and_their_numbers_are_kept(
    delivery, outbox, full, monkeypatch
):
    monkeypatch.setattr(module, "MAX_WAITING", 10)
    full(True)
    for number in range(25):
        big(delivery, number)
        for _ in range(3):  # turns of the daemon's loop, which each would report what is lost
            with pytest.raises(OutboxFullError):
                delivery.commit([record(900, "event")])
    assert delivery.lost == [Gap("S", 1, 0, 14)]
    assert delivery.waiting == 10
    full(False)
    assert delivery.commit([record(900, "event")])
    assert numbers(outbox.unsent(100)) == [*range(15, 25), 900]
    assert delivery.lost == []


def test_events_are_given_up_last(delivery, outbox, full, monkeypatch):
    monkeypatch.setattr(module, "MAX_WAITING", 4)
    full(True)
    store(delivery, 500, "event")
    for number in (1, 2, 5, 6, 7):
        big(delivery, number)
    store(delivery, 501, "event")
    full(False)
    delivery.commit()
    assert delivery.lost == [Gap("S", 1, 1, 2), Gap("S", 1, 5, 5)]
    assert sorted(numbers(outbox.unsent(100))) == [6, 7, 500, 501]


def test_with_nothing_but_events_the_oldest_goes(delivery, outbox, monkeypatch):
    monkeypatch.setattr(module, "MAX_WAITING", 2)
    for number in range(4):
        store(delivery, number, "event")
    delivery.commit()
    assert numbers(outbox.unsent(10)) == [2, 3]
    assert delivery.lost == []


def test_a_refusal_that_cannot_be_noted_is_noted_later(delivery, client, outbox, monkeypatch):
    store(delivery, 1)
    delivery.commit()
    delivery.publish()

    def refuse(*_):
        raise OutboxFullError("full")

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "commit", refuse)
        client.acknowledge(delivery, 1, "Not authorized")
        with pytest.raises(OutboxFullError):
            delivery.note(now=True)
    delivery.publish()
    assert numbers(client.handed_over) == [1]
    delivery.note(now=True)
    assert outbox.counts()["refused"] == 1


def test_what_waits_for_weeks_does_not_fill_the_memory(delivery, client, monkeypatch):
    monkeypatch.setattr(module, "_BORN_KEPT", 10)
    client.connected = False
    for number in range(50):
        store(delivery, number)
        delivery.commit()
    assert len(delivery._born) == 10


# ---- latencies


def test_quantiles_are_of_the_last_thousand():
    latencies = Latencies()
    assert latencies.quantile(0.5) is None
    for ms in range(3000):
        latencies.add(ms / 1e3)
    assert latencies.quantile(0.0) == 2000.0
    assert latencies.quantile(0.5) == 2500.0
    assert latencies.quantile(0.99) == 2990.0
    assert latencies.quantile(1.0) == 2999.0


# ---- everything at once


class EveryScanIsAccountedFor(RuleBasedStateMachine):
    """Disk and broker come and go, the daemon dies and starts: nothing is lost unsaid."""

    @initialize(in_flight=st.integers(1, 4))
    def start(self, in_flight):
        import tempfile
        from pathlib import Path

        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "outbox.sqlite"
        self.in_flight = in_flight
        self.made = 0
        self.committed: set[int] = set()
        self.refused: set[int] = set()
        self.acknowledged: list[int] = []
        self._begin()

    def _begin(self):
        self.outbox = Outbox(self.path, Limits(10**9, 10**9))
        self.client = Client()
        self.delivery = Delivery(self.outbox, self.client, self.in_flight)
        self.waiting: set[int] = set()
        self.published_here: Counter[int] = Counter()

    @rule(count=st.integers(1, 4))
    def scan(self, count):
        for _ in range(count):
            self.made += 1
            store(self.delivery, self.made)
            self.waiting.add(self.made)

    @rule()
    def commit(self):
        self.delivery.commit()
        self.committed |= self.waiting
        self.waiting.clear()

    @rule(connected=st.booleans())
    def connection(self, connected):
        self.client.connected = connected

    @rule()
    def publish(self):
        self.delivery.publish()

    @rule(data=st.data(), refused=st.booleans())
    def answer(self, data, refused):
        if not self.client.given:
            return
        mid = data.draw(st.sampled_from(sorted(self.client.given)))
        number = int(self.client.given[mid])
        self.client.acknowledge(self.delivery, mid, "no" if refused else None)
        if refused:
            self.refused.add(number)
        else:
            self.acknowledged.append(number)

    @rule(now=st.booleans())
    def mark(self, now):
        self.delivery.note(now=now)

    @rule()
    def retry(self):
        self.delivery.retry_refused()
        self.refused.clear()

    @rule()
    def killed(self):
        self.outbox.close()
        self._begin()

    @invariant()
    def only_what_is_on_disk_was_published(self):
        if hasattr(self, "client"):
            assert set(numbers(self.client.handed_over)) <= self.committed
            assert self.delivery.under_way <= self.in_flight

    def teardown(self):
        if not hasattr(self, "outbox"):
            return
        # In the end disk and broker work: all that was ever committed arrives.
        self.commit()
        self.client.connected = True
        while True:
            self.delivery.retry_refused()
            self.delivery.publish()
            if not self.client.given:
                break
            for mid in list(self.client.given):
                self.acknowledged.append(int(self.client.given[mid]))
                self.client.acknowledge(self.delivery, mid)
            self.delivery.note(now=True)
        self.delivery.note(now=True)
        assert set(self.acknowledged) == self.committed
        assert self.outbox.counts()["unsent"] == self.outbox.counts()["refused"] == 0
        self.outbox.close()
        self.folder.cleanup()


TestEveryScanIsAccountedFor = EveryScanIsAccountedFor.TestCase
TestEveryScanIsAccountedFor.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None
)
