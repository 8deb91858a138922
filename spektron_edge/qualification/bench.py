"""Measuring with the daemon that runs: what comes out of its door while a standard lies there.

What is qualified so is what measures every day: its references, its corrections, its model.
"""

from __future__ import annotations

import base64
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spektron_edge.door.client import DoorAway, DoorStream, Message
from spektron_edge.door.door import DOOR_FILE
from spektron_edge.faults import Fault, Faults

from .book import Calibration
from .results import Measured, calibration_of, measured

Array = NDArray[np.float64]
PATIENCE_S = 60.0
# So many scans in a row that tell nothing are no accident.
_UNSOUND = 8
_PREDICTIONS_KEPT = 64


@dataclass(frozen=True, eq=False)
class Axis:
    """values_nm: (P,), rising; id: the same for the same values."""

    id: str
    values_nm: Array


@dataclass(frozen=True, eq=False)
class Known:
    """What the daemon says of itself at once; None where there has been nothing yet."""

    hello: Message
    model: Message | None
    state: Message | None
    axis: Axis | None
    newest: str | None
    faults: tuple[str, ...]


@dataclass(eq=False)
class _Taking:
    serial: str = ""
    axis: str = ""
    calibration: Calibration | None = None
    spectra: list[Array] = field(default_factory=list)
    at_s: list[float] = field(default_factory=list)
    records: list[Message] = field(default_factory=list)


class Bench:
    """Each call makes a connection of its own: what was seen before it is not what lies there now.

    Methods raise Fault(COMMAND_NOT_DONE) where no daemon runs or none of its scans can be used.
    """

    def __init__(self, state_dir: Path, patience_s: float = PATIENCE_S) -> None:
        """patience_s: how long to wait for the next scan that can be used."""
        self._path, self._patience_s = state_dir / DOOR_FILE, patience_s

    def look(self) -> Known:
        """What is known now."""
        with self._entered() as door:
            return _welcome(door)

    def measure(self, scans: int, progress: Callable[[int], None]) -> Measured:
        """The next scans; progress: told how many there are."""
        with self._entered() as door:
            known = _welcome(door)
            taking, axis = _Taking(), known.axis
            # One may have begun before what lies there now did: it is the first that comes.
            early = {known.newest}
            skipped = unsound = 0
            for spectrum, record in self._pairs(door, early):
                if isinstance(spectrum, Axis):
                    axis = spectrum
                    continue
                if skipped < 1:
                    skipped += 1
                    continue
                if not _sound(spectrum) or axis is None:
                    unsound += 1
                    if unsound >= _UNSOUND:
                        raise Fault(Faults.COMMAND_NOT_DONE, _why(record))
                    continue
                unsound = 0
                _take(taking, spectrum, record, axis)
                progress(len(taking.spectra))
                if len(taking.spectra) == scans:
                    return _measured(taking, axis)
        raise Fault(Faults.COMMAND_NOT_DONE, "the daemon ended")

    def _pairs(self, door: DoorStream, early: set[str | None]) -> Iterator[tuple[Any, Message]]:
        """Spectra with their predictions, and axes; raises Fault after too long without one."""
        predictions: deque[Message] = deque(maxlen=_PREDICTIONS_KEPT)
        last = time.monotonic()
        while True:
            if time.monotonic() - last > self._patience_s:
                told = f"no scan within {self._patience_s:g} s; see what `health` says"
                raise Fault(Faults.COMMAND_NOT_DONE, told)
            message = door.receive()
            if message["type"] == "prediction":
                predictions.append(message["record"])
            elif message["type"] == "axis":
                yield _axis(message), {}
            elif message["type"] == "spectrum" and message["record"] not in early:
                found = [p for p in predictions if p["id"] == message["record"]]
                if found:
                    last = time.monotonic()
                    yield message, found[-1]

    @contextmanager
    def _entered(self) -> Iterator[DoorStream]:
        try:
            with DoorStream(self._path, self._patience_s) as door:
                yield door
        except TimeoutError:
            told = f"the daemon said nothing for {self._patience_s:g} s"
            raise Fault(Faults.COMMAND_NOT_DONE, told) from None
        except DoorAway as error:
            raise Fault(Faults.COMMAND_NOT_DONE, str(error)) from None
        except OSError as error:
            told = f"no daemon runs at {self._path.parent}: {error.strerror}; start it first"
            raise Fault(Faults.COMMAND_NOT_DONE, told) from None


def _welcome(door: DoorStream) -> Known:
    """Up to the faults, which are always told, and last."""
    seen: dict[str, Message] = {}
    while "faults" not in seen:
        message = door.receive()
        seen[message["type"]] = message
    record = {
        name: seen[name]["record"] for name in ("model", "state", "prediction") if name in seen
    }
    return Known(
        hello=seen["hello"],
        model=record.get("model"),
        state=record.get("state"),
        axis=_axis(seen["axis"]) if "axis" in seen else None,
        newest=record["prediction"]["id"] if "prediction" in record else None,
        faults=tuple(fault["code"] for fault in seen["faults"]["faults"]),
    )


def _axis(message: Message) -> Axis:
    return Axis(message["id"], _numbers(message["values"], "<f8"))


def _numbers(text: str, dtype: str = "<f4") -> Array:
    return np.frombuffer(base64.b64decode(text), dtype).astype(np.float64)


def _sound(spectrum: Message) -> bool:
    """No dark or no light leaves nothing, or what is no number, and nothing can be said of it."""
    given = spectrum["absorbance"]
    return given is not None and bool(np.all(np.isfinite(_numbers(given))))


def _why(record: Message) -> str:
    reasons = ", ".join(record["reasons"]) or "they have no absorbance"
    return f"{_UNSOUND} scans in a row could not be used: {reasons}"


def _take(taking: _Taking, spectrum: Message, record: Message, axis: Axis) -> None:
    calibration = calibration_of(record["model"])
    if not taking.spectra:
        taking.serial, taking.axis = spectrum["serial"], spectrum["axis"]
        taking.calibration = calibration
    same = (spectrum["serial"], spectrum["axis"]) == (taking.serial, taking.axis)
    if not same or taking.axis != axis.id:
        raise Fault(Faults.COMMAND_NOT_DONE, "another instrument or axis came meanwhile")
    if calibration != taking.calibration:
        raise Fault(Faults.COMMAND_NOT_DONE, "the calibration changed meanwhile")
    taking.spectra.append(_numbers(spectrum["absorbance"]))
    at = datetime.fromisoformat(spectrum["utc"].replace("Z", "+00:00"))
    taking.at_s.append(at.timestamp())
    taking.records.append(record)


def _measured(taking: _Taking, axis: Axis) -> Measured:
    spectra, at_s = np.array(taking.spectra), np.array(taking.at_s)
    return measured(taking.records, spectra, axis.values_nm, at_s)
