"""A pretraining run from its first or its last saved step to the foundation it leaves."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from spektron_train.data.simulate.stream import Episode
from spektron_train.model import Encoder
from spektron_train.training.progress import Advance, silent

from .assembly import derived_seed
from .config import PretrainConfig
from .folder import CHECKPOINTS, FOUNDATION, LOG, claim
from .foundation import FoundationCard, installed_versions, save_foundation
from .interrupts import SIGNALS, Interrupts
from .invariance import Budgets, close_latents
from .logs import RunLog
from .prefetch import Prefetch
from .session import (
    LostContact,
    Session,
    capture,
    check_launch,
    is_lost_contact,
    leads,
    open_session,
    restore,
)
from .state import Say, Snapshot, StateError, Tensors, load_snapshot, save_snapshot
from .status import Heart
from .step import Diverged, StepReport, train_step, validate
from .stopping import StopRecord

Watch = Callable[[int], AbstractContextManager[Advance]]
State = Literal["finished", "stopped"]


@dataclass(frozen=True)
class RunResult:
    """How a run ended. signal: what stopped it; steps: done in all; foundation: None if stopped."""

    state: State
    told: str
    steps: int
    signal: signal.Signals | None
    metrics: dict[str, Any]
    checkpoint: Path | None
    foundation: Path | None


@dataclass
class _Run:
    """What changes while a run goes on, in every process alike but for the files."""

    session: Session
    folder: Path
    log: RunLog | None = None
    heart: Heart | None = None
    step: int = 0
    record: StopRecord = field(default_factory=StopRecord)
    metrics: dict[str, Any] = field(default_factory=dict)
    before_s: float = 0.0
    started: float = field(default_factory=time.monotonic)
    saved: tuple[int, Path] | None = None

    @property
    def seconds(self) -> float:
        """Spent so far, earlier sessions included."""
        return self.before_s + time.monotonic() - self.started

    def beat(self, **changes: object) -> None:
        if self.heart is not None:
            self.heart.beat(step=self.step, **changes)


def _unwatched(steps: int) -> AbstractContextManager[Advance]:  # noqa: ARG001
    return nullcontext(silent)


def pretrain(
    config: PretrainConfig,
    folder: Path,
    *,
    recipe: str,
    resume: bool = False,
    extend: bool = False,
    watch: Watch = _unwatched,
    say: Say = silent,
) -> RunResult:
    """Run, in as many processes as the launcher started, and write everything into `folder`.

    recipe: what to call the configuration; resume: go on after the last checkpoint; extend: allow
    another number of steps than the run began with; watch: opened with the number of steps left
    and told after each; say: told what a user should know. Raises ConfigError, StateError,
    CheckpointError, Diverged and
    LostContact.
    """
    check_launch(config)
    if leads():
        claim(folder, config, recipe, resume=resume)
    heard = say if leads() else silent
    found = None
    if resume:
        found = load_snapshot(folder / CHECKPOINTS, config, extend=extend, say=heard)
    session = open_session(config)
    run = _Run(session, folder)
    with ExitStack() as stack:
        try:
            if resume:
                _resume(run, found, heard)
            if session.leads:
                accelerator = session.accelerator
                run.heart = Heart(
                    folder, config.steps, accelerator.num_processes, accelerator.device.type
                )
                run.log = stack.enter_context(RunLog(folder / LOG, run.step))
            run.beat(state="running", checkpoint=_name(run))
            advance = stack.enter_context(
                watch(config.steps - run.step) if session.leads else nullcontext(silent)
            )
            received = _steps(run, advance)
            result = _end(run, recipe, received)
        except OSError as error:
            run.beat(state="failed", told=str(error))
            raise StateError(f"cannot write {folder}: {error}; make room and --resume") from None
        except RuntimeError as error:
            lost = "lost contact with another process, whose own message says why; --resume"
            told = lost if is_lost_contact(error) else str(error)
            run.beat(state="failed", told=told)
            if told is lost:
                raise LostContact(lost) from None
            raise
        except (Exception, KeyboardInterrupt) as error:
            run.beat(state="failed", told=str(error) or type(error).__name__)
            raise
    session.accelerator.wait_for_everyone()
    session.accelerator.end_training()
    return result


def _resume(run: _Run, found: tuple[Snapshot, Path] | None, say: Say) -> None:
    if found is None:
        say("no checkpoint was written yet; beginning anew")
        return
    session = run.session
    snapshot, path = found
    restore(session, snapshot)
    run.step, run.record, run.saved = snapshot.step, snapshot.record, (snapshot.step, path)
    run.before_s, run.metrics = snapshot.seconds, snapshot.metrics
    now = session.setting()
    before = snapshot.setting
    changed = [f"{k} {before.get(k)} -> {v}" for k, v in now.items() if before.get(k) != v]
    note = f" (not bit for bit: {', '.join(changed)})" if changed else ""
    say(f"resuming after step {run.step}{note}")


def _steps(run: _Run, advance: Advance) -> signal.Signals | None:
    """All steps that are left; returns the signal that stopped them, if one did."""
    session, config = run.session, run.session.config
    mine = session.share(config.episodes.per_step)
    keys = ((step, index) for step in range(run.step, config.steps) for index in mine)
    stream, fixed = session.streams.training, session.streams.validation
    checks = [fixed.episode(0, i) for i in session.share(config.validation.episodes)]
    pace = _Pace(run)
    with Interrupts() as interrupts, Prefetch(lambda key: stream.episode(*key), keys) as episodes:
        while run.step < config.steps and not run.record.exhausted(config.validation.patience):
            begun = time.monotonic()
            flags = [interrupts.received == number for number in SIGNALS]
            try:
                report = train_step(session, episodes.take(len(mine)), run.step, flags)
            except Diverged as error:
                raise Diverged(f"{error}; {_last_good(run)}") from None
            run.step += 1
            pace.note(report, time.monotonic() - begun)
            advance(f"loss {report.total:.3f}, {pace.spectra_per_s:.0f} spectra/s")
            received = [n for n, raised in zip(SIGNALS, report.flags, strict=True) if raised]
            if _due(run, config.validation.every):
                _validate(run, checks)
            if received or _due(run, config.checkpoint.every):
                _save(run)
            if received and run.step < config.steps:
                return received[-1]
    return None


class _Pace:
    """Numbers of the steps since the last row of the log."""

    def __init__(self, run: _Run) -> None:
        e = run.session.config.episodes
        self._run, self._spectra = run, e.per_step * e.samples * e.views
        self._steps, self._seconds = 0, 0.0
        self._first, self._started = run.step, time.monotonic()
        self.spectra_per_s = 0.0

    def note(self, report: StepReport, seconds: float) -> None:
        run, config = self._run, self._run.session.config
        self._steps, self._seconds = self._steps + 1, self._seconds + seconds
        self.spectra_per_s = self._spectra * self._steps / max(self._seconds, 1e-9)
        per_step = (time.monotonic() - self._started) / (run.step - self._first)
        values = {"total": report.total, **report.terms}
        run.metrics = {**run.metrics, "train": values}
        if run.log is not None and _due(run, config.log.every):
            extra = {"rate": report.rate, "gradient_norm": report.gradient_norm}
            run.log.train(run.step, {**values, **extra, "spectra_per_s": self.spectra_per_s})
            self._steps, self._seconds = 0, 0.0
        run.beat(
            metrics=values,
            spectra_per_s=self.spectra_per_s,
            seconds_left=per_step * (config.steps - run.step),
        )


def _due(run: _Run, every: int) -> bool:
    return run.step % every == 0 or run.step == run.session.config.steps


def _validate(run: _Run, checks: list[Episode]) -> None:
    terms = validate(run.session, checks)
    total = sum(terms.values())
    run.record = run.record.after(total, run.step)
    values = {"total": total, "smoothed": run.record.smoothed or total, **terms}
    run.metrics = {**run.metrics, "validation": values}
    if run.log is not None:
        run.log.validation(run.step, values)
    run.beat(validation=values)


def _save(run: _Run) -> None:
    """Write a checkpoint, unless this step has one."""
    if run.saved and run.saved[0] == run.step:
        return
    model, optimiser = capture(run.session)
    path = run.folder / CHECKPOINTS
    if run.session.leads:
        setting, config = run.session.setting(), run.session.config
        snapshot = Snapshot(
            run.step, model, optimiser, run.record, run.seconds, run.metrics, setting
        )
        path = save_snapshot(path, config, snapshot)
    run.saved = (run.step, path)
    run.beat(checkpoint=_name(run))


def _end(run: _Run, recipe: str, received: signal.Signals | None) -> RunResult:
    _save(run)
    done = f"{run.step} of {run.session.config.steps} steps"
    path = run.saved[1] if run.saved else None
    if received is not None:
        told = f"stopped by {received.name} after {done}; go on with --resume"
        run.beat(state="stopped", told=told)
        return RunResult("stopped", told, run.step, received, run.metrics, path, None)
    early = run.step < run.session.config.steps
    told = f"early stop after {done}; best at {run.record.best_step}" if early else f"{done} done"
    model, _ = capture(run.session)
    foundation = run.folder / FOUNDATION
    if run.session.leads:
        _leave(run, foundation, recipe, model)
    run.beat(state="finished", told=told, seconds_left=0.0, foundation=str(foundation))
    return RunResult("finished", told, run.step, None, run.metrics, path, foundation)


def _leave(run: _Run, folder: Path, recipe: str, model: Tensors) -> None:
    config = run.session.config
    encoder = Encoder(config.encoder_config())
    weights = {k.removeprefix("encoder."): v for k, v in model.items() if k.startswith("encoder.")}
    encoder.load_state_dict(weights, strict=True)
    closed = _close(encoder.eval(), config)
    e = config.episodes
    card = FoundationCard(
        recipe=recipe,
        config=config.model_dump(mode="json"),
        encoder=encoder.config.to_json(),
        seed=config.seed,
        steps=run.step,
        versions=installed_versions(),
        metrics={
            **run.metrics,
            "seconds": round(run.seconds, 1),
            "spectra": run.step * e.per_step * e.samples * e.views,
            "parameters": encoder.parameter_count,
            "ran_on": run.session.setting(),
            "closed": closed,
        },
    )
    save_foundation(folder, encoder, card)


def _close(encoder: Encoder, config: PretrainConfig) -> dict[str, Any] | None:
    c = config.closing
    if c.instruments == 0:
        return None
    chem, inst = close_latents(
        encoder,
        config.domain_model(),
        derived_seed(config.seed, "closing"),
        instruments=c.instruments,
        budgets=Budgets(c.budget_chem, c.budget_inst),
    )
    return {"z_chem": asdict(chem), "z_inst": asdict(inst)}


def _name(run: _Run) -> str | None:
    return run.saved[1].name if run.saved else None


def _last_good(run: _Run) -> str:
    kept = f"the checkpoint of step {run.saved[0]} is kept" if run.saved else "no checkpoint yet"
    return f"{kept}; lower optimiser.rate or optimiser.clip and begin in another folder"
