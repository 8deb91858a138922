"""What an outage leaves behind drains in order, and results of now do not wait behind it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from spektron_edge.demo.subscriber import Subscriber
from spektron_edge.outbox import Limits, Outbox
from tests.integration.publishing import record
from tests.integration.rig import listening, until


class Arrivals(Subscriber):
    """Keeps the order and the moment at which predictions arrive, and whether they say `stored`."""

    def __init__(self) -> None:
        super().__init__()
        self.order: list[tuple[str, float, bool]] = []

    def take(self, client, userdata, message) -> None:
        if message.topic.endswith("/prediction"):
            at = time.time()
            record_id = message.payload.split(b'"id":', 1)[1].strip()[1:27].decode()
            said = dict(getattr(message.properties, "UserProperty", []))
            self.order.append((record_id, at, said.get("stored") == "true"))
        super().take(client, userdata, message)


@pytest.fixture
def backlog(make_rig) -> Callable[..., tuple]:
    """backlog(url, count): a rig whose state folder holds so many records of an outage."""

    def make(url, count, **options):
        rig = make_rig(url, **options)
        (rig.folder / "state").mkdir()
        outbox = Outbox(rig.folder / "state" / "outbox.sqlite", Limits(10**9, 10**9))
        stored = [record() for _ in range(count)]
        outbox.commit(stored)
        outbox.close()
        return rig, [r.id for r in stored]

    return make


def made_at(record_id: str) -> float:
    """Seconds since 1970 that a ULID names."""
    digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    value = 0
    for letter in record_id[:10]:
        value = 32 * value + digits.index(letter)
    return value / 1000


def test_ten_thousand_records_drain_in_order_and_live_ones_do_not_wait_behind_them(broker, backlog):
    count = 10_000
    rig, stored = backlog(broker.url, count, interval_s=0.1)
    with listening(broker.port, Arrivals()) as subscriber:
        rig.start()
        old = set(stored)
        until(lambda: sum(i in old for i, _, _ in list(subscriber.order)) >= count, "the backlog")
        until(lambda: len(subscriber.order) >= count + 10, "live predictions")
        assert rig.stop() == 0
    order = subscriber.order
    late = [(i, at, said) for i, at, said in order if i in old]
    live = [(i, at, said) for i, at, said in order if i not in old]
    assert [i for i, _, _ in late] == stored
    assert [i for i, _, _ in live] == sorted(i for i, _, _ in live)
    assert all(said for _, _, said in late)
    assert not any(said for _, _, said in live)
    # Counted in records: a slow machine is slow with both. Had the first ones waited for their
    # turn, nearly all of the backlog would have arrived before them.
    behind = [sum(made_at(i) <= t < at for _, t, _ in late) for i, at, _ in live]
    assert max(behind) < count / 2
    print(
        f"{count} stored records in {late[-1][1] - late[0][1]:.1f} s; the slowest of "
        f"{sum(at < late[-1][1] for _, at, _ in live)} live ones among them arrived "
        f"{1e3 * max(at - made_at(i) for i, at, _ in live):.0f} ms after it was made"
    )
