"""Adaptation in a running daemon: watches the stream, starts the child, takes what it found.

What it costs is spare time of the main path: milliseconds a scan, and an attempt's files and lines.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from spektron_edge.adaptation_state import AdaptationStore, Entry
from spektron_edge.clock import Clock, Stamp
from spektron_edge.config import Config
from spektron_edge.faults import Fault, Faults
from spektron_edge.inference import BackendError
from spektron_edge.ledger import Action
from spektron_edge.notices import Notices
from spektron_edge.pipeline import Outcome
from spektron_edge.scan import Scan

from .attempt import Attempt, failed
from .candidate import Adapted
from .evidence import Evidence
from .gauge import Gauge, gauge
from .in_service import InService
from .known import Known
from .looking_back import LookingBack
from .pace import Pace
from .seen import Seen
from .stream import Stream
from .task import WORK, YARDSTICK, Given, Result, write_task
from .task_made import enough, task_of
from .yardstick import Yardstick, read_yardstick, yardstick_of

_WHO = "daemon"
_CALIBRATE_AGAIN_S = 600.0
_TOLD_OF_STREAM = (Faults.DETECTOR_STUCK, Faults.NO_SAMPLE)


class AdaptationJobs:
    """Nothing here raises for trouble with adaptation: it becomes an event and a line of audit."""

    def __init__(
        self,
        config_path: Path,
        config: Callable[[], Config],
        serving: InService,
        notices: Notices,
        audit: Callable[[Action], bool],
    ) -> None:
        """config: what the daemon goes by now; audit: writes a line of the audit log."""
        self._config_path, self._config = config_path, config
        self.serving, self._notices, self._audit = serving, notices, audit
        self._clock = Clock()
        self._store = AdaptationStore(config().state_dir)
        self.known = Known(config().state_dir, notices, audit)
        self._key: tuple[object, ...] = ()
        self._yardstick: Yardstick | None = None
        self._of = ""
        self._hopeless = ""
        self._calibrate_after_s = float("-inf")
        self.stream: Stream | None = None
        self._without: Adapted | None = None
        self._looking_back: LookingBack | None = None
        self._told_of_drift = False
        self.attempt: Attempt | None = None
        self._pace = Pace()
        self._sound = 0
        self.counts = {"adaptations_tried": 0, "adaptations_failed": 0, "drifts": 0}

    @property
    def _mode(self) -> str:
        return self._config().adaptation.mode

    # ---- the stream

    def measured(self, scan: Scan, outcome: Outcome, now: Stamp) -> None:
        """A scan was evaluated."""
        if self._mode == "frozen":
            # What it meant may have passed, and nobody looks any more.
            self._notices.end(_TOLD_OF_STREAM)
            self.stream = None
            return
        if outcome.seen is None or outcome.values is None:
            return
        self._follow(scan)
        if self.stream is None:
            return
        before = self.stream.sound
        found = self.stream.take(scan, outcome.seen, outcome.values)
        if isinstance(found, Fault):
            self._notices.begin(found)
            return
        self._notices.end(_TOLD_OF_STREAM)
        if self.stream.sound > before:
            self._sound += 1
            with self._troubles():
                self.known.count(1, now)
        if found is not None:
            self._sample(outcome.seen, found)

    def _follow(self, scan: Scan) -> None:
        """Begin anew where the stream is another one."""
        serving = self.serving
        number = None if serving.in_use.adaptation is None else serving.in_use.adaptation.number
        key = (yardstick_of(serving.model), scan.serial, scan.axis_nm.tobytes(), number)
        if key == self._key and self.stream is not None:
            return
        if self._yardstick is None or self._of != key[0]:
            self._yardstick, self.stream, self._of = None, None, ""
            return
        self._key, self.stream = key, Stream(self._yardstick)
        self._told_of_drift = False
        self._without, self._looking_back = None, None
        if serving.in_use.adaptation is not None:
            with self._troubles():
                self._without = self._before(serving.in_use.adaptation)
                limits = serving.model.applicability
                self._looking_back = LookingBack(limits.t2_limit, limits.q_limit)

    def _before(self, entry: Entry) -> Adapted | None:
        """What was in use before it; None for the bundle's own calibration."""
        if entry.parent is None:
            return None
        return self._store.load(self._store.read().by_id(entry.parent)).adapted

    def _sample(self, seen: Seen, found: Gauge) -> None:
        """One more distinct sample."""
        stream, yardstick = self.stream, self._yardstick
        if stream is None or yardstick is None:
            return
        drift = stream.drift
        if drift is not None and not self._told_of_drift:
            self._told_of_drift = True
            self.counts["drifts"] += 1
            self._pace.fresh(self._sound)
            self._tell("drift_detected", drift.told, scan=drift.since[1], kind=drift.evidence_kind)
        elif drift is None and self._told_of_drift:
            self._told_of_drift = False
            self._tell("drift_over", "the stream is back where the source is")
        if self._looking_back is None:
            return
        plain = seen.measured[None]
        if self._without is not None:
            plain = self._without.correction.apply(plain)
        if why := self._looking_back.take(found, gauge(yardstick.domain, plain[0])):
            self.leave(why)

    def leave(self, why: str) -> None:
        """What is in use does harm: go back, or tell people who decided to use it."""
        entry, serial = self.serving.in_use.adaptation, self.serving.serial
        self._looking_back = None
        if entry is None or serial is None:
            return
        if self._mode != "auto":
            told = f"adaptation {entry.number}: {why}; `spektron-edge adapt rollback` goes back"
            self._tell("adaptation_doubtful", told, number=entry.number)
            return
        with self._troubles():
            self._store.roll_back(serial, "auto", why[:500])
            self.serving.take_changes()

    # ---- the child

    def look_after(self) -> None:
        """See whether a child has ended, and whether one should begin; never waits for it."""
        if self.attempt is not None:
            if not self.attempt.running:
                attempt, self.attempt = self.attempt, None
                with attempt:
                    self._conclude(attempt)
            return
        with self._troubles():
            if self.known.look() and self._mode != "frozen":
                self._pace.fresh(self._sound)
                # What was measured before is of another state of the instrument.
                self._key = ()
        if self._mode == "frozen" or self.serving.in_use.transfer is not None:
            return
        self._begin()

    @property
    def children(self) -> tuple[Attempt, ...]:
        """Those that run; from any thread."""
        attempt = self.attempt
        return () if attempt is None else (attempt,)

    def end(self) -> None:
        """The daemon ends: no child goes on without it."""
        if self.attempt is not None:
            self.attempt.end()
            self.attempt = None

    def _begin(self) -> None:
        serial, of = self.serving.serial, yardstick_of(self.serving.model)
        if serial is None or of == self._hopeless:
            return
        folder = self._config().state_dir / WORK
        try:
            if self._of != of:
                if time.monotonic() < self._calibrate_after_s:
                    return
                self._yardstick = read_yardstick(folder / YARDSTICK, self.serving.model)
                if self._yardstick is not None:
                    self._of = of
                else:
                    self.attempt = Attempt(self._config_path, serial, folder, None)
            elif self._pace.may(time.monotonic(), self._sound):
                given = self._given(serial)
                if given is not None:
                    write_task(folder, given)
                    self.attempt = Attempt(self._config_path, serial, folder, given.task)
                    self.counts["adaptations_tried"] += 1
                    spectra = len(given.batch.scans)
                    self._tell("adaptation_started", given.task.why, spectra=spectra)
        except Fault as fault:
            self._in_vain(fault, 0.0)

    def _given(self, serial: str) -> Given | None:
        """What to adapt to, if there is reason to and enough of it."""
        stream, known = self.stream, self.known
        if stream is None or (stream.drift is None and not known.untried):
            return None
        entries = stream.entries
        if not enough(entries):
            return None
        adaptation, mode = self.serving.in_use.adaptation, self._mode
        found = Evidence(stream.drift, known.services, stream.growing, known.astray(serial))
        given = task_of(
            entries,
            found,
            self.serving.model,
            serial,
            "shadow" if mode == "shadow" else "auto" if mode == "auto" else "propose",
            None if adaptation is None else adaptation.id,
            known.samples,
        )
        known.try_services()
        return given

    def _conclude(self, attempt: Attempt) -> None:
        try:
            result = attempt.result()
        except Fault as fault:
            if attempt.task is None:
                self._no_yardstick(fault)
            self._in_vain(fault, attempt.elapsed_s)
            return
        if result is None:
            path = self._config().state_dir / WORK / YARDSTICK
            if read_yardstick(path, self.serving.model) is None:
                odd = Fault(Faults.ADAPTATION_FAILED, f"{path} is not what was written")
                self._no_yardstick(odd)
                self._in_vain(odd, attempt.elapsed_s)
            return
        installed = False
        with self._troubles():
            installed = self._take(result)
        self._pace.ended(time.monotonic(), self._sound, result.processor_s, in_vain=not installed)

    def _no_yardstick(self, fault: Fault) -> None:
        """Without it nothing can be told. Never for a bundle without spectra, else later."""
        if fault.kind is Faults.TRANSFER_IMPOSSIBLE:
            self._hopeless = yardstick_of(self.serving.model)
        self._calibrate_after_s = time.monotonic() + _CALIBRATE_AGAIN_S

    def _take(self, result: Result) -> bool:
        """What the child found, by the mode that holds now. Raises Fault."""
        figures = {name: f"{value:.4g}" for name, value in list(result.metrics.items())[:24]}
        figures |= {"seconds": f"{result.seconds:g}", "processor_s": f"{result.processor_s:g}"}
        if result.number is None:
            why = "; ".join(result.refusals) or "no reason given"
            self._tell("adaptation_refused", f"the guard refuses it: {why}", **figures)
            return False
        doubts = "; ".join(result.doubts)
        told = f"adaptation {result.number} is proposed" + (f"; doubts: {doubts}" if doubts else "")
        self._tell("adaptation_judged", told, number=result.number, **figures)
        mode, model = self._mode, self.serving.model
        if mode == "shadow":
            state = self._store.load_for(self._store.read().entry(result.number), model)
            self.serving.take_shadow(state.adapted, result.number)
        if mode != "auto" or doubts:
            return False
        self._store.install(result.number, model)
        self.serving.take_changes()
        return True

    def _in_vain(self, fault: Fault, processor_s: float) -> None:
        told = failed(fault)
        self.counts["adaptations_failed"] += 1
        self._audit(Action(what=told.code, who=_WHO, details={"why": told.detail}))
        self._notices.once(told)
        self._pace.ended(time.monotonic(), self._sound, processor_s, in_vain=True)

    def _tell(self, what: str, told: str, **details: str | int | bool | None) -> None:
        self._audit(Action(what=what, who=_WHO, details={"told": told, **details}))
        doubtful = what in ("drift_detected", "adaptation_doubtful")
        self._notices.say(what, told, "warning" if doubtful else "info")

    @contextlib.contextmanager
    def _troubles(self) -> Iterator[None]:
        try:
            yield
        except Fault as fault:
            self._notices.once(failed(fault))
        except BackendError as error:
            self._notices.once(Fault(Faults.ADAPTATION_FAILED, str(error)))
