"""What the daemon does about its outbox: commits, publishes, keeps it in order and in one piece."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from spektron_edge import log
from spektron_edge.config.outbox import OutboxLimits
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.ledger import Action
from spektron_edge.files.set_aside import set_aside
from spektron_edge.files.state_folder import StateFolder, outbox_damaged, storage_fault
from spektron_edge.instrument.numbering import Numbering
from spektron_edge.outbox import Limits, OutboxDamagedError, OutboxError
from spektron_edge.outbox.replay import replays, taken_up
from spektron_edge.outbox.span import Span, SpanError

from .active_faults import STORAGE
from .delivery import Delivery
from .notices import Notices

_UPKEEP_EVERY_S = 60.0
_FOLDER_EVERY_S = 1.0
_MB, _DAY_S = 2**20, 86400.0
_CAUSES = {
    "full": "the oldest of more than `outbox.max_mb`",
    "old": "not acknowledged for `outbox.max_age_days`",
    "refused": "the oldest of more refused ones than `outbox.keep_refused_mb`",
}


def limits_of(settings: OutboxLimits) -> Limits:
    """The configuration's caps in the outbox's units."""
    return Limits(
        max_bytes=settings.max_mb * _MB,
        keep_sent_bytes=settings.keep_sent_mb * _MB,
        keep_refused_bytes=settings.keep_refused_mb * _MB,
        max_age_s=settings.max_age_days * _DAY_S,
        keep_sent_s=settings.keep_sent_days * _DAY_S,
    )


class Storage:
    """Trouble with the disk becomes a notice; what waits goes on waiting."""

    def __init__(
        self,
        state: StateFolder,
        delivery: Delivery,
        numbering: Numbering,
        notices: Notices,
        audit: Callable[[Action], bool],
    ) -> None:
        """audit: writes a line, false when the disk does not take it."""
        self._state = state
        self._delivery = delivery
        self._numbering = numbering
        self._notices = notices
        self._audit = audit
        self._replays = replays(state.folder)
        self._replays_seen: tuple[int, int] | None = None
        self._sending_again: int | None = None
        self._unwritable = False
        self._not_put_back: tuple[Faults, ...] = ()
        self._upkeep_due = self._folder_due = time.monotonic()

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Makes a fault of trouble with the outbox; a damaged one is replaced at once."""
        try:
            yield
        except OutboxDamagedError as error:
            self._replace(error)
        except OutboxError as error:
            self._met(error)

    def _met(self, error: OSError | OutboxError) -> Fault:
        fault = storage_fault(error, self._state.outbox.path)
        self._unwritable = fault.kind is Faults.STATE_UNWRITABLE
        self._notices.begin(fault)
        return fault

    def accept_counter(self, operator: str, counter: int) -> bool:
        """True once for each operator's counter.

        Raises Fault where it cannot be written down: the request could be sent again by others.
        """
        try:
            return self._state.accept_counter(operator, counter)
        except OutboxDamagedError as error:
            self._replace(error)
            raise Fault(Faults.STATE_DAMAGED, "the outbox was damaged: ask again") from None
        except (OSError, OutboxError) as error:
            raise self._met(error) from None

    def _replace(self, why: OutboxDamagedError) -> None:
        try:
            salvaged = self._delivery.renew(self._numbering.known)
            self._state.counters_known = False
        except (OSError, OutboxError) as error:
            self._notices.begin(storage_fault(error, self._state.outbox.path))
        else:
            log.warn("outbox_damaged", detail=why, next="see the event")
            self._notices.once(outbox_damaged(salvaged))

    def deliver(self) -> None:
        """Commit, publish and note what can be now."""
        # What did not fit into memory is told in the same commit that gets through at last.
        lost = self._delivery.lost
        told = self._notices.gaps(lost, "neither disk nor memory had room")
        with self.guarded():
            if self._delivery.commit(told):
                self._notices.end(STORAGE)
                if lost:
                    self._notices.count_gaps(lost)
        with self.guarded():
            self._delivery.publish()
            self._delivery.note()

    def look_after(self, now: float) -> None:
        """In spare time; now: time.monotonic()."""
        if now >= self._folder_due:
            self._folder_due = now + _FOLDER_EVERY_S
            self._put_back()
            if self._unwritable and self._state.outbox.in_place:
                self._state.outbox.make_writable()
                self._unwritable = False
            self._take_up_replays()
        if now < self._upkeep_due:
            return
        self._upkeep_due = now + _UPKEEP_EVERY_S
        dropped = self._delivery.prune()
        if dropped:
            why = "; ".join(
                f"{count} records, {_CAUSES[cause]}" for cause, count in dropped.items()
            )
            self._notices.begin(Fault(Faults.RECORDS_DROPPED, f"dropped: {why}"))
        else:
            self._notices.end((Faults.RECORDS_DROPPED,))
        if not self._delivery.retry_refused():
            self._notices.end((Faults.PUBLISH_REFUSED,))

    def _put_back(self) -> None:
        try:
            for removed in self._state.put_back():
                self._notices.end(self._not_put_back)
                self._notices.once(removed)
        except Fault as fault:
            self._not_put_back = (fault.kind,)
            self._notices.begin(fault)
        else:
            self._notices.end(self._not_put_back)
            self._not_put_back = ()

    def finish(self) -> None:
        """Leave on the disk, under its name, what was committed and what the broker said."""
        self._put_back()
        with self.guarded():
            self._delivery.commit()
        with self.guarded():
            self._delivery.note(now=True)

    def _take_up_replays(self) -> None:
        if self._sending_again is None:
            # A replay goes on after a restart.
            self._sending_again = self._state.outbox.counts()["sent_again"]
        elif self._sending_again and not self._state.outbox.counts()["sent_again"]:
            self._notices.say("replay_done", f"{self._sending_again} records were sent again")
            self._sending_again = 0
        stamp = self._replays.stamp
        if stamp == self._replays_seen:
            return
        try:
            asked = self._replays.read()
            for span in asked.waiting:
                self._begin_replay(span)
            for action in asked.untold:
                if not self._audit(action):
                    return
            if asked.waiting or asked.untold:
                taken_up(self._replays, len(asked.waiting), len(asked.untold))
            else:
                self._replays_seen = stamp
        except Fault as fault:
            if fault.kind is not Faults.STATE_DAMAGED:
                self._notices.begin(fault)
                return
            self._give_up_replays(fault)

    def _give_up_replays(self, damage: Fault) -> None:
        try:
            kept = set_aside(self._replays.path).name
        except OSError as error:
            self._notices.begin(storage_fault(error, self._replays.path))
        else:
            detail = f"{damage.detail}; it is kept as {kept}: ask for replays again"
            self._notices.once(Fault(damage.kind, detail))

    def _begin_replay(self, span: Span) -> None:
        try:
            count = self._delivery.replay(span)
        except SpanError as error:
            self._notices.say("replay_impossible", str(error), "warning")
            return
        self._sending_again = (self._sending_again or 0) + count
        self._notices.say("replay_begun", f"{count} records are sent again, {span.in_words}")
