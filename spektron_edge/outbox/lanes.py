"""What is published next.

Three lanes, each in the order of commits: live records, committed while the broker takes them;
the backlog, which is everything else that is unsent; and acknowledged records that are to be sent
once more. A lane goes only when those before it are empty, and the last two leave room under way
for the first: a result of now does not wait behind an outage.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass

from .outgoing import Outgoing
from .store import Outbox

_MOST_LIVE = 256
_PAGE = 100
_BURST_S = 0.5


class _Pages:
    """Records of one lane, read page by page behind what was read before."""

    def __init__(self, query: Callable[[int, int], list[Outgoing]]) -> None:
        self._query = query
        self.read: deque[Outgoing] = deque()
        self._after = 0
        self._more = True

    def rewind(self) -> None:
        """Read from the beginning."""
        self.read.clear()
        self._after, self._more = 0, True

    def grown(self) -> None:
        """There is more behind what was read."""
        self._more = True

    def next(self, taken: Container[str]) -> Outgoing | None:
        """The next record that is not taken."""
        while not self.read and self._more:
            page = self._query(_PAGE, self._after)
            self._more = len(page) == _PAGE
            if page:
                self._after = page[-1].position
            # Now, since what is taken may be settled by the time it would come out of here.
            self.read.extend(record for record in page if record.id not in taken)
        return self.read.popleft() if self.read else None


@dataclass(frozen=True)
class Next:
    """A record to publish. read_from: the pages it was read from; None for a live one."""

    record: Outgoing
    read_from: _Pages | None

    @property
    def stored(self) -> bool:
        """Whether it comes late, from the disk."""
        return self.read_from is not None


class Lanes:
    """Reads the outbox; what was taken stays taken until it is settled or given back."""

    def __init__(self, outbox: Outbox, in_flight: int, again_per_s: float) -> None:
        self._in_flight = in_flight
        # One of a single one: then live records wait for one acknowledgement.
        self._most_stored = max(1, in_flight - max(1, in_flight // 4))
        self._again_per_s = again_per_s
        self._taken: dict[str, Next] = {}
        self._under_way: set[str] = set()
        self._live: deque[Outgoing] = deque()
        self._flowing = False
        self._allowance, self._counted_at = 1.0, time.monotonic()
        self._backlog = _Pages(outbox.unsent)
        self._again = _Pages(outbox.again)

    def committed(self, records: Iterable[Outgoing]) -> None:
        """These are on disk now."""
        if not self._flowing:
            self._backlog.grown()
            return
        self._live.extend(records)
        if len(self._live) > _MOST_LIVE:
            # Nobody takes them as fast as they come: then they are a backlog like any other.
            self._live.clear()
            self._backlog.rewind()

    def pause(self) -> None:
        """The broker is away: what is not under way yet is no longer live."""
        self._flowing = False
        if self._live:
            self._live.clear()
            self._backlog.rewind()

    def reread(self) -> None:
        """Something else has changed what waits in the outbox."""
        self._backlog.rewind()
        self._again.rewind()

    def take(self) -> Iterator[Next]:
        """What may be published now; each is under way when it is returned."""
        # What is committed from now on comes behind a backlog that fits, or is live beside it.
        self._flowing = True
        while len(self._under_way) < self._in_flight:
            following = self._following()
            if following is None:
                break
            self._taken[following.record.id] = following
            self._under_way.add(following.record.id)
            yield following

    def _following(self) -> Next | None:
        if self._live:
            return Next(self._live.popleft(), None)
        stored = sum(self._taken[i].stored for i in self._under_way)
        if stored >= self._most_stored:
            return None
        if (record := self._backlog.next(self._taken)) is not None:
            return Next(record, self._backlog)
        if self._may_send_again() and (record := self._again.next(self._taken)) is not None:
            self._allowance -= 1.0
            return Next(record, self._again)
        return None

    def _may_send_again(self) -> bool:
        now = time.monotonic()
        most = max(1.0, self._again_per_s * _BURST_S)
        self._allowance += self._again_per_s * (now - self._counted_at)
        self._allowance, self._counted_at = min(self._allowance, most), now
        return self._allowance >= 1.0

    def answered(self, record_id: str) -> None:
        """The broker said something of a record: another one may be under way."""
        self._under_way.discard(record_id)

    def renewed(self) -> None:
        """The outbox has a new file, which holds what this one `held`."""
        self._live.clear()
        self.reread()

    def settled(self, ids: Iterable[str]) -> None:
        """What the broker said is on disk."""
        for record_id in ids:
            self._taken.pop(record_id, None)

    def give_back(self, record_id: str) -> None:
        """It was not published after all."""
        following = self._taken.pop(record_id)
        self._under_way.discard(record_id)
        pages = following.read_from
        (self._live if pages is None else pages.read).appendleft(following.record)

    @property
    def under_way(self) -> int:
        """Records published and not answered."""
        return len(self._under_way)

    @property
    def held(self) -> list[Outgoing]:
        """Records in memory that the broker has not acknowledged, in the order of commits."""
        taken = (n.record for n in self._taken.values())
        known = {r.id: r for r in (*self._live, *self._backlog.read, *taken)}
        return sorted(known.values(), key=lambda record: record.position)
