"""One qualification from its number to its signed report."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from spektron_edge import __version__
from spektron_edge.bundle.device_signature import device_signer
from spektron_edge.clock_sync import kernel_synchronised
from spektron_edge.config.file import Config
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.ledger import Action
from spektron_edge.instrument.wavelength_checks import TABLES
from spektron_edge.prediction.product import load_product
from spektron_edge.transfer_state import StateStore

from . import controls, installation, operation, performance
from .bench import Bench, Known
from .book import About, BookStore, Calibration, Control, Kind, Run
from .history import measured_before
from .installation import SYNCHRONISED
from .items import checked, noted, overall
from .keeping import Done, keep, signature, told, utc
from .measuring import Findings, Guide, Step, Taken, take
from .performance import Stated
from .plan import PlanFile
from .raw_data import packed
from .references import References
from .report import PlanUsed, Report
from .results import Measured, calibration_of
from .resuming import Begun, forget_measured, gone_on, keep_measured, measured_until


@dataclass(frozen=True)
class Person:
    """Who qualifies, and stands for it. proven: how that is known."""

    by: str
    proven: str
    reason: str


# Measures what has not been measured, of all steps of a run.
Asked = Callable[[Sequence[Step]], Taken]


class Conduct:
    """Qualifies the instrument of a configuration. Methods raise Fault for what keeps a report from
    being made; all else is among its items."""

    def __init__(
        self,
        config: Config,
        config_path: Path,
        person: Person,
        bench: Bench | None = None,
        resume: int | None = None,
    ) -> None:
        """bench: default: the daemon's door; resume: run whose measurements are gone on with."""
        self._config, self._config_path, self._person = config, config_path, person
        self._bench, self._resume = bench or Bench(config.state_dir), resume
        self._book = BookStore(config.state_dir)
        # Before anything is measured: a report that cannot be signed is none.
        self._signer = device_signer(config.state_dir)

    def installation(self, plan: PlanFile | None) -> Done:
        """What is installed."""
        known = self._known()
        expected = {} if plan is None else plan.expected

        def judge(_: Asked) -> tuple[Findings, Taken, tuple[Control, ...]]:
            found = installation.judge(self._config, self._config_path, known, expected)
            return found, {}, ()

        return self._conducted("iq", "installation", plan, known, judge)

    def operation(self, plan: PlanFile, guide: Guide) -> Done:
        """What standards show."""
        known = self._needed()

        def judge(ask: Asked) -> tuple[Findings, Taken, tuple[Control, ...]]:
            taken = ask(operation.steps(plan.plan))
            today = datetime.now(timezone.utc).date()
            tables = self._config.state_dir / TABLES
            return operation.judge(plan.plan, taken, tables, today), taken, ()

        return self._conducted("oq", "operation", plan, known, judge, guide)

    def comparison(self, plan: PlanFile, references: References, guide: Guide) -> Done:
        """What samples with the laboratory's values show."""
        known = self._needed()
        # What may not be readable comes first, so that nothing that was measured is lost.
        stated = stated_errors(self._config, known)
        before = measured_before(self._config.state_dir, references.records)
        before |= made_of(self._config, known, references)

        def judge(ask: Asked) -> tuple[Findings, Taken, tuple[Control, ...]]:
            every = performance.steps(references, plan.plan.compare_scans)
            steps = [step for step in every if step.key not in before]
            taken = before | ask(steps)
            found = performance.judge(plan.plan, references, taken, stated)
            return found, taken, ()

        return self._conducted("pq", "comparison", plan, known, judge, guide)

    def control(self, plan: PlanFile, guide: Guide) -> Done:
        """What the control samples show, beside what they showed before."""
        known = self._needed()
        serial = _serial(known)
        before = [run for run in self._book.read().runs if run.serial == serial]

        def judge(ask: Asked) -> tuple[Findings, Taken, tuple[Control, ...]]:
            taken = ask(controls.steps(plan.plan))
            found, kept = controls.judge(plan.plan, taken, before)
            return found, taken, kept

        return self._conducted("pq", "control", plan, known, judge, guide)

    def _known(self) -> Known | Fault:
        try:
            return self._bench.look()
        except Fault as fault:
            return fault

    def _needed(self) -> Known:
        known = self._bench.look()
        if _serial(known) is None:
            raise Fault(Faults.COMMAND_NOT_DONE, "no instrument is connected to the daemon")
        return known

    def _conducted(
        self,
        kind: Kind,
        about: About,
        plan: PlanFile | None,
        known: Known | Fault,
        judge: Callable[[Asked], tuple[Findings, Taken, tuple[Control, ...]]],
        guide: Guide | None = None,
    ) -> Done:
        began, person = utc(), self._person
        measuring = (
            None
            if plan is None or guide is None
            else Begun(
                about=about,
                plan=plan.sha256,
                serial=_serial(known),
                calibration=_calibration(known),
            )
        )
        had = {} if measuring is None else self._had(measuring)

        def begun(number: int) -> Action:
            details: dict[str, str | int | bool | None] = {"number": number, "kind": kind}
            details |= {"about": about, "utc": began}
            if self._resume is not None:
                details["goes_on_from"] = self._resume
            return Action(what="qualification_begun", who=person.by, details=details)

        number = self._book.begin(begun)
        folder = self._book.folder / f"{number:04d}-{kind}"

        taken_over: dict[str, Measured] = {}

        def ask(steps: Sequence[Step]) -> Taken:
            if guide is None or measuring is None:
                return {}
            taken_over.update({step.key: had[step.key] for step in steps if step.key in had})
            have: Taken = {**taken_over}

            def keep_(taken: Taken) -> None:
                keep_measured(folder, number, measuring, have | taken, self._signer)

            left = [step for step in steps if step.key not in have]
            return have | take(left, self._bench, guide, keep_)

        found, taken, kept = judge(ask)
        if taken_over and self._resume is not None:
            found += Findings((gone_on(self._resume, taken_over),))
        serial, calibration = _serial(known), _calibration(known)
        found += _unchanged(taken, serial, calibration)
        if kind != "iq":
            found += _dated(plan)
        data = packed(taken)
        report = Report(
            schema="spektron.qualification/1",
            kind=kind,
            about=about,
            number=number,
            site=self._config.site,
            instrument=self._config.instrument,
            serial=serial,
            calibration=calibration,
            began=began,
            ended=utc(),
            clock=_clock(),
            software=f"spektron-edge {__version__}",
            plan=None
            if plan is None
            else PlanUsed(title=plan.plan.title, version=plan.plan.version, sha256=plan.sha256),
            performed_by=person.by,
            items=found.items,
            figures=found.figures,
            verdict=overall(found.items),
            data=None if data is None else hashlib.sha256(data).hexdigest(),
        )
        signed = signature(person.by, "responsible", person.reason, person.proven)
        sealed = keep(folder, report.document, (signed,), self._signer, data)
        self._book.end(
            Run(
                number=number,
                kind=kind,
                about=about,
                serial=serial,
                calibration=calibration,
                utc_s=_newest_s(taken),
                verdict=report.verdict,
                report=sealed.sha256,
                by=person.by,
                controls=kept,
            ),
            told("qualification_done", sealed, signed),
        )
        forget_measured(folder)
        return Done(sealed, folder)

    def _had(self, measuring: Begun) -> dict[str, Measured]:
        if self._resume is None:
            return {}
        return measured_until(self._config.state_dir, self._resume, measuring, self._signer)


