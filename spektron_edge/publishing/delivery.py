"""From a finished record to its acknowledgement: commit, publish, mark sent.

The order is the promise: a record is published only after its commit returned, and marked sent only
after the broker's PUBACK said success. When the disk is full, records wait in memory.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from spektron_edge.faults import Fault, Faults
from spektron_edge.mqtt.client import MqttClient
from spektron_edge.outbox import Gap, Outbox, Outgoing, Progress
from spektron_edge.outbox.lanes import Lanes
from spektron_edge.outbox.salvage import Salvaged
from spektron_edge.outbox.span import Span

MAX_WAITING = 1000
_WINDOW = 1000
_NOTE_AFTER_S = 0.2
_GROUP = 50
_RETRIED_FIRST = 100
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

    def __init__(
        self,
        outbox: Outbox,
        client: MqttClient,
        in_flight: int,
        again_per_s: float = 20.0,
        on_published: Callable[[Outgoing, bool], None] = lambda _record, _stored: None,
        on_made: Callable[[Outgoing], None] = lambda _record: None,
    ) -> None:
        """in_flight: records under way at most; again_per_s: how fast a replay goes; on_published:
        called with every record handed over, and whether it comes late; on_made: with every new
        one, whether or not disk and broker take it."""
        self._on_published, self._on_made = on_published, on_made
        self._outbox = outbox
        self._client = client
        self._lanes = Lanes(outbox, in_flight, again_per_s)
        self._pending: deque[_Pending] = deque()
        self._by_mid: dict[int, Outgoing] = {}
        self._sent: list[str] = []
        self._refused: list[tuple[str, str]] = []
        self._noted_at = time.monotonic()
        self._retried = _RETRIED_FIRST
        self._refused_since_retry = 0
        self._born: dict[str, float] = {}
        self._lost: list[Gap] = []
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
        for record in records:
            self._on_made(record)
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
        given_up = self._pending[at]
        del self._pending[at]
        number, of = given_up.number, given_up.progress
        if number is None or of is None:
            return
        last = self._lost[-1] if self._lost else None
        if last is not None and last == Gap(of.serial, of.boot_id, last.first, number - 1):
            self._lost[-1] = replace(last, last=number)
        else:
            self._lost.append(Gap(of.serial, of.boot_id, number, number))

    @property
    def waiting(self) -> int:
        """Groups of records that are not on disk yet."""
        return len(self._pending)

    @property
    def lost(self) -> list[Gap]:
        """Scans whose results no longer fitted into memory, not yet reported."""
        return list(self._lost)

    def commit(self, report: Sequence[Outgoing] = ()) -> bool:
        """Write everything that waits in one transaction; true when there was something.

        report: what is to be said of `lost`; committed with the rest, after which `lost` is empty.
        What the broker said is noted on the way, and alone only now and then: all that waits shares
        one write to the disk. Raises OutboxError, OutboxFullError, OutboxDamagedError; what waits
        then goes on waiting.
        """
        if not self._pending:
            return False
        records = [record for group in self._pending for record in group.records] + [*report]
        last = {g.progress.serial: g.progress for g in self._pending if g.progress is not None}
        self._lanes.committed(self._write(records, tuple(last.values())))
        self._pending.clear()
        if report:
            self._lost.clear()
            for record in report:
                self._on_made(record)
        return True

    def note(self, *, now: bool = False) -> None:
        """Write down what the broker said, if no commit has done so for a while."""
        answers = len(self._sent) + len(self._refused)
        due = time.monotonic() - self._noted_at > _NOTE_AFTER_S
        if answers and (now or due or answers >= _GROUP):
            self._write((), ())

    def _write(
        self, records: Sequence[Outgoing], progress: Sequence[Progress]
    ) -> Sequence[Outgoing]:
        stored = self._outbox.commit(records, progress, self._sent, self._refused)
        self._lanes.settled(self._sent)
        self._lanes.settled(record_id for record_id, _ in self._refused)
        self._sent, self._refused = [], []
        self._noted_at = time.monotonic()
        return stored

    def publish(self) -> None:
        """Hand stored records to the broker's client, as many as may be under way."""
        if not self._client.connected:
            self._lanes.pause()
            return
        for following in self._lanes.take():
            record = following.record
            mid = self._client.publish(
                record.kind, record.payload, record_id=record.id, stored=following.stored
            )
            if mid is None:
                self._lanes.give_back(record.id)
                return
            self._by_mid[mid] = record
            self._on_published(record, following.stored)

    def acknowledge(self, mid: int, at: float, error: str | None) -> Fault | None:
        """A PUBACK came; the fault when the broker refused the record."""
        record = self._by_mid.pop(mid, None)
        if record is None:
            # State, model, status or an answer: not kept, and published again soon enough.
            self.refused_notices += error is not None
            return None
        self._lanes.answered(record.id)
        born = self._born.pop(record.id, None)
        if error is not None:
            self._refused.append((record.id, error))
            self._refused_since_retry += 1
            return Fault(
                Faults.PUBLISH_REFUSED, f"the broker refused {record.kind} {record.id}: {error}"
            )
        if born is not None:
            self.latencies.add(at - born)
        self.published[record.kind] += 1
        self._sent.append(record.id)
        return None

    def retry_refused(self) -> bool:
        """Offer refused records again, twice as many as last time if none of those was refused.

        False when there are none. A broker that goes on refusing is not flooded by them.
        """
        self._retried = _RETRIED_FIRST if self._refused_since_retry else 2 * self._retried
        self._refused_since_retry = 0
        if not self._outbox.retry_refused(self._retried):
            self._retried = _RETRIED_FIRST
            return False
        self._lanes.reread()
        return True

    def prune(self) -> Counter[str]:
        """Bring the outbox under its caps; how many records were dropped, by cause."""
        dropped = self._outbox.prune()
        if dropped:
            self._lanes.reread()
        return dropped

    def replay(self, span: Span) -> int:
        """Publish acknowledged records once more, behind everything else; returns how many.

        Raises SpanError.
        """
        count = self._outbox.send_again(span)
        self._lanes.reread()
        return count

    def renew(self, progress: Sequence[Progress]) -> Salvaged:
        """Go on with a new file; what could be read of the damaged one. Raises OSError, too."""
        salvaged = self._outbox.renew(self._lanes.held, progress)
        self._lanes.renewed()
        return salvaged

    @property
    def under_way(self) -> int:
        """Records published and not acknowledged."""
        return self._lanes.under_way
