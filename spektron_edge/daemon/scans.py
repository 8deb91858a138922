"""Every scan number is accounted for: a prediction, a use of the daemon's own, or a gap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from spektron_edge.clock import Stamp
from spektron_edge.config.file import Config
from spektron_edge.faults import Fault, Faults
from spektron_edge.inbox import Consumed, Measured
from spektron_edge.outbox import Gap, Outgoing, Progress
from spektron_edge.prediction.pipeline import Outcome
from spektron_edge.prediction.serving import Serving
from spektron_edge.publishing.active_faults import SCAN

from .exposure_ends import ExposureEnds
from .opening import Opened


class Scans:
    """Makes records of scans that were evaluated, and hands them to the outbox.

    ends: when exposures ended, by the instrument.
    """

    def __init__(
        self,
        config: Callable[[], Config],
        opened: Opened,
        serving: Serving,
        counters: Counter[str],
    ) -> None:
        """config: what the daemon goes by now; counters: those of scans are added."""
        self._config, self._serving, self._reporter = config, serving, opened.reporter
        self._delivery, self._notices = opened.delivery, opened.notices
        self._numbering, self._counters = opened.numbering, counters
        self.ends = ExposureEnds(opened.notices)
        self._missing = 0

    def consumed(self, used: Consumed) -> None:
        """A number that becomes no prediction."""
        progress = Progress(used.serial, used.boot_id, used.number)
        if self._account(progress):
            self._delivery.store((), progress)

    def store(self, measured: Measured, outcome: Outcome, now: Stamp) -> Outgoing | None:
        """The prediction, on its way; None when the instrument sent the number twice."""
        scan, serving = measured.scan, self._serving
        progress = Progress(scan.serial, scan.boot_id, scan.number)
        if not self._account(progress):
            return None
        record = self._reporter.prediction(
            scan,
            measured.references,
            outcome,
            serving.model,
            now,
            serving.in_use,
            missing=self._missing,
            ended=self.ends.of(scan, now),
        )
        self._missing = 0
        self._delivery.store((record,), progress, scan.last_byte_at)
        return record

    def judge(self, outcome: Outcome) -> None:
        """Count a scan that was stored; what was wrong with it becomes a notice."""
        self._counters["valid" if outcome.valid else "invalid"] += 1
        if outcome.fault is not None:
            self._notices.begin(outcome.fault)
            if outcome.fault.kind is Faults.BUNDLE_INVALID:
                self._serving.give_way(self._config(), outcome.fault)
        else:
            self._notices.end(SCAN)

    def _account(self, progress: Progress) -> bool:
        """Take note of a scan number; a gap becomes an event, and counts for the next prediction.

        False when the instrument sent the number twice.
        """
        step = self._numbering.advance(progress)
        if step.repeated:
            self._counters["repeated_scans"] += 1
            told = f"{progress.serial} sent scan {progress.number}, which is not beyond the last"
            self._notices.begin(Fault(Faults.SCANS_REPEATED, told))
            return False
        self._notices.end((Faults.SCANS_REPEATED,))
        if step.jumped_from is not None:
            told = f"{progress.serial} went from scan {step.jumped_from} to {progress.number}"
            self._notices.begin(Fault(Faults.NUMBERS_JUMPED, f"{told}, which no count leads to"))
        if step.gap is not None:
            self._missing += step.gap[1] - step.gap[0] + 1
            gaps = [Gap(progress.serial, progress.boot_id, *step.gap)]
            self._notices.count_gaps(gaps)
            events = self._notices.gaps(gaps, "they never reached the outbox")
            self._delivery.store(events, None)
        return True
