"""A report: what was found, and who stands for it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from spektron_edge.roles import Meaning

from .book import About, Calibration, Kind
from .figures import Figure
from .items import Item, Overall, Strict

REPORT, DATA = "report.json", "data.zip"
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class PlanUsed(Strict):
    """Which plan, and the SHA-256 of its file."""

    title: str
    version: str
    sha256: Digest


class Signed(Strict):
    """A person's electronic signature. proven: how the person was recognised."""

    by: str = Field(min_length=1, max_length=64)
    meaning: Meaning
    reason: str = Field(min_length=1, max_length=500)
    utc: str
    proven: str


class Report(Strict):
    """What was found. clock: whether the host's is synchronised, by its kernel; data: SHA-256 of
    the raw data beside it."""

    schema_: Literal["spektron.qualification/1"] = Field("spektron.qualification/1", alias="schema")
    kind: Kind
    about: About
    number: int = Field(ge=1)
    site: str
    instrument: str
    serial: str | None
    calibration: Calibration | None
    began: str
    ended: str
    clock: Literal["synchronised", "not synchronised", "unknown"]
    software: str
    plan: PlanUsed | None
    performed_by: str
    items: tuple[Item, ...]
    figures: tuple[Figure, ...]
    verdict: Overall
    data: Digest | None

    @property
    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return self.model_dump(mode="json", by_alias=True)


def page_name(signatures: int) -> str:
    """Of the page that shows so many: another one, so that the old one is there until the report
    names the new one, whenever the power fails."""
    return "report.html" if signatures < 2 else f"report-{signatures}.html"
