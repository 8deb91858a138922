"""The command `wavelength-check`: the next sound scans are of a wavelength standard."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from spektron_edge.commands.arguments import Taken, take_arguments
from spektron_edge.commands.asked import Asked, CommandOutcome, Result
from spektron_edge.config.file import Config
from spektron_edge.detector.wavelength_check import Check, Standard, check, load_standard, roughness
from spektron_edge.faults import Fault, Faults
from spektron_edge.prediction.pipeline import Outcome
from spektron_edge.spectra.scan import Scan

WITHIN_S = 300.0
TABLES = "standards"
# So many scans in a row that tell nothing are no accident: what they lack is told instead.
UNSOUND = 8


class WavelengthCheck(Taken):
    """Which standard lies in the beam, how many scans of it, and the largest error that passes."""

    standard: str = Field(
        pattern=r"^[A-Za-z0-9_.-]{1,64}$",
        description="polystyrene, srm-2035, or a table `standards/NAME.csv` in `state_dir`",
    )
    scans: int = Field(8, ge=1, le=1000, description="that are averaged")
    limit_nm: float = Field(
        1.0, gt=0, le=100, description="error of a band that passes, beyond its own uncertainty"
    )


@dataclass
class _Running:
    ticket: int
    operator: str
    standard: Standard
    given: WavelengthCheck
    at_s: float
    axis_nm: NDArray[np.float64] | None = None
    found: list[NDArray[np.float64]] = field(default_factory=list)
    unsound: int = 0


class WavelengthChecks:
    """One at a time, on the main path."""

    def __init__(
        self,
        config: Callable[[], Config],
        finish: Callable[[int, CommandOutcome], None],
        tickets: Iterator[int],
        checked: Callable[[Check, str], None],
    ) -> None:
        """finish: ends what was accepted under a ticket; checked: gets what came of a check, and
        who asked for it; raises Fault where the state folder does not take it."""
        self._config, self._finish = config, finish
        self._tickets, self._checked = tickets, checked
        self._running: _Running | None = None

    def actions(self) -> dict[str, Callable[[Asked], CommandOutcome]]:
        """Command -> what carries it out."""
        return {"wavelength-check": self._begin}

    def _begin(self, asked: Asked) -> CommandOutcome:
        given = take_arguments(asked.arguments, WavelengthCheck, Faults.COMMAND_INPUT)
        if self._running is not None:
            raise Fault(Faults.COMMAND_NOT_DONE, "another wavelength check waits for its scans")
        standard = load_standard(given.standard, self._config().state_dir / TABLES)
        ticket = next(self._tickets)
        self._running = _Running(ticket, asked.operator, standard, given, time.monotonic())
        told = f"the next {given.scans} scans are taken for {standard.name}"
        return CommandOutcome(True, told, ticket=ticket)

    def measured(self, scan: Scan, outcome: Outcome) -> None:
        """A scan was evaluated; whatever the model makes of a standard does not matter here."""
        running = self._running
        if running is None:
            return
        if outcome.absorbance is None:
            running.unsound += 1
            if running.unsound >= UNSOUND:
                why = "they have no absorbance" if outcome.fault is None else str(outcome.fault)
                self._not_done(f"{UNSOUND} scans in a row could not be used: {why}")
            return
        running.unsound = 0
        if running.axis_nm is None:
            running.axis_nm = scan.axis_nm
        if running.axis_nm.shape != outcome.absorbance.shape:
            self._end(CommandOutcome(False, "another instrument was connected meanwhile"))
            return
        running.found.append(outcome.absorbance)
        if len(running.found) == running.given.scans:
            self._judge(running, running.axis_nm)

    def _judge(self, running: _Running, axis_nm: NDArray[np.float64]) -> None:
        mean = np.mean(running.found, axis=0)
        limit_nm = running.given.limit_nm
        try:
            result = check(running.standard, mean, axis_nm, limit_nm, roughness(mean))
            self._checked(result, running.operator)
        except Fault as fault:
            self._end(CommandOutcome(False, str(fault), {"fault": fault.code}))
            return
        figures: Result = {
            "passed": result.passed,
            "mean_nm": round(result.mean_nm, 4),
            "rms_nm": round(result.rms_nm, 4),
            "bands": tuple(
                f"{b.band.nm:g} nm: "
                + ("not seen" if b.error_nm is None else f"{b.error_nm:+.3f} nm")
                for b in result.bands
            ),
        }
        self._end(CommandOutcome(result.passed, result.told, figures))

    def look_after(self, now_s: float) -> None:
        """Give up what gets no sound scans. now_s: of the monotonic clock."""
        running = self._running
        if running is not None and now_s - running.at_s > WITHIN_S:
            counted = f"{len(running.found)} of {running.given.scans}"
            self._not_done(f"{counted} sound scans in {WITHIN_S:g} s")

    def end(self) -> None:
        """The daemon ends."""
        if self._running is not None:
            self._not_done("the daemon was stopped")

    def _not_done(self, why: str) -> None:
        fault = Fault(Faults.COMMAND_NOT_DONE, why)
        self._end(CommandOutcome(False, str(fault), {"fault": fault.code}))

    def _end(self, outcome: CommandOutcome) -> None:
        running, self._running = self._running, None
        if running is not None:
            self._finish(running.ticket, outcome)
