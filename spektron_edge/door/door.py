"""What the main path tells through the door, and what somebody who comes in later is told first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spektron_edge.commands.asked import CommandOutcome
from spektron_edge.faults import Fault
from spektron_edge.outbox import Outgoing
from spektron_edge.publishing.records import ModelState, Stage, StateRecord, to_json

from .asking import AtDoor
from .connection import SILENT_S
from .listener import Listener
from .telling import (
    Answer,
    AxisTold,
    FaultsTold,
    Hello,
    Kind,
    RecordTold,
    SpectrumTold,
    Telling,
    refusal,
)

DOOR_FILE = "door.sock"
_ORDER = ("model", "state", "axis", "prediction", "spectrum", "faults")


class Door:
    """Every method is the main path's, and waits for nobody."""

    def __init__(
        self,
        state_dir: Path,
        hello: Hello,
        post: Callable[[AtDoor], None],
        failed: Callable[[Fault], None],
        silent_s: float = SILENT_S,
    ) -> None:
        """post: takes what is asked; failed: told when the door's thread ends by a mistake."""
        self._hello = hello
        self._last: dict[str, Telling] = {"faults": FaultsTold(())}
        self._listener = Listener(state_dir / DOOR_FILE, self._welcome, post, failed, silent_s)
        self.counters = self._listener.counters

    @property
    def somebody(self) -> bool:
        """Whether a program is connected."""
        return self._listener.somebody

    def open(self) -> None:
        """Let programs in. Raises Fault(DOOR_SHUT)."""
        self._listener.open()

    def close(self, within_s: float = 1.0) -> None:
        """The daemon ends."""
        self._listener.close(within_s)

    def record(self, record: Outgoing) -> None:
        """A prediction or an event, as it is published."""
        told = RecordTold(record.kind, record.payload)
        if record.kind == "prediction":
            self._last["prediction"] = told
        self._listener.hand(told)

    def state(self, state: StateRecord) -> None:
        """How the daemon is."""
        self._retained("state", to_json(state))

    def model(self, model: ModelState) -> None:
        """What is predicted with."""
        self._retained("model", to_json(model))

    def _retained(self, kind: Kind, payload: bytes) -> None:
        self._keep(kind, RecordTold(kind, payload))

    def axis(self, serial: str, axis_nm: NDArray[np.float64]) -> None:
        """An instrument is ready; axis_nm: (P,) in nm."""
        self._keep("axis", AxisTold(serial, axis_nm))

    def faults(self, faults: tuple[tuple[Fault, str], ...]) -> None:
        """Which are going on, and since when."""
        self._keep("faults", FaultsTold(faults))

    def _keep(self, kind: str, telling: Telling) -> None:
        # In this order: somebody who comes in now finds it in one place or in the other.
        self._last[kind] = telling
        self._listener.hand(telling)

    def spectrum(self, spectrum: SpectrumTold) -> None:
        """Of a scan that became a prediction."""
        self._last["spectrum"] = spectrum
        self._listener.offer(spectrum)

    def answer(self, connection: int, id_: str, outcome: CommandOutcome, stage: Stage) -> None:
        """What came of a line."""
        self._listener.hand(Answer(connection, id_, outcome, stage))

    def refuse(self, connection: int, id_: str, why: str, code: str | None = None) -> None:
        """Nothing came of it. code: of the fault, where it is one."""
        self.counters["door_refused"] += 1
        self._listener.hand(refusal(connection, id_, why, code))

    def wake(self) -> None:
        """In spare time: what was handed over is sent now."""
        self._listener.wake()

    def _welcome(self) -> tuple[Telling, ...]:
        last = self._last
        return (self._hello, *(last[kind] for kind in _ORDER if kind in last))
