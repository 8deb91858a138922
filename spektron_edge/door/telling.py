"""Lines that the daemon sends through its door, made only when somebody reads them.

Each holds references to what is never changed any more: the main path hands it over, and the door's
thread makes text of it.
"""

from __future__ import annotations

import base64
import json
import math
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from spektron_edge.commands.asked import CommandOutcome
from spektron_edge.faults import Fault
from spektron_edge.publishing.records import Stage
from spektron_edge.publishing.spectrum_payload import axis_id
from spektron_edge.spectra.acquisition import References
from spektron_edge.spectra.scan import Scan

from .lines import MOST_SENT

VERSION = 1
Kind = Literal["prediction", "event", "state", "model"]


class Telling(Protocol):
    """Something to be sent."""

    def line(self) -> bytes:
        """As it is sent, with the line's end."""


@dataclass(frozen=True, eq=False)
class Hello:
    """The first line."""

    version: str
    site: str
    instrument: str
    state_dir: str

    def line(self) -> bytes:
        """See the module."""
        return _line("hello", door=VERSION, **vars(self))


@dataclass(frozen=True, eq=False)
class RecordTold:
    """payload: the record exactly as it is published."""

    kind: Kind
    payload: bytes

    def line(self) -> bytes:
        """See the module."""
        return b'{"type":"' + self.kind.encode() + b'","record":' + self.payload + b"}\n"


@dataclass(frozen=True, eq=False)
class AxisTold:
    """axis_nm: (P,) wavelengths in nm."""

    serial: str
    axis_nm: NDArray[np.float64]

    def line(self) -> bytes:
        """See the module."""
        values = _numbers(self.axis_nm, "<f8")
        return _line("axis", serial=self.serial, id=axis_id(self.axis_nm), values=values)


@dataclass(frozen=True, eq=False)
class SpectrumTold:
    """record: id of its prediction; absorbance, variance: (P,) where they are known."""

    record: str
    utc: str
    scan: Scan
    references: References | None
    absorbance: NDArray[np.float64] | None
    variance: NDArray[np.float64] | None

    def line(self) -> bytes:
        """See the module."""
        scan, used = self.scan, self.references
        bad = None if used is None else used.detector.bad
        return _line(
            "spectrum",
            record=self.record,
            scan=scan.number,
            boot_id=scan.boot_id,
            serial=scan.serial,
            axis=axis_id(scan.axis_nm),
            utc=self.utc,
            counts=_numbers(scan.counts),
            dark=None if used is None else _numbers(used.dark),
            white=None if used is None else _numbers(used.white),
            absorbance=None if self.absorbance is None else _numbers(self.absorbance),
            sigma=None if self.variance is None else _numbers(np.sqrt(self.variance)),
            saturated=[] if scan.full is None else np.flatnonzero(scan.full).tolist(),
            bad_pixels=[] if bad is None else np.flatnonzero(bad.bad).tolist(),
        )


@dataclass(frozen=True, eq=False)
class FaultsTold:
    """The faults that are going on, each with when it began (UTC, ISO 8601)."""

    faults: tuple[tuple[Fault, str], ...]

    def line(self) -> bytes:
        """See the module."""
        told = [
            {
                "code": fault.code,
                "message": fault.detail,
                "next_step": fault.next_step,
                "level": "error",
                "since_utc": since,
            }
            for fault, since in self.faults
        ]
        return _line("faults", faults=told)


@dataclass(frozen=True, eq=False)
class Answer:
    """To one line of one connection. id: the line's own, None where it could not be read."""

    connection: int
    id: str | None
    outcome: CommandOutcome
    stage: Stage

    def line(self) -> bytes:
        """See the module."""
        told = self.outcome
        result = {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in told.result.items()
        }
        head = {"id": self.id, "stage": self.stage, "ok": told.ok, "message": told.message}
        line = _line("answer", **head, result=result)
        if len(line) > MOST_SENT:
            line = _line("answer", **head, result={"left_out": "it is longer than a line may be"})
        return line


def refusal(connection: int, id_: str | None, why: str, code: str | None = None) -> Answer:
    """Nothing was done. code: of the fault, where it is one."""
    result: dict[str, str | int | float | bool | tuple[str, ...] | None] = {}
    if code is not None:
        result["fault"] = code
    return Answer(connection, id_, CommandOutcome(False, why, result), "finished")


def _line(type_: str, **fields: object) -> bytes:
    return json.dumps({"type": type_, **fields}, separators=(",", ":")).encode() + b"\n"


def _numbers(values: NDArray[np.float64], dtype: str = "<f4") -> str:
    return base64.b64encode(values.astype(dtype).tobytes()).decode()
