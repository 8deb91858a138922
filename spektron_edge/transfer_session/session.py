"""The verbs of a transfer on the device: start, add, status, finish, discard."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from spektron_edge.clock import Clock
from spektron_edge.config.file import Config
from spektron_edge.config.loading import load_config
from spektron_edge.faults import Fault, Faults
from spektron_edge.instrument.axis_store import load_axis
from spektron_edge.said import Said, Sayings, together
from spektron_edge.spectra.resampling import same_axis
from spektron_edge.transfer.problem import LEAST_PAIRS, LEAST_UNPAIRED
from spektron_edge.transfer.unpaired_labels import LEAST_LABELLED
from spektron_edge.transfer_state import StateStore, Version

from .conclusion import Finished, conclude, conclude_interrupted
from .fitting import Fitting
from .footing import Footing
from .guidance import next_samples
from .instrument_axis import on_instrument
from .material import held_rows, read_samples, reviewed, with_words
from .quality import sound
from .review import first_look, measured
from .session_store import SessionStore
from .source import Source, open_source
from .spectra_file import Scans
from .words import check_name, check_words, writable
from .work import MOST_SAMPLES, Added, ScanId, Work, started, with_sample

# What the benchmark was measured with, and where more pairs gain little.
ENOUGH_PAIRS = 10
_MOST_SCANS = 100


@dataclass(frozen=True)
class Sample:
    """A sample of the open session, as it is judged now. left_out: it is kept from the fit."""

    sample: str
    kind: str
    scans: int
    labels: Mapping[str, float]
    verdict: str
    reasons: tuple[str, ...]
    left_out: bool


@dataclass(frozen=True)
class Status:
    """Where a session stands. next_sample: what to measure next, None when nothing is left."""

    session: str
    bundle: str
    product: str
    serial: str
    started: str
    by: str
    samples: tuple[Sample, ...]
    next_sample: str | None
    steps: tuple[Said, ...]

    @property
    def advice(self) -> str:
        """The steps in a sentence."""
        return together(self.steps)

    def report(self) -> dict[str, object]:
        """As plain values."""
        plain = asdict(replace(self, steps=()))
        del plain["steps"]
        return {**plain, "samples": list(plain["samples"]), "advice": self.advice}


class Session:
    """What is, or will be, open under a configuration's state folder. Methods raise Fault."""

    def __init__(
        self,
        config_path: Path,
        who: str,
        *,
        config: Config | None = None,
        clock: Clock | None = None,
        source: Source | None = None,
    ) -> None:
        """who: for the audit log; config, source: where they are known already."""
        self._config_path, self._who = config_path, who
        self._config = config or load_config(config_path)
        self._clock = clock or Clock()
        self.store = SessionStore(self._config.state_dir)
        self._source = source

    def source(self) -> Source:
        """The bundle's source set. Raises Fault(TRANSFER_IMPOSSIBLE) and a bundle's own faults."""
        if self._source is None:
            self._source = open_source(self._config)
        return self._source

    def start(self, serial: str, held: Sequence[str] | None = None) -> Status:
        """Begin for an instrument. held: sealed samples in hand, of the source's; None: all.

        Raises Fault(TRANSFER_OPEN, TRANSFER_IMPOSSIBLE, TRANSFER_INPUT).
        """
        source = self.source()
        if not writable(serial):
            detail = f"{serial!r} is no serial number: 1 to 64 characters that can be printed"
            raise Fault(Faults.TRANSFER_INPUT, detail)
        for sample in held or ():
            check_name(sample)
            source.row(sample)
        if held is not None and not held:
            detail = "no sample in hand was named; say nothing of them to choose among all"
            raise Fault(Faults.TRANSFER_INPUT, detail)
        if held is not None and len(held) > MOST_SAMPLES:
            detail = f"{len(held)} samples in hand; name {MOST_SAMPLES} at most, or none for all"
            raise Fault(Faults.TRANSFER_INPUT, detail)
        work = Work(
            id=secrets.token_hex(6),
            bundle=source.bundle,
            product=source.product,
            serial=serial,
            held=None if held is None else tuple(dict.fromkeys(held)),
            utc=self._clock.now().iso,
            who=self._who,
        )
        self.store.update(functools.partial(started, work=work))
        return self.status()

    def add(
        self,
        sample: str,
        scans: Scans,
        *,
        new: bool = False,
        labels: Mapping[str, float] | None = None,
    ) -> Added:
        """Judge repeat scans of a sample and keep them; they take the place of earlier ones.

        new: the source does not know it; labels: property -> reference value. Raises
        Fault(SAMPLE_REFUSED) for spectra that cannot be used, TRANSFER_INPUT for what was said of
        them; nothing is stored then.
        """
        work, source = self._open()
        labels = dict(labels or {})
        check_words(source, sample, labels, new=new)
        if len(scans.absorbance) > _MOST_SCANS:
            detail = f"{len(scans.absorbance)} scans of one sample; {_MOST_SCANS} are the most"
            raise Fault(Faults.TRANSFER_INPUT, detail)
        known = load_axis(self._config.state_dir, work.serial)
        own_axis = on_instrument(scans.axis_nm, known, work.serial)
        sound(scans.absorbance, own_axis, source.spacing)
        footing = Footing.of(source, own_axis)
        axis, others = read_samples(self.store, work, source, but=sample, intact=True)
        if axis is not None and not same_axis(axis, own_axis):
            raise Fault(
                Faults.SAMPLE_REFUSED,
                "its wavelength axis is not that of the samples before it; discard and start again",
            )
        row = None if new else source.row(sample)
        this = measured(sample, row, scans.absorbance, len(work.added))
        judgement = first_look(this, others, footing, held_rows(work, source))
        if not new:
            judgement = with_words(judgement, sample, labels, source, work.held)
        added = Added(
            sample=sample,
            paired=not new,
            labels=labels,
            file=self.store.keep(work, own_axis, scans.absorbance),
            scans=len(scans.absorbance),
            taken=tuple(ScanId(boot_id=boot, number=number) for boot, number in scans.taken),
            utc=self._clock.now().iso,
            who=self._who,
            verdict=judgement.verdict,
            reasons=judgement.reasons,
        )
        self.store.update(functools.partial(with_sample, work_id=work.id, sample=added))
        return added

    def status(self) -> Status:
        """Every sample judged by all the others, and what to measure next."""
        work, source = self._open()
        found = reviewed(self.store, work, source)
        samples = tuple(
            Sample(
                added.sample,
                "of the source" if added.paired else "new",
                added.scans,
                added.labels,
                found.judgements[added.sample].verdict,
                found.judgements[added.sample].reasons,
                found.judgements[added.sample].left_out,
            )
            for added in found.samples
        )
        following = self.next_sample()
        wrong = {
            name: Sayings.AGAIN_ANOTHER_CUP if j.identity else Sayings.AGAIN_UNLIKE
            for name, j in found.judgements.items()
            if j.left_out
        }
        return Status(
            work.id,
            work.bundle,
            work.product,
            work.serial,
            work.utc,
            work.who,
            samples,
            following,
            _steps(work, following, wrong, len(source.properties)),
        )

    def next_sample(self) -> str | None:
        """The sealed sample to measure next; None when all in hand have been measured."""
        found = self._following(1)
        return found[0] if found else None

    def wanted(self) -> tuple[str, ...]:
        """Sealed samples in hand that are still worth measuring, the next one first."""
        work, _ = self._open()
        return self._following(max(0, ENOUGH_PAIRS - sum(added.paired for added in work.current)))

    def _following(self, count: int) -> tuple[str, ...]:
        work, source = self._open()
        done = [source.row(added.sample) for added in work.current if added.paired]
        rows = next_samples(source.x, done, held_rows(work, source), count)
        return tuple(source.samples[row] for row in rows)

    def begin_finish(self, *, dry_run: bool = False) -> Fitting:
        """Start the fit in a child process; `conclude_finish` is for when it has ended."""
        work, _ = self._open()
        return Fitting.start(self._config_path, work, self.store, self._who, dry_run=dry_run)

    def conclude_interrupted(self) -> Finished | None:
        """End a session whose transfer was in use already when an earlier finish was cut off."""
        work, _ = self._open()
        return conclude_interrupted(self._config.state_dir, self.store, work, self._who)

    def conclude_finish(self, fitting: Fitting) -> Finished:
        """Take over what an ended child found. Raises Fault(TRANSFER_FAILED)."""
        return conclude(self._config.state_dir, self.store, fitting, self._who)

    def finish(
        self, *, dry_run: bool = False, progress: Callable[[str], None] = lambda _: None
    ) -> Finished:
        """Fit, store, report, and use it where it is valid; a dry run only reports.

        Raises Fault(TRANSFER_FAILED, TRANSFER_BUSY); the session is as it was then.
        """
        if not dry_run and (done := self.conclude_interrupted()) is not None:
            return done
        with self.begin_finish(dry_run=dry_run) as fitting:
            fitting.wait(progress)
            return self.conclude_finish(fitting)

    def discard(self) -> str:
        """End the session without a result; its spectra stay in its folder. Says what was done.

        A session whose file is damaged is set aside.
        """
        try:
            work = self.store.read().work
        except Fault as fault:
            if fault.kind is not Faults.STATE_DAMAGED:
                raise
            return f"the damaged session is kept as {self.store.set_aside()}"
        self.store.end(work, "transfer_discarded", self._who, samples=len(work.current))
        folder = self.store.folder_of(work)
        return f"discarded with {len(work.current)} samples; their spectra stay in {folder}"

    def list(self) -> tuple[Version, ...]:
        """All transfers that are stored on this device."""
        return StateStore(self._config.state_dir).read().held

    def rollback(self, serial: str) -> Version | None:
        """Back to the transfer before, or the bundle's own calibration: None.

        Raises Fault(TRANSFER_MISSING) where none is in use for that instrument.
        """
        store = StateStore(self._config.state_dir)
        return store.roll_back(serial, self._who).active(serial)

    def _open(self) -> tuple[Work, Source]:
        work = self.store.read().work
        try:
            source = self.source()
        except Fault as fault:
            # Most likely the bundle was changed meanwhile, so say what the session was begun with.
            detail = f"{fault.detail}; the open session is for {work.product} of {work.bundle}"
            raise Fault(fault.kind, detail) from None
        if (work.bundle, work.product) != (source.bundle, source.product):
            raise Fault(
                Faults.TRANSFER_FAILED,
                f"the open session is for {work.product} of {work.bundle}, and {source.product} of "
                f"{source.bundle} is in use: go back to that bundle, or discard the session",
            )
        return work, source


def _steps(
    work: Work, following: str | None, wrong: Mapping[str, Sayings], properties: int
) -> tuple[Said, ...]:
    kept = [added for added in work.current if added.sample not in wrong]
    pairs = sum(added.paired for added in kept)
    known = sum(added.paired or len(added.labels) == properties for added in kept)
    parts = [why.of(sample=name) for name, why in wrong.items()]
    if following is not None and pairs < ENOUGH_PAIRS:
        parts.append(Sayings.MEASURE_NEXT.of(sample=following))
    if pairs >= LEAST_PAIRS or len(kept) >= LEAST_UNPAIRED or known >= LEAST_LABELLED:
        parts.append(Sayings.FINISH.of())
    else:
        parts.append(Sayings.MORE_NEEDED.of(count=LEAST_PAIRS - pairs))
    return tuple(parts)