def stated_errors(config: Config, known: Known) -> Mapping[str, Stated]:
    """RMSEP by property, as whoever made what is in use has measured it; empty where nobody did."""
    calibration = _calibration(known)
    if calibration is None or calibration.adaptation is not None:
        return {}
    if calibration.transfer is not None:
        versions = StateStore(config.state_dir).read().held
        headers = [v.header for v in versions if v.id == calibration.transfer]
        return {
            p.name: Stated(p.rmsep, len(h.samples), "the transfer's report")
            for h in headers
            for p in h.properties
        }
    model = load_product(config).model
    evaluation = model.product.evaluation
    figures = evaluation.figures.get(model.graph.precision, {})
    return {
        name: Stated(found.rmsep, evaluation.samples, "the bundle")
        for name, found in figures.items()
        if evaluation.samples > 1
    }


def made_of(config: Config, known: Known, references: References) -> Taken:
    """Samples that the transfer in use was made of: they say nothing about others."""
    calibration = _calibration(known)
    if calibration is None or calibration.transfer is None:
        return {}
    versions = StateStore(config.state_dir).read().held
    used = {s for v in versions if v.id == calibration.transfer for s in v.header.samples}
    why = f"transfer {calibration.transfer} was made of it: it says nothing about others"
    return {performance.sample_key(name): why for name in references.values if name in used}


def _newest_s(taken: Taken) -> float:
    """UTC, seconds since 1970, of the newest measurement; now where there is none."""
    at = [float(m.at_s.max()) for m in taken.values() if isinstance(m, Measured)]
    return max(at, default=datetime.now(timezone.utc).timestamp())


def _unchanged(taken: Taken, serial: str | None, calibration: Calibration | None) -> Findings:
    """Whether all was measured with what there was at the beginning."""
    measured = [m for m in taken.values() if isinstance(m, Measured)]
    if not measured:
        return Findings()
    good = all((m.serial, m.calibration) == (serial, calibration) for m in measured)
    others = {f"{m.serial}, {m.calibration.told}" for m in measured}
    what, limit = "instrument and calibration", "the same throughout"
    value = "; ".join(sorted(others))
    return Findings((checked("conditions", what, value, good=good, limit=limit),))


def _serial(known: Known | Fault) -> str | None:
    if isinstance(known, Fault) or known.state is None or known.state["device"] is None:
        return None
    return str(known.state["device"]["serial"])


def _calibration(known: Known | Fault) -> Calibration | None:
    if isinstance(known, Fault) or known.model is None:
        return None
    return calibration_of(known.model["model"])


def _dated(plan: PlanFile | None) -> Findings:
    """Ages of qualifications and certificates are told by the host's clock: the plan may ask that
    it is synchronised, as installation does."""
    expected = None if plan is None else plan.expected.get(SYNCHRONISED)
    known = {"synchronised": "yes", "not synchronised": "no"}.get(_clock(), "not known")
    return Findings((noted("conditions", SYNCHRONISED, known, expected),))


def _clock() -> str:
    state = kernel_synchronised()
    return "unknown" if state is None else "synchronised" if state else "not synchronised"
