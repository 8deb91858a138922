"""What the state record is made of: health, figures, the instrument and its clock."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from spektron_edge.adaptation.drift_known import drift_known
from spektron_edge.adaptation.jobs import AdaptationJobs
from spektron_edge.commands.asked import CommandOutcome
from spektron_edge.commands.carrying import Carrying
from spektron_edge.config.file import Config
from spektron_edge.door.asking import AtDoor
from spektron_edge.files.choices import ChoiceStore
from spektron_edge.inbox import CommandReceived, Inbox, Measured
from spektron_edge.instrument.line import InstrumentLine
from spektron_edge.instrument.settings import ages_of
from spektron_edge.mqtt.command_handler import CommandHandler
from spektron_edge.publishing.records import StateRecord
from spektron_edge.publishing.spectrum_feed import SpectrumFeed

from .arrivals import Arrivals
from .opening import Opened
from .scans import Scans


@dataclass(frozen=True)
class StateRecords:
    """Reads what the daemon's parts know of themselves, and changes nothing.

    config: what the daemon goes by now; counters: of scans and connections.
    """

    config: Callable[[], Config]
    opened: Opened
    inbox: Inbox
    line: InstrumentLine
    arrivals: Arrivals
    scans: Scans
    choices: ChoiceStore
    carrying: Carrying
    commands: CommandHandler
    adaptations: AdaptationJobs
    spectra: SpectrumFeed
    counters: Counter[str]
    started_s: float = field(default_factory=time.monotonic)

    def figures(self) -> dict[str, int]:
        """All counters by name. Raises OutboxError."""
        return {
            **self.counters,
            "missed_scans": self.opened.notices.missed_scans,
            **self.opened.state.outbox.counts(),
            **{f"published_{kind}s": n for kind, n in self.opened.delivery.published.items()},
            "dropped_scans": self.inbox.dropped[Measured],
            **self.adaptations.counts,
            **self.opened.adapters.counts,
            **self.spectra.counters,
            **self.opened.door.counters,
            "door_refused": self.opened.door.counters["door_refused"] + self.inbox.dropped[AtDoor],
            "commands_refused": self.commands.refused + self.inbox.dropped[CommandReceived],
            "refused_notices": self.opened.delivery.refused_notices,
            "waiting_for_disk": self.opened.delivery.waiting,
            **self.line.figures,
        }

    def figures_if_readable(self) -> dict[str, int]:
        """The same; none while the outbox cannot be read, which becomes a notice."""
        with self.opened.storage.guarded():
            return self.figures()
        return {}

    def health(self) -> CommandOutcome:
        """The answer to the command `health`."""
        figures = self.figures_if_readable()
        codes = self.opened.notices.codes
        return CommandOutcome(not codes, ", ".join(codes) or "no fault", dict(figures))

    def record(self) -> StateRecord:
        """How the daemon is now. Raises OutboxError."""
        config = self.config()
        return StateRecord(
            site=config.site,
            instrument=config.instrument,
            time=self.opened.reporter.times(),
            uptime_s=round(time.monotonic() - self.started_s, 1),
            faults=self.opened.notices.codes,
            device=self.arrivals.device,
            waiting_for=(
                *self.line.waiting_for(ages_of(config.acquisition)),
                *self.carrying.two_people.waiting,
            ),
            integration_us=self.line.integration_us,
            bad_pixels=self.line.bad_pixels,
            device_clock=self.scans.ends.clock_info,
            chosen=self.choices.in_words,
            drift=drift_known(self.adaptations.following),
            counters=self.figures(),
            p50_ms=self.opened.delivery.latencies.quantile(0.50),
            p99_ms=self.opened.delivery.latencies.quantile(0.99),
            audit_head=self.opened.state.audit.head,
        )
