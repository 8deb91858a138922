"""Whoever decides says what was seen: a decision is about nothing that came since."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from spektron_edge.faults import Fault, Faults

# Number of what is in use; 0: the bundle's own calibration.
SeenNumber = Annotated[int, Field(ge=0)]


def check_seen(seen: str | int | None, now: str | int, what: str) -> None:
    """seen: None where nobody says. Raises Fault(OTHER_THAN_SEEN)."""
    if seen is not None and seen != now:
        detail = f"{what} is {now!s} now, and was {seen!s} when it was looked at; nothing was done"
        raise Fault(Faults.OTHER_THAN_SEEN, detail)
