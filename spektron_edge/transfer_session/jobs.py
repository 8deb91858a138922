"""Transfers in a running daemon: its commands, and the child that fits while scans go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from spektron_edge.clock import Clock, Stamp
from spektron_edge.commands.arguments import Nothing
from spektron_edge.commands.asked import Asked, CommandOutcome, Result
from spektron_edge.config.file import Config
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.ledger import Action
from spektron_edge.files.seen import check_seen
from spektron_edge.prediction.pipeline import Outcome
from spektron_edge.prediction.serving import Serving
from spektron_edge.publishing.notices import Notices
from spektron_edge.spectra.recent import Recent, RecentSpectrum
from spektron_edge.spectra.scan import Scan
from spektron_edge.transfer_state import StateStore, Version

from .conclusion import Finished
from .fit_result import identity_of
from .fitting import Fitting
from .labels import read_labels
from .requests import Activate, Add, Finish, GoBack, Start, taken
from .session import Session, Status
from .source import Source
from .spectra_file import Scans


class TransferJobs:
    """Commands raise Fault, which answers them; trouble with a fit becomes an event."""

    def __init__(
        self,
        config_path: Path,
        config: Callable[[], Config],
        serving: Serving,
        notices: Notices,
        audit: Callable[[Action], bool],
    ) -> None:
        """config: what the daemon goes by now; audit: writes a line of the audit log."""
        self._config_path, self._config = config_path, config
        self._serving, self._notices, self._audit = serving, notices, audit
        self._clock = Clock()
        self._source: Source | None = None
        self._fitting: Fitting | None = None
        self._who = ""
        self.recent = Recent()

    def actions(self) -> dict[str, Callable[[Asked], CommandOutcome]]:
        """Command -> what carries it out."""
        return {
            "transfer-start": self._start,
            "transfer-add": self._add,
            "transfer-status": self._status,
            "transfer-finish": self._finish,
            "transfer-discard": self._discard,
            "transfer-list": self._list,
            "transfer-activate": self._activate,
            "transfer-rollback": self._roll_back,
        }

    def measured(self, scan: Scan, outcome: Outcome, now: Stamp) -> None:
        """A scan was evaluated; a sound spectrum may serve a sample."""
        if outcome.absorbance is not None:
            self.recent.put(
                RecentSpectrum(
                    scan.serial, scan.boot_id, scan.number, scan.axis_nm, outcome.absorbance, now
                )
            )

    def look_after(self) -> None:
        """See whether a fit has ended; never waits for it."""
        fitting = self._fitting
        if fitting is None or fitting.running:
            return
        self._fitting = None
        with fitting:
            try:
                done = self._session(self._who).conclude_finish(fitting)
            except Fault as fault:
                self._failed(Fault(Faults.TRANSFER_FAILED, fault.detail))
                return
        if done.in_use:
            self._serving.take_changes()
        elif not done.result.valid:
            self._failed(Fault(Faults.TRANSFER_INVALID, _told(done)))
            return
        self._notices.say("transfer_finished", _told(done))

    @property
    def children(self) -> tuple[Fitting, ...]:
        """Those that run; from any thread."""
        fitting = self._fitting
        return () if fitting is None else (fitting,)

    def end(self) -> None:
        """The daemon ends: no child goes on without it. The session stays open."""
        if self._fitting is not None:
            self._fitting.end()
            self._fitting = None

    def _failed(self, fault: Fault) -> None:
        self._audit(Action(what=fault.code, who=self._who, details={"why": fault.detail}))
        self._notices.once(fault)

    def _session(self, who: str) -> Session:
        """With the source that was read before, as long as bundle and product are the same."""
        model = self._serving.model
        of = model.bundle_id, model.product.name
        if self._source is not None and (self._source.bundle, self._source.product) != of:
            self._source = None
        return Session(
            self._config_path, who, config=self._config(), clock=self._clock, source=self._source
        )

    def _keep_source(self, session: Session) -> Session:
        self._source = session.source()
        if self._source.bundle != self._serving.model.bundle_id:
            bundle, self._source = self._source.bundle, None
            detail = f"{bundle} is configured, and {self._serving.model.bundle_id} in use: reload"
            raise Fault(Faults.TRANSFER_FAILED, detail)
        return session

    def _start(self, asked: Asked) -> CommandOutcome:
        given = taken(asked, Start)
        serial = self._serial()
        session = self._keep_source(self._session(asked.operator))
        return self._told_of(session.start(serial, given.held))

    def _add(self, asked: Asked) -> CommandOutcome:
        given = taken(asked, Add)
        session = self._keep_source(self._session(asked.operator))
        work = session.store.read().work
        if work.serial != self._serving.serial:
            detail = f"the open transfer is for {work.serial}, and {self._serving.serial} measures"
            raise Fault(Faults.TRANSFER_INPUT, detail)
        served = {(scan.boot_id, scan.number) for added in work.added for scan in added.taken}
        found = self.recent.take(work.serial, given.scans, self._clock.now(), served)
        scans = Scans(
            np.stack([spectrum.absorbance for spectrum in found]),
            found[-1].axis_nm,
            tuple((spectrum.boot_id, spectrum.number) for spectrum in found),
        )
        added = session.add(
            str(given.sample), scans, new=given.new, labels=read_labels(given.references)
        )
        self._serving.tell_of_changes()
        following = session.next_sample()
        message = f"sample {added.sample} is {added.verdict}"
        message += f": {'; '.join(added.reasons)}" if added.reasons else ""
        message += "" if following is None else f"; measure sample {following} next"
        result: Result = {
            "sample": added.sample,
            "verdict": added.verdict,
            "reasons": added.reasons,
            "scans": tuple(str(spectrum.number) for spectrum in found),
            "next_sample": following,
        }
        return CommandOutcome(True, message, result)

    def _status(self, asked: Asked) -> CommandOutcome:
        taken(asked, Nothing)
        session = self._keep_source(self._session(asked.operator))
        outcome = self._told_of(session.status())
        more: Result = {
            "fitting": self._fitting is not None,
            "work": identity_of(session.store.read().work),
        }
        return CommandOutcome(outcome.ok, outcome.message, {**outcome.result, **more})

    def _finish(self, asked: Asked) -> CommandOutcome:
        given = taken(asked, Finish)
        if self._fitting is not None:
            raise Fault(Faults.TRANSFER_BUSY, "a transfer is being fitted already")
        session = self._keep_source(self._session(asked.operator))
        if given.seen is not None:
            check_seen(given.seen, identity_of(session.store.read().work), "the open transfer")
        if not given.dry_run and (done := session.conclude_interrupted()) is not None:
            self._serving.tell_of_changes()
            self._serving.take_changes()
            self._notices.say("transfer_finished", _told(done))
            return CommandOutcome(True, done.message)
        self._fitting = session.begin_finish(dry_run=given.dry_run)
        self._who = asked.operator
        return CommandOutcome(
            True, "started; the event `transfer_finished` or `transfer_failed` says how it ended"
        )

    def _discard(self, asked: Asked) -> CommandOutcome:
        taken(asked, Nothing)
        if self._fitting is not None:
            raise Fault(Faults.TRANSFER_BUSY, "a transfer is being fitted")
        done = self._session(asked.operator).discard()
        self._serving.tell_of_changes()
        return CommandOutcome(True, done)

    def _list(self, asked: Asked) -> CommandOutcome:
        taken(asked, Nothing)
        versions = StateStore(self._config().state_dir).read()
        serial = self._serving.serial or ""
        now = versions.active(serial)
        told = tuple(
            f"{v.number}: {v.header.product} on {v.header.serial}, made "
            f"{v.header.created:%Y-%m-%d %H:%M} UTC by {v.header.by}, valid for "
            + (", ".join(p.name for p in v.header.properties if p.valid) or "no property")
            for v in versions.held
        )
        message, number = _in_use(now)
        return CommandOutcome(True, message, {"in_use": number, "transfers": told})

    def _activate(self, asked: Asked) -> CommandOutcome:
        given = taken(asked, Activate)
        store, model, serial = (
            StateStore(self._config().state_dir),
            self._serving.model,
            self._serial(),
        )
        version = store.read().version(given.transfer)
        if version.header.serial != serial:
            detail = f"transfer {version.number} is for {version.header.serial}, not {serial}"
            raise Fault(Faults.TRANSFER_INPUT, detail)
        if why := version.header.made_for_another(model.bundle_id, model.product.name):
            # It would make every result invalid until somebody goes back.
            raise Fault(Faults.TRANSFER_INPUT, f"transfer {version.number}: {why}")
        now = store.activate(version.number, asked.operator).active(serial)
        self._serving.take_changes()
        message, number = _in_use(now)
        return CommandOutcome(True, message, {"in_use": number})

    def _roll_back(self, asked: Asked) -> CommandOutcome:
        given = taken(asked, GoBack)
        store, serial = StateStore(self._config().state_dir), self._serial()
        now = store.roll_back(serial, asked.operator, given.seen).active(serial)
        self._serving.take_changes()
        message, number = _in_use(now)
        return CommandOutcome(True, message, {"in_use": number})

    def _serial(self) -> str:
        if self._serving.serial is None:
            detail = "the instrument has not said its serial number yet; wait until it is connected"
            raise Fault(Faults.TRANSFER_INPUT, detail)
        return self._serving.serial

    def _told_of(self, status: Status) -> CommandOutcome:
        self._serving.tell_of_changes()
        samples = tuple(
            f"{s.sample}: {s.verdict}" + (f", {'; '.join(s.reasons)}" if s.reasons else "")
            for s in status.samples
        )
        return CommandOutcome(
            True,
            status.advice,
            {
                "session": status.session,
                "bundle": status.bundle,
                "serial": status.serial,
                "samples": samples,
                "next_sample": status.next_sample,
            },
        )


def _told(done: Finished) -> str:
    errors = ", ".join(
        f"{p.name} {p.rmsep:.3g} ({p.rmsep_low:.3g} to {p.rmsep_high:.3g}) {p.unit}"
        for p in done.result.properties
    )
    told = [done.message, f"predicted RMSEP {errors}", *done.result.warnings]
    return "; ".join(told) + f"; report in {done.folder}"


def _in_use(version: Version | None) -> tuple[str, int | None]:
    if version is None:
        return "the bundle's own calibration is in use", None
    return f"transfer {version.number} is in use", version.number
