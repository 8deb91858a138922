"""What a run says of itself in `status.json`, and what an onlooker makes of it."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from spektron_train.archive import write_file

NAME = "status.json"
# A step, a validation and a checkpoint each take far less; longer silence is that of a dead run.
STALE_AFTER_S = 300.0
_BEAT_EVERY_S = 1.0
State = Literal["running", "finished", "stopped", "failed"]


class StatusError(Exception):
    """There is no run in the folder, or its status cannot be read."""


class Status(BaseModel):
    """`status.json`. Times are seconds of the Unix clock; `told` says why it ended as it did."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    state: State
    told: str = ""
    pid: int
    host: str
    processes: int
    device: str
    started: float
    beat: float
    step: int
    steps: int
    spectra_per_s: float | None = None
    seconds_left: float | None = None
    metrics: dict[str, float] = {}
    validation: dict[str, float] = {}
    checkpoint: str | None = None
    foundation: str | None = None


class Heart:
    """Writes the status of this process: at every change of state, else once a second at most."""

    def __init__(self, folder: Path, steps: int, processes: int, device: str) -> None:
        self._path = folder / NAME
        now = time.time()
        self._last = float("-inf")
        self.status = Status(
            state="running",
            pid=os.getpid(),
            host=socket.gethostname(),
            processes=processes,
            device=device,
            started=now,
            beat=now,
            step=0,
            steps=steps,
        )

    def beat(self, **changes: object) -> None:
        """Note changes; written when the last writing was a second ago or `state` is among them."""
        now = time.time()
        self.status = self.status.model_copy(update={**changes, "beat": now})
        if "state" in changes or time.monotonic() - self._last >= _BEAT_EVERY_S:
            self._last = time.monotonic()
            write_file(self._path, (self.status.model_dump_json(indent=1) + "\n").encode())


def read_status(folder: Path) -> Status:
    """As the run last wrote it. Raises StatusError."""
    path = folder / NAME
    try:
        return Status.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise StatusError(f"{folder} holds no run: it has no {NAME}") from None
    except OSError as error:
        raise StatusError(f"cannot read {path}: {error}") from None
    except ValidationError:
        raise StatusError(
            f"{path} is not a run's status; the run rewrites it, if it lives"
        ) from None


def seen_state(status: Status, now: float) -> Literal[State, "stale"]:
    """`status.state`, or "stale" when a run that calls itself running is gone or silent."""
    if status.state != "running":
        return status.state
    if now - status.beat > STALE_AFTER_S:
        return "stale"
    if status.host == socket.gethostname() and not _alive(status.pid):
        return "stale"
    return "running"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
