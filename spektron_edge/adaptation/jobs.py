"""Adaptation in a running daemon: starts the child, and takes what it found.

What it costs is spare time of the main path: milliseconds a scan, and an attempt's files and lines.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from spektron_edge.adaptation_state import AdaptationStore
from spektron_edge.clock import Stamp
from spektron_edge.config.file import Config
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.ledger import Action
from spektron_edge.prediction.pipeline import Outcome
from spektron_edge.publishing.notices import Notices
from spektron_edge.spectra.scan import Scan

from .attempt import Attempt
from .evidence import Evidence
from .following import Following
from .in_service import InService
from .in_shadow import InShadow
from .known import Known
from .pace import Pace
from .stream import Stream
from .task import WORK, YARDSTICK, Given, Mode, Result, Task, write_task
from .task_made import About, enough, task_again, task_of
from .telling import Telling
from .yardstick import read_yardstick, yardstick_of

_CALIBRATE_AGAIN_S = 600.0
_MADE_UNDER: dict[str, Mode] = {"shadow": "shadow", "auto": "auto"}
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
        self.serving = serving
        store = AdaptationStore(config().state_dir)
        self._telling = Telling(notices, audit)
        self.known = Known(config().state_dir, notices, audit)
        self.following = Following(serving, store, self._telling, lambda: self._mode)
        self._in_shadow = InShadow(serving, store)
        self._hopeless = ""
        self._calibrate_after_s = float("-inf")
        self.attempt: Attempt | None = None
        # What the task of the child was made from.
        self._of_attempt: Stream | None = None
        self._pace = Pace()
        self._sound = 0
        self.counts = {"adaptations_tried": 0, "adaptations_failed": 0, "drifts": 0}

    @property
    def _mode(self) -> str:
        return self._config().adaptation.mode

    @property
    def stream(self) -> Stream | None:
        """What is followed."""
        return self.following.stream

    # ---- the stream

    def measured(self, scan: Scan, outcome: Outcome, now: Stamp) -> None:
        """A scan was evaluated."""
        notices, mode = self._telling.notices, self._mode
        if mode != "shadow":
            self._in_shadow.hide()
        if mode == "frozen":
            # What it meant may have passed, and nobody looks any more.
            notices.end(_TOLD_OF_STREAM)
            self.following.end()
            self._in_shadow.give_up()
            return
        if outcome.seen is None or outcome.values is None:
            return
        stream = self.following.follow(scan, now)
        if stream is None:
            return
        before = stream.sound
        found = stream.take(scan, outcome.seen, outcome.values)
        if isinstance(found, Fault):
            notices.begin(found)
            return
        notices.end(_TOLD_OF_STREAM)
        if stream.sound > before:
            self._sound += 1
            with self._telling.troubles():
                self.known.count(1, now)
        if found is not None and self.following.sample(outcome.seen, found):
            self.counts["drifts"] += 1
            self._pace.fresh(self._sound)

    # ---- the child

    def look_after(self) -> None:
        """See whether a child has ended, and whether one should begin; never waits for it."""
        with self._telling.troubles():
            if self.known.look() and self._mode != "frozen":
                self._pace.fresh(self._sound)
                self.following.begin_anew()
        if self.attempt is not None:
            if not self.attempt.running:
                attempt, self.attempt = self.attempt, None
                with attempt:
                    self._conclude(attempt)
            elif self._mode == "frozen" and self.attempt.task is not None:
                self.end()
            return
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
            if self.following.of != of:
                if time.monotonic() < self._calibrate_after_s:
                    return
                yardstick = read_yardstick(folder / YARDSTICK, self.serving.model)
                if yardstick is not None:
                    self.following.know(yardstick, of)
                else:
                    self.attempt = Attempt(self._config_path, serial, folder, None)
            elif (given := self._given(serial)) is not None:
                write_task(folder, given)
                self.attempt = Attempt(self._config_path, serial, folder, given.task)
                self._of_attempt = self.stream
                if given.task.tried is None:
                    self.counts["adaptations_tried"] += 1
                    spectra = len(given.batch.scans)
                    self._telling.tell("adaptation_started", given.task.why, spectra=spectra)
        except Fault as fault:
            self._in_vain(fault, 0.0)

    def _given(self, serial: str) -> Given | None:
        """What to judge again or to adapt to, if there is reason to and enough of it."""
        stream, known = self.stream, self.known
        if stream is None:
            return None
        number = self._in_shadow.number(stream)
        if number is not None:
            fresh = self._in_shadow.come(stream)
            return task_again(fresh, self._about(serial, stream), number) if fresh else None
        if not self._pace.may(time.monotonic(), self._sound):
            return None
        if (stream.drift is None and not known.untried) or not enough(stream.entries):
            return None
        given = task_of(stream.entries, self._about(serial, stream))
        known.try_services()
        return given

    def _about(self, serial: str, stream: Stream) -> About:
        known, mode, used = self.known, self._mode, self.serving.in_use.adaptation
        calibration = self.serving.model.calibration
        evidence = Evidence(
            stream.drift, known.services, stream.growing, known.astray(serial, calibration)
        )
        made_under = _MADE_UNDER.get(mode, "propose")
        parent = None if used is None else used.id
        return About(evidence, self.serving.model, serial, made_under, parent, known.samples)

    def _conclude(self, attempt: Attempt) -> None:
        try:
            result = attempt.result()
        except Fault as fault:
            if attempt.task is None:
                self._no_yardstick(fault)
            self._in_vain(fault, attempt.elapsed_s)
            return
        if attempt.task is None or result is None:
            path = self._config().state_dir / WORK / YARDSTICK
            if read_yardstick(path, self.serving.model) is None:
                odd = Fault(Faults.ADAPTATION_FAILED, f"{path} is not what was written")
                self._no_yardstick(odd)
                self._in_vain(odd, attempt.elapsed_s)
            return
        good = False
        with self._telling.troubles():
            good = self._take(attempt.task, result)
        self._pace.ended(time.monotonic(), self._sound, result.processor_s, in_vain=not good)

    def _no_yardstick(self, fault: Fault) -> None:
        """Without it nothing can be told. Never for a bundle without spectra, else later."""
        if fault.kind is Faults.TRANSFER_IMPOSSIBLE:
            self._hopeless = yardstick_of(self.serving.model)
        self._calibrate_after_s = time.monotonic() + _CALIBRATE_AGAIN_S

    def _take(self, task: Task, result: Result) -> bool:
        """What the child found, by the mode that holds now; whether it came to anything. Raises
        Fault."""
        # Spectra of another instrument, bundle or state of it say nothing about what is there now.
        same = self.stream is not None and self._of_attempt is self.stream
        stream = self.stream if same and self.serving.in_use.transfer is None else None
        if task.tried is not None:
            return self._in_shadow.over(task, result, self._mode, stream)
        figures = {name: f"{value:.4g}" for name, value in list(result.metrics.items())[:24]}
        figures |= {"seconds": f"{result.seconds:g}", "processor_s": f"{result.processor_s:g}"}
        if result.number is None:
            why = "; ".join(result.refusals) or "no reason given"
            self._telling.tell("adaptation_refused", f"the guard refuses it: {why}", **figures)
            return False
        doubts = "; ".join(result.doubts)
        told = f"adaptation {result.number} is proposed" + (f"; doubts: {doubts}" if doubts else "")
        self._telling.tell("adaptation_judged", told, number=result.number, **figures)
        return self._in_shadow.begin(task, result, self._mode, stream)

    def _in_vain(self, fault: Fault, processor_s: float) -> None:
        self.counts["adaptations_failed"] += 1
        self._telling.in_vain(fault)
        self._in_shadow.give_up()
        self._pace.ended(time.monotonic(), self._sound, processor_s, in_vain=True)
