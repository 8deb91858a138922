"""Whether the wall clock can be believed, and something keeps it in step."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone

from spektron_edge.clock_sync import kernel_synchronised
from spektron_edge.faults import Fault, Faults

from .finding import Finding, of_fault, ok, unseen, warning

PART = "clock"
_STEP = "enable time synchronisation: timedatectl set-ntp true"


def look(made: datetime | None) -> Iterator[Finding]:
    """made: when the bundle was, which is certainly past; None where that is not known."""
    now = datetime.now(timezone.utc)
    if made is not None and now < made:
        told = f"the clock shows {now:%Y-%m-%d %H:%M} UTC, before the model was made"
        yield of_fault(PART, Fault(Faults.CLOCK_SUSPECT, told))
        return
    in_step = kernel_synchronised()
    shown = f"the clock shows {now:%Y-%m-%d %H:%M:%S} UTC"
    if in_step is None:
        yield unseen(PART, f"{shown}; this user may not ask the kernel whether it is in step")
    elif in_step:
        yield ok(PART, f"{shown}, and is kept in step")
    else:
        yield warning(PART, f"{shown}, and nothing keeps it in step", _STEP)
