"""The child process that fits, as its parent sees it."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from spektron_edge.child.process import Child
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.state_folder import storage_fault

from .fit_result import FILE, FitResult
from .session_store import SessionStore
from .work import Work

TIME_LIMIT_S = 120.0


class Fitting(Child):
    """A running or ended fit of `work`; its results come into `folder`."""

    def __init__(
        self,
        config_path: Path,
        work: Work,
        folder: Path,
        who: str,
        *,
        dry_run: bool,
        limit_s: float,
    ) -> None:
        """Raises Fault(TRANSFER_FAILED) where no process can be started."""
        super().__init__(
            "spektron_edge.transfer_session.worker",
            [str(config_path.resolve()), work.id, who, *(["--dry-run"] if dry_run else [])],
            limit_s,
            "the fit",
            Faults.TRANSFER_FAILED,
        )
        self.work, self.folder, self.dry_run = work, folder, dry_run

    @classmethod
    def start(
        cls,
        config_path: Path,
        work: Work,
        store: SessionStore,
        who: str,
        *,
        dry_run: bool,
        limit_s: float = TIME_LIMIT_S,
    ) -> Fitting:
        """Raises Fault(TRANSFER_FAILED) where no process can be started."""
        folder = store.folder_of(work)
        return cls(config_path, work, folder, who, dry_run=dry_run, limit_s=limit_s)

    def result(self) -> FitResult:
        """What it found. Raises the fault that it met, or Fault(TRANSFER_FAILED)."""
        self.check("finish again")
        path = self.folder / FILE
        try:
            return FitResult.model_validate_json(path.read_bytes())
        except OSError as error:
            raise storage_fault(error, path) from None
        except ValidationError as error:
            detail = f"{path} is damaged ({error.errors()[0]['msg']}); finish again"
            raise Fault(Faults.TRANSFER_FAILED, detail) from None
