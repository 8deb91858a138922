"""The child process that fits, as its parent sees it: started, watched, ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from pydantic import ValidationError

from spektron_edge.faults import Fault, Faults
from spektron_edge.state import storage_fault

from .fit_result import FILE, FitResult
from .session_store import SessionStore
from .work import Work

TIME_LIMIT_S = 120.0
_POLL_S = 0.05
_MAX_BYTES = 1 << 20


@dataclass
class Fitting:
    """A running or ended fit of `work`. Use as a context: leaving it ends the child."""

    work: Work
    folder: Path
    dry_run: bool
    process: subprocess.Popen[bytes]
    deadline: float
    too_slow: bool = False
    said: bytes = b""
    fault: Fault | None = field(default=None)

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
        command = [sys.executable, "-m", "spektron_edge.transfer_session.worker"]
        command += [str(config_path.resolve()), work.id, who]
        # One thread: the others would compete with the daemon whatever their priority.
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        try:
            process = subprocess.Popen(  # noqa: S603  our own module
                [*command, *(["--dry-run"] if dry_run else [])],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **one},
            )
        except OSError as error:
            detail = f"no process could be started for the fit: {error.strerror}"
            raise Fault(Faults.TRANSFER_FAILED, detail) from None
        assert process.stdout is not None  # noqa: S101  asked for above
        os.set_blocking(process.stdout.fileno(), False)
        deadline = time.monotonic() + limit_s
        return cls(work, store.folder_of(work), dry_run, process, deadline)

    def __enter__(self) -> Fitting:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def steps(self) -> list[str]:
        """What the child has begun since the last call; never waits."""
        stream = self.process.stdout
        if stream is None or stream.closed:
            return []
        self.said += (stream.read() or b"")[:_MAX_BYTES]
        *lines, self.said = self.said.split(b"\n")
        begun = []
        for line in lines:
            try:
                said = json.loads(line)
            except ValueError:
                continue  # a library's own words
            if isinstance(said, dict) and "step" in said:
                begun.append(str(said["step"]))
            elif isinstance(said, dict) and "fault" in said:
                kind = next((f for f in Faults if f.value.code == said["fault"]), None)
                self.fault = Fault(kind or Faults.TRANSFER_FAILED, str(said.get("detail")))
        return begun

    @property
    def running(self) -> bool:
        """Whether it goes on; kills one that has taken too long. Never waits."""
        if self.process.poll() is not None:
            return False
        if time.monotonic() > self.deadline:
            self.too_slow = True
            self.process.kill()
            self.process.wait()
            return False
        return True

    def wait(self, progress: Callable[[str], None]) -> None:
        """Until it ends; `progress` hears of each step."""
        while True:
            ended = not self.running
            for step in self.steps():
                progress(step)
            if ended:
                return
            time.sleep(_POLL_S)

    def result(self) -> FitResult:
        """What it found. Raises the fault that it met, or Fault(TRANSFER_FAILED)."""
        self.steps()
        status = self.process.returncode
        if self.fault is not None:
            raise self.fault
        if self.too_slow:
            raise Fault(Faults.TRANSFER_FAILED, "the fit took too long and was ended; finish again")
        if status:
            ended = (
                f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
            )
            detail = f"the fit {ended}, perhaps for want of memory; finish again"
            raise Fault(Faults.TRANSFER_FAILED, detail)
        path = self.folder / FILE
        try:
            return FitResult.model_validate_json(path.read_bytes())
        except OSError as error:
            raise storage_fault(error, path) from None
        except ValidationError as error:
            detail = f"{path} is damaged ({error.errors()[0]['msg']}); finish again"
            raise Fault(Faults.TRANSFER_FAILED, detail) from None

    def end(self) -> None:
        """No child is left behind."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
