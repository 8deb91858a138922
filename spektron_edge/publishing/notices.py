"""What the daemon tells of itself: every fault once when it begins and once when it ends."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence

from spektron_edge import log
from spektron_edge.faults import Fault, Faults
from spektron_edge.outbox import Gap, Outgoing, Progress

from .active_faults import ActiveFaults
from .delivery import Delivery
from .reporter import Level, Reporter


class Notices:
    """Turns faults and changes into log lines and durable events."""

    def __init__(
        self, reporter: Reporter, delivery: Delivery, on_fault: Callable[[Fault], None]
    ) -> None:
        """on_fault: called for every fault that begins."""
        self._reporter = reporter
        self._delivery = delivery
        self._on_fault = on_fault
        self._active = ActiveFaults()
        self._since: dict[Faults, str] = {}
        self.missed_scans = 0

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes of the faults that are going on."""
        return self._active.codes

    @property
    def active(self) -> tuple[tuple[Fault, str], ...]:
        """Faults that are going on, each with when it began (UTC, ISO 8601)."""
        return tuple((fault, self._since[fault.kind]) for fault in self._active.faults)

    def begin(self, fault: Fault) -> None:
        """A fault was met; nothing happens when it is known to be going on."""
        if not self._active.begin(fault):
            return
        self._since[fault.kind] = self._reporter.times().utc
        log.fault(fault)
        self._delivery.store((self._reporter.fault(fault),), None)
        self._on_fault(fault)

    def once(self, fault: Fault) -> None:
        """Something went wrong at one moment and does not go on."""
        self.begin(fault)
        self._active.end((fault.kind,))

    @contextlib.contextmanager
    def noticed(self) -> Iterator[None]:
        """A fault that is raised begins, and whoever met it goes on."""
        try:
            yield
        except Fault as fault:
            self.begin(fault)

    def end(self, kinds: Iterable[Faults]) -> None:
        """These do not go on."""
        for fault in self._active.end(kinds):
            self.say(f"{fault.code}_over", f"no longer: {fault.detail}")

    def say(
        self, code: str, message: str, level: Level = "info", of: Progress | None = None
    ) -> None:
        """Something happened that is no fault. of: the last scan of the power-on it is about."""
        log.info(code, detail=message)
        serial, boot_id = (None, None) if of is None else (of.serial, of.boot_id)
        scans = () if of is None else ((of.number, of.number),)
        event = self._reporter.event(
            code, message, level=level, scans=scans, serial=serial, boot_id=boot_id
        )
        self._delivery.store((event,), None)

    def gaps(self, gaps: Sequence[Gap], why: str) -> list[Outgoing]:
        """The events that name missing scans, one for each power-on."""
        by_power_on: dict[tuple[str, int], list[Gap]] = {}
        for gap in gaps:
            by_power_on.setdefault((gap.serial, gap.boot_id), []).append(gap)
        return [self._reporter.gap(found, why) for found in by_power_on.values()]

    def count_gaps(self, gaps: Sequence[Gap]) -> None:
        """Those events are stored, or as good as stored."""
        count = sum(gap.count for gap in gaps)
        self.missed_scans += count
        told = ", ".join(f"{g.first} to {g.last} of {g.serial}" for g in gaps)
        log.fault(Fault(Faults.SCANS_MISSED, f"{count} scans are missing: {told}"))
