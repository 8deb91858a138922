"""The child of adaptation as the daemon sees it: at most one, which never holds it up."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

from spektron_edge.child.process import Child
from spektron_edge.faults import Fault, Faults

from .task import Result, Task, read_result

# At the lowest priority it gets what is left over, which may be little: its processor time is
# limited as well.
TIME_LIMIT_S = 600.0
_MODULE = "spektron_edge.adaptation.worker"


class Attempt(Child):
    """A running or ended child; task: None for the yardstick of a bundle."""

    def __init__(self, config_path: Path, serial: str, folder: Path, task: Task | None) -> None:
        """folder: where the task lies. Raises Fault(ADAPTATION_FAILED)."""
        kind: Literal["adapt", "calibrate"] = "calibrate" if task is None else "adapt"
        what = "measuring the source" if task is None else "the adaptation"
        # In one word: it may begin with a dash.
        arguments = [str(config_path.resolve()), kind, f"--serial={serial}"]
        super().__init__(_MODULE, arguments, TIME_LIMIT_S, what, Faults.ADAPTATION_FAILED)
        self.task, self._folder = task, folder
        self._began = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """By the clock; it took no more of the processor, of which it uses one core."""
        return time.monotonic() - self._began

    def result(self) -> Result | None:
        """Of an ended one; None for a yardstick. Raises the fault that it met, or
        Fault(ADAPTATION_FAILED)."""
        self.check("it is tried again later")
        return None if self.task is None else read_result(self._folder, self.task.id)


def failed(fault: Fault) -> Fault:
    """Whatever kept an attempt from succeeding, as one kind: predictions do not depend on it."""
    if fault.kind is Faults.ADAPTATION_FAILED:
        return fault
    return Fault(Faults.ADAPTATION_FAILED, f"{fault.detail} [{fault.code}]")
