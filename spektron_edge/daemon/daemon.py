"""The daemon's main path: one inbox, one loop, and a promise that every scan is accounted for."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Set
from pathlib import Path

from spektron_edge import __version__, log
from spektron_edge.adaptation.jobs import AdaptationJobs
from spektron_edge.clock import Clock
from spektron_edge.config.file import Config
from spektron_edge.door.asking import AtDoor
from spektron_edge.door.telling import SpectrumTold
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.choices import ChoiceStore
from spektron_edge.inbox import (
    Acknowledged,
    CommandReceived,
    Connected,
    Consumed,
    FaultRaised,
    FaultsOver,
    Inbox,
    InstrumentReady,
    Item,
    Measured,
    OrderDone,
    Streaming,
    Told,
)
from spektron_edge.instrument.line import InstrumentLine
from spektron_edge.instrument.settings import ages_of
from spektron_edge.mqtt.in_use import note_in_use
from spektron_edge.prediction.product import Loaded
from spektron_edge.prediction.serving import Serving
from spektron_edge.publishing.active_faults import BESIDE, BROKER, LINE
from spektron_edge.publishing.spectrum_feed import SpectrumFeed
from spektron_edge.retention.upkeep import Upkeep
from spektron_edge.service.service import Service
from spektron_edge.spectra.acquisition import Ages
from spektron_edge.transfer_session.jobs import TransferJobs

from .announcements import Announcements
from .arrivals import Arrivals
from .clock_check import ClockCheck
from .command_desk import CommandDesk
from .last_good import load_working
from .liveness import Liveness
from .opening import open_up
from .qualification import marked, qualification_watch
from .reload import Reload
from .scans import Scans
from .spare_time import ON_ITS_WAY_S, Lull, SpareTime
from .state_records import StateRecords
from .trust_watch import TrustWatch

_TAKE = 32
_TURN_S = 0.2
_STATE_EVERY_S = 10.0
_STATE_AT_DOOR_EVERY_S = 2.0
_UPKEEP_EVERY_S = 60.0
_DRAIN_S = 5.0


class Daemon:
    """Acquires, predicts, stores and publishes until it is told to stop."""

    def __init__(
        self,
        config_path: Path,
        *,
        fail_fast: bool = False,
        clock: Clock | None = None,
        stop: threading.Event | None = None,
        service: Service | None = None,
    ) -> None:
        """Prepare everything that needs neither instrument nor broker.

        fail_fast: end with the first fault's exit status instead of waiting for it to pass;
        stop: what `stop` sets, where somebody may want the end before this is made; service: to
        tell the service manager by, if there is one.
        Raises Fault for what cannot pass by itself: configuration, bundle, state folder.
        """
        self._path, self._service = config_path, service or Service()
        found = load_working(config_path)
        config = found.config
        log.set_up(config.log.format, config.log.level, instrument=config.instrument)
        self._fail_fast, self._exit_status = fail_fast, 0
        self._stop = stop or threading.Event()
        self._clock = clock or Clock()
        self._inbox = Inbox(config.acquisition.queue_scans)
        opened = open_up(config, self._clock, self._inbox.put, self._on_fault, self._service)
        self._adapters, self._client, self._watch = opened.adapters, opened.client, opened.watch
        self._state, self._storage, self._delivery = opened.state, opened.storage, opened.delivery
        self._notices, self._audit, self._door = opened.notices, opened.audit, opened.door
        choices = ChoiceStore(config.state_dir)
        self._line = InstrumentLine(
            config, self._clock, choices, self._from_line, self._service.beats
        )
        self._serving = serving = Serving(
            config, opened.loaded, self._notices, self._audit.action, self._model_changed
        )
        self._trust = TrustWatch(serving, self._notices, self._audit.action, time.monotonic())
        tickets = itertools.count(1)
        self._reload = Reload(
            config_path,
            found,
            serving,
            self._trust,
            self._notices,
            self._use,
            self._client,
            tickets,
        )
        jobs = config_path, lambda: self._config, serving, self._notices, self._audit.action
        self._transfers, self._adaptations = TransferJobs(*jobs), AdaptationJobs(*jobs)
        self._spectra = SpectrumFeed(lambda: self._config, self._client)
        self._spare = SpareTime(lambda: (*self._transfers.children, *self._adaptations.children))
        self._lull, self._idle = Lull(self._inbox, self._client, self._delivery), True
        self._clock_check = ClockCheck(self._clock, opened)
        self._commands = CommandDesk(
            lambda: self._config,
            lambda: self._states.health(),
            self._clock_check.trusted_now_s,
            opened,
            self._clock,
            serving,
            self._reload,
            self._line.orders,
            choices,
            self._transfers,
            self._adaptations,
            tickets,
        )
        self._counters: Counter[str] = Counter()
        self._scans = Scans(lambda: self._config, opened, serving, self._counters)
        self._arrivals, self._ready = Arrivals(opened, serving, self._spectra), False
        self._states = StateRecords(
            lambda: self._config,
            opened,
            self._inbox,
            self._line,
            self._arrivals,
            self._scans,
            choices,
            self._commands.carrying,
            self._commands.handler,
            self._adaptations,
            self._spectra,
            self._counters,
        )
        self._liveness = Liveness(self._service, opened, self._arrivals)
        self._upkeep = Upkeep(
            lambda: self._config.retention, self._state, self._clock, self._notices
        )
        self._announcements = Announcements(opened, serving, self._states)
        self._qualification = qualification_watch(
            lambda: self._config, serving, self._clock, opened
        )
        self._state_due = self._upkeep_due = self._door_due = time.monotonic()

    @property
    def _config(self) -> Config:
        return self._reload.config

    # ---- life

    def stop(self) -> None:
        """Ask the loop to end; safe in a signal handler."""
        self._stop.set()

    def run(self) -> int:
        """Run until `stop`; returns the exit status."""
        bundle, signed_by = self._serving.model.bundle_id, self._serving.signed_by
        self._audit("daemon_started", version=__version__, bundle=bundle, signed_by=signed_by)
        self._serving.tell_of_changes()
        self._serving.tell_of_backend()
        self._serving.tell_of_choice()
        self._reload.tell()
        log.info("started", version=__version__, bundle=bundle, instrument=self._config.instrument)
        for fault in self._state.damage:
            self._notices.once(fault)
        self._announcements.model()
        self._adapters.start()
        with self._notices.noticed():
            self._door.open()
        note_in_use(self._config.state_dir, self._path, self._config.mqtt)
        self._client.start()
        self._line.start()
        self._service.ready()
        while not self._stop.is_set():
            self._turn(_TURN_S)
        self._wind_down()
        return self._exit_status

    def _turn(self, timeout_s: float) -> int:
        """Handle what has arrived within `timeout_s`; returns how many items that were."""
        items = self._inbox.take(timeout_s if self._idle else min(timeout_s, ON_ITS_WAY_S), _TAKE)
        for item in items:
            with self._storage.guarded():
                if not isinstance(item, Acknowledged):
                    self._spare.finish()
                self._handle(item)
            # A scan on a slow board takes its time, and many may wait.
            self._service.turn()
        self._storage.deliver()
        self._idle = self._lull.here(time.monotonic())
        if self._idle:
            with self._storage.guarded():
                self._spare.begin()
            with self._storage.guarded():
                self._look_after()
            self._door.wake()
        self._service.turn()
        return len(items)

    def _from_line(self, item: Item) -> None:
        """On the instrument's thread: children stop before anything is done with a scan."""
        if isinstance(item, Measured):
            self._spare.over()
        self._inbox.put(item)

    def _on_fault(self, fault: Fault) -> None:
        if self._fail_fast and not self._stop.is_set():
            self._exit_status = fault.exit_status
            self._stop.set()

    def _wind_down(self) -> None:
        self._service.stopping()
        self._line.stop(_DRAIN_S)
        deadline = time.monotonic() + _DRAIN_S
        # Scans left in the inbox are few; commands may go on arriving for ever.
        while self._turn(0.0) and time.monotonic() < deadline:
            pass
        while self._client.connected and self._delivery.under_way and time.monotonic() < deadline:
            self._turn(0.02)
        self._storage.finish()
        with self._storage.guarded():
            self._spare.finish()
        self._commands.end()
        self._transfers.end()
        self._adaptations.end()
        if not self._exit_status:
            self._serving.end_in_order()
        self._audit("daemon_stopped", exit_status=self._exit_status)
        if self._client.connected:
            with self._storage.guarded():
                self._announcements.state()
            self._announcements.offline()
            self._turn(_TURN_S)
        self._adapters.stop()
        self._client.stop()
        self._door.close()
        log.info("stopped", exit_status=self._exit_status, **self._states.figures_if_readable())
        self._state.close()

    # ---- what the other threads say

    def _handle(self, item: Item) -> None:
        match item:
            case Measured():
                self._scan(item)
            case Acknowledged(mid, _, error) if self._spectra.acknowledged(mid, error):
                pass
            case Acknowledged(mid, at, error):
                self._adapters.acknowledged(mid, error)
                refusal = self._delivery.acknowledge(mid, at, error)
                if refusal is not None:
                    self._notices.begin(refusal)
            case Consumed():
                self._scans.consumed(item)
            case OrderDone():
                self._commands.instrument.done(item)
            case InstrumentReady():
                self._ready = True
                self._state_due = time.monotonic()
                self._arrivals.ready(item)
            case Streaming():
                self._line.streaming(item)
                if self._ready:
                    self._reload.works("instrument")
                # Who has to take references by hand waits for no timer to be told so.
                self._state_due = time.monotonic()
                self._arrivals.streaming(item)
            case Told(code, message):
                self._notices.say(code, message)
                self._audit(code, detail=message)
            case FaultRaised(fault):
                if fault.kind not in BESIDE:
                    of_broker = fault.kind in (*BROKER, Faults.SESSION_TAKEN)
                    self._reload.fails("broker" if of_broker else "instrument")
                if fault.kind in LINE:
                    self._adapters.instrument(present=False)
                self._notices.begin(fault)
            case FaultsOver(kinds):
                self._notices.end(kinds)
            case Connected():
                self._connected()
            case CommandReceived():
                self._commands.serve(item)
            case AtDoor():
                self._commands.door.received(item)

    def _scan(self, measured: Measured) -> None:
        # Spare time may have begun while this one waited.
        self._spare.over()
        scan, now = measured.scan, self._clock.now()
        outcome = self._serving.evaluate(measured, self._ages, now)
        self._transfers.measured(scan, outcome, now)
        self._spare.later(lambda: self._adaptations.measured(scan, outcome, now))
        # What transfers and adaptations learn from is the spectrum, whoever has qualified it.
        outcome = marked(outcome, self._qualification, self._config.qualification)
        record = self._scans.store(measured, outcome, now)
        if record is None:
            return
        self._lull.scanned()
        self._adapters.predicted(record)
        self._spectra.offer(record.id, scan, outcome.absorbance, outcome.variance)
        seen = outcome.absorbance, outcome.variance
        self._door.spectrum(SpectrumTold(record.id, now.iso, scan, measured.references, *seen))
        self._commands.scanned(measured, outcome, record.id)
        self._scans.judge(outcome)

    @property
    def _ages(self) -> Ages:
        return ages_of(self._config.acquisition)

    def _connected(self) -> None:
        self._counters["connections"] += 1
        if self._client.accepted_as_set:
            self._reload.works("broker")
        self._spectra.connected()
        self._notices.end(BROKER)
        log.info("broker_connected", url=self._config.mqtt.url)
        self._announcements.connected()

    # ---- what the parts ask for

    def _use(self, config: Config, changed: Set[str]) -> None:
        """Other broker or line. Raises Fault, and nothing was changed."""
        if "mqtt" in changed:
            elsewhere = config.mqtt != self._config.mqtt
            if elsewhere and self._client.connected:
                self._announcements.offline()
            self._client.use(config.mqtt)
            note_in_use(config.state_dir, self._path, config.mqtt)
            self._adapters.use(config.mqtt)
        if changed & {"serial", "acquisition"}:
            # What the line before has said meanwhile does not speak for the new one.
            self._ready = False
            self._line.change(config)

    def _model_changed(self, loaded: Loaded) -> None:
        self._watch.floor_utc_s = max(self._watch.floor_utc_s, loaded.created_utc_s)
        self._announcements.model()

    # ---- upkeep

    def _look_after(self) -> None:
        now = time.monotonic()
        self._spectra.send()
        self._clock_check.look_after()
        self._trust.look_after(self._config, now)
        self._serving.look_after_trial(now)
        self._serving.look_after_adaptations()
        self._commands.look_after(now)
        self._transfers.look_after()
        self._adaptations.look_after()
        self._liveness.look_after(now)
        self._qualification.look_after(now)
        if now >= self._state_due:
            self._state_due = now + _STATE_EVERY_S
            self._door_due = now + _STATE_AT_DOOR_EVERY_S
            self._announcements.state()
        elif now >= self._door_due and self._door.somebody:
            self._door_due = now + _STATE_AT_DOOR_EVERY_S
            self._door.state(self._states.record())
        self._adapters.look_after(self._client)
        if now >= self._upkeep_due:
            self._upkeep_due = now + _UPKEEP_EVERY_S
            self._serving.tell_of_changes()
            if (expiring := self._client.expiry_fault()) is not None:
                self._notices.begin(expiring)
            else:
                self._notices.end((Faults.CERTIFICATE_EXPIRING,))
        self._storage.look_after(now)
        self._upkeep.look_after(now)
