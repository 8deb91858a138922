"""The daemon's main path: one inbox, one loop, and a promise that every scan is accounted for."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Set
from pathlib import Path

from spektron_edge import __version__, log
from spektron_edge.adaptation.evidence_actions import evidence_actions
from spektron_edge.adaptation.jobs import AdaptationJobs
from spektron_edge.adaptation_state.commands import AdaptationCommands
from spektron_edge.clock import Clock, ClockWatch, Stamp
from spektron_edge.clock_sync import SYNC_FILE, ClockSync, kernel_synchronised
from spektron_edge.config.file import Config
from spektron_edge.detector.device_clock import DeviceClock
from spektron_edge.detector.wavelength_check import Check
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.choices import ChoiceStore
from spektron_edge.files.ledger import Action
from spektron_edge.files.state_folder import open_state, storage_fault
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
from spektron_edge.instrument.axis_store import save_axis
from spektron_edge.instrument.commands import InstrumentCommands
from spektron_edge.instrument.line import InstrumentLine
from spektron_edge.instrument.numbering import Numbering
from spektron_edge.instrument.session import ages_of
from spektron_edge.instrument.wavelength_checks import WavelengthChecks
from spektron_edge.mqtt.client import MqttClient
from spektron_edge.mqtt.command_handler import CommandHandler, CommandOutcome, without_arguments
from spektron_edge.mqtt.counters import PlausibleCounters
from spektron_edge.mqtt.in_use import note_in_use
from spektron_edge.mqtt.retained import RETAINED_FILE, RetainedLedger
from spektron_edge.mqtt.topics import Topics
from spektron_edge.outbox import Progress
from spektron_edge.prediction.product import Loaded, load_product, remember, take_product
from spektron_edge.prediction.product_choice import ProductCommands
from spektron_edge.prediction.serving import Serving
from spektron_edge.publishing.active_faults import (
    BESIDE,
    BROKER,
    LINE,
    PREPARATION,
    REFERENCES,
    SCAN,
)
from spektron_edge.publishing.adapters import Adapters
from spektron_edge.publishing.delivery import Delivery
from spektron_edge.publishing.notices import Notices
from spektron_edge.publishing.outbox_storage import Storage, limits_of
from spektron_edge.publishing.records import (
    DeviceClockInfo,
    DeviceInfo,
    ModelState,
    StateRecord,
    Status,
    to_json,
)
from spektron_edge.publishing.reporter import Ended, Reporter
from spektron_edge.publishing.spectrum_feed import SpectrumFeed
from spektron_edge.spectra.acquisition import Ages
from spektron_edge.spectra.scan import Scan
from spektron_edge.transfer_session.jobs import TransferJobs

from .counter_resets import CounterResets
from .last_good import load_working
from .reload import Reload
from .spare_time import SpareTime

_TAKE = 32
_TURN_S = 0.2
_STATE_EVERY_S = 10.0
_UPKEEP_EVERY_S = 60.0
_DRAIN_S = 5.0
# A broker that is far away is not waited for with what may wait; nor are scans without a pause.
_ON_ITS_WAY_S = 0.02
_SPARE_AT_LEAST_EVERY_S = 0.5


class Daemon:
    """Acquires, predicts, stores and publishes until it is told to stop."""

    def __init__(
        self,
        config_path: Path,
        *,
        fail_fast: bool = False,
        clock: Clock | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        """Prepare everything that needs neither instrument nor broker.

        fail_fast: end with the first fault's exit status instead of waiting for it to pass;
        stop: what `stop` sets, where somebody may want the end before this is made.
        Raises Fault for what cannot pass by itself: configuration, bundle, state folder.
        """
        self._path = config_path
        found = load_working(config_path)
        config = found.config
        log.set_up(config.log.format, config.log.level)
        # A bundle in a slot is loaded later: its start is counted, by one daemon at a time.
        loaded = None if config.uses_slots else load_product(config)
        self._clock = clock or Clock()
        self._inbox = Inbox(config.acquisition.queue_scans)
        topics = Topics(config.site, config.instrument)
        retained = RetainedLedger(config.state_dir / RETAINED_FILE)
        self._adapters = Adapters(config, topics, self._inbox.put)
        self._client = MqttClient(
            config.mqtt,
            topics,
            self._inbox.put,
            retained,
            listeners=self._adapters.listeners,
        )
        self._state = open_state(
            config.state_dir,
            limits_of(config.outbox),
            self._clock,
        )
        loaded = self._take_first(config, loaded)
        sync = ClockSync(config.state_dir / SYNC_FILE)
        self._watch = ClockWatch(loaded.created_utc_s, awaited=sync.awaited)
        self._reporter = Reporter(config.site, config.instrument, self._clock, self._watch)
        self._delivery = Delivery(
            self._state.outbox,
            self._client,
            config.mqtt.in_flight,
            config.outbox.replay_per_s,
            lambda record, stored: self._adapters.published(record, stored=stored),
        )
        self._numbering = Numbering(self._state.outbox)
        self._choices = ChoiceStore(config.state_dir)
        self._line = InstrumentLine(config, self._clock, self._choices, self._from_line)
        self._ready = False
        self._missing = 0
        self._notices = Notices(self._reporter, self._delivery, self._on_fault)
        self._storage = Storage(
            self._state, self._delivery, self._numbering, self._notices, self._audit_action
        )
        self._serving = Serving(
            config, loaded, self._notices, self._audit_action, self._model_changed
        )
        tickets = itertools.count(1)
        self._reload = Reload(
            config_path, found, self._serving, self._notices, self._use, self._client, tickets
        )
        self._transfers = TransferJobs(
            config_path, lambda: self._config, self._serving, self._notices, self._audit_action
        )
        self._adaptations = AdaptationJobs(
            config_path, lambda: self._config, self._serving, self._notices, self._audit_action
        )
        self._spectra = SpectrumFeed(lambda: self._config, self._client)
        self._spare = SpareTime(lambda: (*self._transfers.children, *self._adaptations.children))
        self._scan_at = self._spare_at = float("-inf")
        self._idle = True
        self._instrument_commands = InstrumentCommands(
            self._line.orders, self._choices, self._serving, self._finish, tickets
        )
        self._wavelengths = WavelengthChecks(
            lambda: self._config, self._finish, tickets, self._wavelength_checked
        )
        self._device_clock = DeviceClock()
        self._commands = CommandHandler(
            self._client,
            topics.root,
            {
                "health": without_arguments(self._health),
                "reload": without_arguments(self._reload.reload),
                **self._instrument_commands.actions(),
                **self._wavelengths.actions(),
                **ProductCommands(
                    lambda: self._config, self._serving, self._choices, self._reload.settled
                ).actions(),
                **self._transfers.actions(),
                **evidence_actions(self._adaptations),
                **AdaptationCommands(lambda: self._config, self._serving).actions(),
            },
            PlausibleCounters(self._storage.accept_counter, self._trusted_now_s).accept,
            self._audit,
        )
        self._counter_resets = CounterResets(
            config.state_dir,
            self._state.outbox.put_counter,
            lambda: self._clock.now().utc_s,
            self._audit_action,
            self._notices,
        )
        self._counters: Counter[str] = Counter()
        self._device: DeviceInfo | None = None
        self._ghosts_told: set[str] = set()
        self._fail_fast = fail_fast
        self._exit_status = 0
        self._stop = stop or threading.Event()
        self._started = time.monotonic()
        self._state_due = self._upkeep_due = self._started

    @property
    def _config(self) -> Config:
        return self._reload.config

    def _take_first(self, config: Config, from_file: Loaded | None) -> Loaded:
        try:
            if from_file is None:
                return take_product(config)
            remember(config, from_file)
        except BaseException:
            self._state.close()
            raise
        return from_file

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
        self._adapters.model(self._model_state())
        self._adapters.start()
        note_in_use(self._config.state_dir, self._path, self._config.mqtt)
        self._client.start()
        self._line.start()
        while not self._stop.is_set():
            self._turn(_TURN_S)
        self._wind_down()
        return self._exit_status

    def _turn(self, timeout_s: float) -> int:
        """Handle what has arrived within `timeout_s`; returns how many items that were."""
        items = self._inbox.take(timeout_s if self._idle else min(timeout_s, _ON_ITS_WAY_S), _TAKE)
        for item in items:
            with self._storage.guarded():
                if not isinstance(item, Acknowledged):
                    self._spare.finish()
                self._handle(item)
        self._storage.deliver()
        self._idle = self._has_spare_time(time.monotonic())
        if self._idle:
            with self._storage.guarded():
                self._spare.begin()
            with self._storage.guarded():
                self._look_after()
        return len(items)

    def _from_line(self, item: Item) -> None:
        """On the instrument's thread: children stop before anything is done with a scan."""
        if isinstance(item, Measured):
            self._spare.over()
        self._inbox.put(item)

    def _has_spare_time(self, now: float) -> bool:
        """Whether no scan waits for its PUBACK; true now and then in any case."""
        if now - self._spare_at < _SPARE_AT_LEAST_EVERY_S:
            if self._inbox.has(Measured):
                return False
            waits = self._client.connected and self._delivery.under_way
            if waits and now - self._scan_at < _ON_ITS_WAY_S:
                return False
        self._spare_at = now
        return True

    def _wind_down(self) -> None:
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
        self._instrument_commands.end()
        self._wavelengths.end()
        if (ended := self._reload.end()) is not None:
            self._commands.finish(*ended)
        self._transfers.end()
        self._adaptations.end()
        if not self._exit_status:
            self._serving.end_in_order()
        self._audit("daemon_stopped", exit_status=self._exit_status)
        if self._client.connected:
            with self._storage.guarded():
                self._publish_state()
            self._publish_status(Status(status="offline"))
            self._turn(_TURN_S)
        self._adapters.stop()
        self._client.stop()
        figures: dict[str, int] = {}
        with self._storage.guarded():
            figures = self._figures()
        log.info("stopped", exit_status=self._exit_status, **figures)
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
            case Consumed(serial, boot_id, number):
                progress = Progress(serial, boot_id, number)
                if self._account(progress):
                    self._delivery.store((), progress)
            case OrderDone():
                self._instrument_commands.done(item)
            case InstrumentReady():
                self._instrument_ready(item)
            case Streaming():
                self._streaming(item)
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
                self._command(item)

    def _scan(self, measured: Measured) -> None:
        # Spare time may have begun while this one waited.
        self._spare.over()
        scan, references, now = measured.scan, measured.references, self._clock.now()
        serving = self._serving
        outcome = serving.evaluate(measured, self._ages, now)
        self._transfers.measured(scan, outcome, now)
        self._spare.later(lambda: self._adaptations.measured(scan, outcome, now))
        progress = Progress(scan.serial, scan.boot_id, scan.number)
        if not self._account(progress):
            return
        record = self._reporter.prediction(
            scan,
            references,
            outcome,
            serving.model,
            now,
            serving.in_use,
            missing=self._missing,
            ended=self._ended(scan, now),
        )
        self._missing = 0
        self._delivery.store((record,), progress, scan.last_byte_at)
        self._scan_at = time.monotonic()
        self._adapters.predicted(record)
        self._spectra.offer(record.id, scan, outcome.absorbance, outcome.variance)
        self._wavelengths.measured(scan, outcome)
        if measured.ticket is not None:
            self._instrument_commands.scanned(measured.ticket, scan, outcome, record.id)
        self._counters["valid" if outcome.valid else "invalid"] += 1
        if outcome.fault is not None:
            self._notices.begin(outcome.fault)
            if outcome.fault.kind is Faults.BUNDLE_INVALID:
                self._serving.give_way(self._config, outcome.fault)
        else:
            self._notices.end(SCAN)

    @property
    def _ages(self) -> Ages:
        return ages_of(self._config.acquisition)

    def _ended(self, scan: Scan, now: Stamp) -> Ended | None:
        """When the exposure ended, by the instrument; None where it has no clock."""
        told = self._device_clock.hear(
            scan.device_us, scan.last_byte_at, (scan.serial, scan.boot_id)
        )
        if told is not None:
            self._notices.say("device_clock_jumped", told, "warning")
        reading = self._device_clock.reading
        if reading is None:
            return None
        ago_s = time.monotonic() - reading.at_s
        at = Stamp(now.utc_s - ago_s, now.running_s - ago_s, now.boot)
        return Ended(at, reading.uncertainty_s)

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
        if step.gap is not None:
            self._missing += step.gap[1] - step.gap[0] + 1
            self._notices.count_gap([step.gap])
            gap = self._notices.gap([step.gap], "they never reached the outbox")
            self._delivery.store((gap,), None)
        return True

    def _instrument_ready(self, ready: InstrumentReady) -> None:
        self._ready = True
        self._notices.end(LINE)
        self._adapters.instrument(present=True)
        last = self._numbering.last(ready.serial)
        if last is not None and last.boot_id != ready.boot_id:
            self._notices.say("instrument_restarted", f"{ready.serial} was switched off", "warning")
        self._device = DeviceInfo(
            serial=ready.serial,
            firmware=ready.firmware,
            protocol=ready.protocol,
            capabilities=ready.capabilities,
            pixels=ready.axis_nm.size,
            boot_id=ready.boot_id,
        )
        said = {"serial": ready.serial, "firmware": ready.firmware}
        said["capabilities"] = ", ".join(ready.capabilities)
        self._audit("instrument_connected", "daemon", **said, protocol=ready.protocol)
        log.info("instrument_connected", **said, protocol=ready.protocol)
        self._state_due = time.monotonic()
        try:
            save_axis(self._config.state_dir, ready.serial, ready.axis_nm)
        except OSError as error:
            # Only spectra from files are checked against it.
            log.warn("axis_not_saved", detail=error, next="make room in `state_dir`")
        self._serving.instrument(ready.serial, ready.axis_nm)
        self._spectra.instrument(ready.serial, ready.axis_nm)

    def _streaming(self, streaming: Streaming) -> None:
        self._line.streaming(streaming)
        if self._ready:
            self._reload.works("instrument")
        # Who has to take references by hand waits for no timer to be told so.
        self._state_due = time.monotonic()
        self._notices.end(PREPARATION)
        if streaming.measured and (new := streaming.references) is not None:
            self._notices.end(REFERENCES)
            self._audit("references_measured", serial=new.serial, integration_us=new.integration_us)
            self._notices.say("references_measured", "dark and white reference were measured")

    def _connected(self) -> None:
        self._counters["connections"] += 1
        if self._client.accepted_as_set:
            self._reload.works("broker")
        self._spectra.connected()
        self._notices.end(BROKER)
        log.info("broker_connected", url=self._config.mqtt.url)
        self._publish_status(Status(status="online"))
        self._publish_model()
        self._publish_state()
        self._adapters.connected(self._client)
        self._client.clear_ghosts()
        self._tell_of_ghosts_elsewhere()

    def _tell_of_ghosts_elsewhere(self) -> None:
        """The same broker by another name looks like another one, where nothing may be removed."""
        elsewhere = self._client.retained_elsewhere() - self._ghosts_told
        self._ghosts_told |= elsewhere
        if elsewhere:
            told = (
                f"topics of this instrument may still be retained at {', '.join(sorted(elsewhere))}"
            )
            clear = "stop the daemon and `spektron-edge mqtt-clear --everywhere` removes them"
            self._notices.say("retained_elsewhere", f"{told}: {clear}", "warning")

    # ---- commands

    def _command(self, command: CommandReceived) -> None:
        self._commands.serve(command, self._config.commands)

    def _finish(self, ticket: int, outcome: CommandOutcome) -> None:
        self._commands.finish(ticket, outcome)

    def _wavelength_checked(self, check: Check, who: str) -> None:
        self._audit(
            "wavelength_checked",
            who,
            standard=check.standard,
            passed=check.passed,
            mean_nm=f"{check.mean_nm:+.3f}",
            rms_nm=f"{check.rms_nm:.3f}",
            limit_nm=f"{check.limit_nm:g}",
        )
        if check.passed:
            self._notices.end((Faults.WAVELENGTH_ASTRAY,))
            self._notices.say("wavelength_checked", check.told)
            return
        self._notices.begin(Fault(Faults.WAVELENGTH_ASTRAY, check.told))
        # It speaks for a change of the instrument, as a service does.
        self._adaptations.known.store.service(
            f"wavelength check failed: {check.standard}, mean {check.mean_nm:+.2f} nm",
            who,
            self._clock.now(),
        )

    def _health(self) -> CommandOutcome:
        figures: dict[str, int] = {}
        with self._storage.guarded():
            figures = self._figures()
        codes = self._notices.codes
        return CommandOutcome(not codes, ", ".join(codes) or "no fault", dict(figures))

    def _use(self, config: Config, changed: Set[str]) -> None:
        """Other broker or line. Raises Fault, and nothing was changed."""
        if "mqtt" in changed:
            elsewhere = config.mqtt != self._config.mqtt
            if elsewhere and self._client.connected:
                self._publish_status(Status(status="offline"))
            self._client.use(config.mqtt)
            note_in_use(config.state_dir, self._path, config.mqtt)
            self._adapters.use(config.mqtt)
        if changed & {"serial", "acquisition"}:
            # What the line before has said meanwhile does not speak for the new one.
            self._ready = False
            self._line.change(config)

    def _model_changed(self, loaded: Loaded) -> None:
        self._watch.floor_utc_s = max(self._watch.floor_utc_s, loaded.created_utc_s)
        self._adapters.model(self._model_state())
        if self._client.connected:
            self._publish_model()

    # ---- faults, audit

    def _on_fault(self, fault: Fault) -> None:
        if self._fail_fast and not self._stop.is_set():
            self._exit_status = fault.exit_status
            self._stop.set()

    def _audit(self, what: str, who: str = "daemon", **details: str | int | bool | None) -> bool:
        """Add a line to the audit log; false when the disk does not take it."""
        try:
            self._state.audit.append(self._clock.now(), who, what, dict(details))
        except OSError as error:
            self._notices.begin(storage_fault(error, self._state.folder))
            return False
        return True

    def _audit_action(self, action: Action) -> bool:
        return self._audit(action.what, action.who, **action.details)

    # ---- upkeep

    def _look_after(self) -> None:
        now = time.monotonic()
        self._spectra.send()
        self._check_clock()
        self._serving.look_after_trial(now)
        self._serving.look_after_adaptations()
        self._instrument_commands.look_after(now, self._notices.codes)
        self._wavelengths.look_after(now)
        if (ended := self._reload.look_after(now)) is not None:
            self._commands.finish(*ended)
        self._counter_resets.look_after(now)
        self._transfers.look_after()
        self._adaptations.look_after()
        if now >= self._state_due:
            self._state_due = now + _STATE_EVERY_S
            self._publish_state()
        self._adapters.look_after(self._client)
        if now >= self._upkeep_due:
            self._upkeep_due = now + _UPKEEP_EVERY_S
            self._serving.tell_of_changes()
            if (expiring := self._client.expiry_fault()) is not None:
                self._notices.begin(expiring)
            else:
                self._notices.end((Faults.CERTIFICATE_EXPIRING,))
        self._storage.look_after(now)

    def _check_clock(self) -> None:
        now = self._clock.now()
        if (jump := self._watch.jump_s(now)) is not None:
            self._audit("clock_jumped", by_s=round(jump))
            self._notices.once(Fault(Faults.CLOCK_JUMPED, f"the clock was set by {jump:+.1f} s"))
        if (why := self._watch.why_suspect(now)) is not None:
            self._notices.begin(Fault(Faults.CLOCK_SUSPECT, why))
        else:
            self._notices.end((Faults.CLOCK_SUSPECT,))

    def _trusted_now_s(self) -> float | None:
        """UTC in seconds since 1970, where the kernel keeps the clock in step with others."""
        now = self._clock.now()
        return now.utc_s if kernel_synchronised() and not self._watch.suspect(now) else None

    def _figures(self) -> dict[str, int]:
        return {
            **self._counters,
            "missed_scans": self._notices.missed_scans,
            **self._state.outbox.counts(),
            **{f"published_{kind}s": n for kind, n in self._delivery.published.items()},
            "dropped_scans": self._inbox.dropped[Measured],
            **self._adaptations.counts,
            **self._adapters.counts,
            **self._spectra.counters,
            "commands_refused": self._commands.refused + self._inbox.dropped[CommandReceived],
            "refused_notices": self._delivery.refused_notices,
            "waiting_for_disk": self._delivery.waiting,
            **self._line.figures,
        }

    def _publish_state(self) -> None:
        state = StateRecord(
            site=self._config.site,
            instrument=self._config.instrument,
            time=self._reporter.times(),
            uptime_s=round(time.monotonic() - self._started, 1),
            faults=self._notices.codes,
            device=self._device,
            waiting_for=(
                *self._line.waiting_for(self._ages),
                *self._commands.two_people.waiting,
            ),
            integration_us=self._line.integration_us,
            bad_pixels=self._line.bad_pixels,
            device_clock=None
            if (reading := self._device_clock.reading) is None
            else DeviceClockInfo(
                drift_ppm=None if reading.drift_ppm is None else round(reading.drift_ppm, 3),
                uncertainty_s=round(reading.uncertainty_s, 6),
            ),
            chosen=self._choices.in_words,
            counters=self._figures(),
            p50_ms=self._delivery.latencies.quantile(0.50),
            p99_ms=self._delivery.latencies.quantile(0.99),
            audit_head=self._state.audit.head,
        )
        self._adapters.state(state)
        if self._client.connected:
            self._client.publish("state", to_json(state), retain=True)

    def _model_state(self) -> ModelState:
        return self._reporter.model_state(self._serving.model, self._serving.in_use)

    def _publish_model(self) -> None:
        self._client.publish("model", to_json(self._model_state()), retain=True)

    def _publish_status(self, status: Status) -> None:
        self._client.publish("status", to_json(status), retain=True)
