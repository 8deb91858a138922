"""From a finished record to its acknowledgement: commit, publish, mark sent.

The order is the promise: a record is published only after its commit returned, and marked sent only
after the broker's PUBACK said success. When the disk is full, records wait in memory.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

from .faults import Fault, Faults
from .mqtt.client import MqttClient
from .outbox import Outbox, Outgoing, Progress

MAX_WAITING = 1000
_WINDOW = 1000
_MARK_AFTER_S = 0.2
_GROUP = 50
_BORN_KEPT = 10_000


@dataclass(frozen=True)
class _Pending:
    records: tuple[Outgoing, ...]
    progress: Progress | None
    number: int | None


class Latencies:
    """Milliseconds from a scan's last byte to its PUBACK, of the last thousand."""

    def __init__(self) -> None:
        self._ms: deque[float] = deque(maxlen=_WINDOW)

    def add(self, seconds: float) -> None:
        """Note one."""
        self._ms.append(1e3 * seconds)

    def quantile(self, share: float) -> float | None:
        """The latency that a share of records does not exceed; None before the first."""
        if not self._ms:
            return None
        ordered = sorted(self._ms)
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)


class Delivery:
    """Owns the outbox on the daemon's main path."""

    def __init__(self, outbox: Outbox, client: MqttClient, in_flight: int) -> None:
        self._outbox = outbox
        self._client = client
        self._in_flight = in_flight
        self._pending: deque[_Pending] = deque()
        self._by_mid: dict[int, Outgoing] = {}
        self._handed_over: set[str] = set()
        self._acknowledged: list[str] = []
        self._marked_at = time.monotonic()
        self._born: dict[str, float] = {}
        self._lost: list[tuple[int, int]] = []
        self.latencies = Latencies()
        self.refused_notices = 0
        self.published: Counter[str] = Counter()

    def store(
        self, records: Sequence[Outgoing], progress: Progress | None, born: float | None = None
    ) -> None:
        """Queue records for the next commit. `born`: time.monotonic() of the scan's last byte."""
        number = None if progress is None or born is None else progress.number
        if len(self._pending) >= MAX_WAITING:
            self._make_room()
        self._pending.append(_Pending(tuple(records), progress, number))
        if born is not None:
            for record in records:
                if record.kind == "prediction":
                    self._born[record.id] = born
        while len(self._born) > _BORN_KEPT:
            # A record that waits for so long tells nothing about the latency of the path.
            del self._born[next(iter(self._born))]

    def _make_room(self) -> None:
        """Give up the oldest scan; events, which may tell of other losses, go last."""
        at = next((i for i, group in enumerate(self._pending) if group.number is not None), 0)
        number = self._pending[at].number
        del self._pending[at]
        if number is None:
            return
        if self._lost and self._lost[-1][1] == number - 1:
            self._lost[-1] = (self._lost[-1][0], number)
        else:
            self._lost.append((number, number))

    @property
    def waiting(self) -> int:
        """Groups of records that are not on disk yet."""
        return len(self._pending)

    @property
    def lost(self) -> list[tuple[int, int]]:
        """Ranges of scan numbers whose results no longer fitted into memory, not yet reported."""
        return list(self._lost)

    def commit(self, report: Sequence[Outgoing] = ()) -> bool:
        """Write everything that waits in one transaction; true when there was something.

        report: what is to be said of `lost`; committed with the rest, after which `lost` is empty.
        Raises OutboxError, OutboxFullError; what waits then goes on waiting.
        """
        if not self._pending:
            return False
        records = [record for group in self._pending for record in group.records] + [*report]
        last = {g.progress.serial: g.progress for g in self._pending if g.progress is not None}
        self._outbox.commit(records, tuple(last.values()))
        self._pending.clear()
        if report:
            self._lost.clear()
        return True

    def publish(self) -> None:
        """Hand stored records to the broker's client, as many as may be under way."""
        if not self._client.connected:
            return
        room = self._in_flight - len(self._by_mid)
        if room <= 0:
            return
        for record in self._outbox.unsent(len(self._handed_over) + room):
            if record.id in self._handed_over:
                continue
            mid = self._client.publish(record.kind, record.payload)
            if mid is None:
                return
            self._by_mid[mid] = record
            self._handed_over.add(record.id)
            room -= 1
            if room <= 0:
                return

    def acknowledge(self, mid: int, at: float, error: str | None) -> Fault | None:
        """A PUBACK came; the fault when the broker refused the record."""
        record = self._by_mid.pop(mid, None)
        if record is None:
            # State, model, status or an answer: not kept, and published again soon enough.
            self.refused_notices += error is not None
            return None
        record_id = record.id
        born = self._born.pop(record_id, None)
        if error is not None:
            self._handed_over.discard(record_id)
            self._outbox.mark_refused(record_id, error)
            return Fault(
                Faults.PUBLISH_REFUSED, f"the broker refused {record.kind} {record_id}: {error}"
            )
        if born is not None:
            self.latencies.add(at - born)
        self.published[record.kind] += 1
        self._acknowledged.append(record_id)
        return None

    def send_again(self) -> None:
        """The client connects anew: what was under way waits to be published once more."""
        self._handed_over.difference_update(record.id for record in self._by_mid.values())
        self._by_mid.clear()

    def mark(self, *, now: bool = False) -> None:
        """Mark acknowledged records sent, in groups: every group costs a write to disk."""
        due = time.monotonic() - self._marked_at > _MARK_AFTER_S
        if self._acknowledged and (now or due or len(self._acknowledged) >= _GROUP):
            self._outbox.mark_sent(self._acknowledged)
            self._handed_over.difference_update(self._acknowledged)
            self._acknowledged = []
            self._marked_at = time.monotonic()

    @property
    def under_way(self) -> int:
        """Records published and not acknowledged."""
        return len(self._by_mid)
