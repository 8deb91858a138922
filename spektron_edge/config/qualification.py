"""The section of performance qualification by schedule."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from .section import Section

_UNITS_S = {"h": 3600.0, "d": 86_400.0, "w": 604_800.0}


class QualificationSettings(Section):
    """When an instrument has to prove itself again, and what follows where it has not."""

    every: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,3}[hdw]$")] | None = Field(
        None, description='"12h", "7d", "4w"; absent: nothing is ever due'
    )
    predictions: Literal["warn", "mark"] = Field(
        "warn", description="mark: predictions are invalid while it is due or has failed"
    )
    plan: Path | None = Field(None, description="file that `spektron-edge qualify` goes by")

    @property
    def every_s(self) -> float | None:
        """The same in seconds."""
        return None if self.every is None else int(self.every[:-1]) * _UNITS_S[self.every[-1]]
