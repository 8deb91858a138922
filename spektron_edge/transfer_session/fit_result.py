"""What the child that fits has found: `result.json` in the session's folder."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spektron_edge.bundle.canonical import canonical

from .work import Work

FILE = "result.json"
REPORT = "report.html"
FIGURES = "report.json"
PICTURE = "report.png"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class PropertyResult(_Strict):
    """Of one property, in its unit: predicted RMSEP against the reference method, 90 % interval."""

    name: str
    unit: str
    valid: bool
    rmsep: float
    rmsep_low: float
    rmsep_high: float
    method: str


class FitResult(_Strict):
    """work: of the session as it was fitted, see `identity_of`; version: of the stored transfer,
    None after a dry run; left_out: sample -> why; seconds, processor_s, peak_mb: of the clock, of
    a processor, and of resident memory that it took."""

    format: Literal[1] = 1
    session: str
    work: str = ""
    version: int | None
    pairs: int
    unpaired: int
    properties: tuple[PropertyResult, ...]
    warnings: tuple[str, ...] = ()
    left_out: dict[str, str] = Field(default_factory=dict)
    seconds: float
    processor_s: float
    peak_mb: float

    @property
    def valid(self) -> bool:
        """Whether any property may be used."""
        return any(p.valid for p in self.properties)


def read_result(folder: Path) -> FitResult | None:
    """Of a session's folder; None where it holds none that can be read."""
    try:
        return FitResult.model_validate_json((folder / FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def identity_of(work: Work) -> str:
    """Another one after any change of the session."""
    return hashlib.sha256(canonical(work.model_dump(mode="json"))).hexdigest()[:12]
