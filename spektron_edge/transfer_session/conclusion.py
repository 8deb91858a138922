"""After the fit: use what is valid, and end the session."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spektron_edge.faults import Fault, Faults
from spektron_edge.transfer_state import StateStore

from .fit_result import FIGURES, PICTURE, REPORT, FitResult, identity_of, read_result
from .fitting import Fitting
from .session_store import SessionStore
from .work import Work


@dataclass(frozen=True)
class Finished:
    """What came of `finish`. in_use: whether the instrument predicts with it from now on."""

    result: FitResult
    in_use: bool
    folder: Path

    @property
    def message(self) -> str:
        """In a sentence."""
        good = [p.name for p in self.result.properties if p.valid]
        bad = [p.name for p in self.result.properties if not p.valid]
        made = "a dry run" if self.result.version is None else f"transfer {self.result.version}"
        use = ", in use now" if self.in_use else ", not in use"
        told = f"{made}{use}: valid for {', '.join(good) or 'no property'}"
        return told + (f", not for {', '.join(bad)}" if bad and good else "")

    def report(self) -> dict[str, object]:
        """As plain values."""
        files = [
            str(self.folder / name)
            for name in (REPORT, FIGURES, PICTURE)
            if (self.folder / name).exists()
        ]
        result = self.result.model_dump(mode="json", exclude={"format", "session", "work"})
        return {
            "message": self.message,
            "in_use": self.in_use,
            "valid": self.result.valid,
            **result,
            "report": files,
        }


def conclude(state_dir: Path, store: SessionStore, fitting: Fitting, who: str) -> Finished:
    """Activate and close; a dry run does neither, and what is invalid leaves the session open.

    Raises Fault(TRANSFER_FAILED) for a fit that failed or that the session has outrun.
    """
    result = fitting.result()
    if fitting.dry_run or result.version is None:
        return Finished(result, in_use=False, folder=fitting.folder)
    if store.read().open != fitting.work:
        detail = (
            f"the session was changed during the fit; transfer {result.version} is stored and not "
            "in use; finish again"
        )
        raise Fault(Faults.TRANSFER_FAILED, detail)
    if not result.valid:
        return Finished(result, in_use=False, folder=fitting.folder)
    StateStore(state_dir).activate(result.version, who)
    store.end(fitting.work, "transfer_concluded", who, version=result.version)
    return Finished(result, in_use=True, folder=fitting.folder)


def conclude_interrupted(
    state_dir: Path, store: SessionStore, work: Work, who: str
) -> Finished | None:
    """End a session that a power cut left open although what was made of just these samples is in
    use; None where that is not so."""
    folder = store.folder_of(work)
    result = read_result(folder)
    if result is None:
        return None
    active = StateStore(state_dir).read().active(work.serial)
    if active is None or result.work != identity_of(work) or result.version != active.number:
        return None
    store.end(work, "transfer_concluded", who, version=active.number)
    return Finished(result, in_use=True, folder=folder)
