"""What a look at one part found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from spektron_edge.faults import Fault

State = Literal["ok", "warning", "bad", "not looked at"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    part: which; said: in plain words; next_step: what to do, empty where nothing need be done;
    code: of the fault that the daemon would have, if it is one of the catalogue.
    """

    part: str
    state: State
    said: str
    next_step: str = ""
    code: str | None = None


def ok(part: str, said: str) -> Finding:
    """Nothing need be done."""
    return Finding(part, "ok", said)


def warning(part: str, said: str, next_step: str) -> Finding:
    """It works, and may not for long, or not as somebody expects."""
    return Finding(part, "warning", said, next_step)


def bad(part: str, said: str, next_step: str) -> Finding:
    """It does not work."""
    return Finding(part, "bad", said, next_step)


def unseen(part: str, why: str) -> Finding:
    """It was not looked at."""
    return Finding(part, "not looked at", why)


def of_fault(part: str, fault: Fault, state: State = "bad") -> Finding:
    """What the catalogue knows of it."""
    return Finding(part, state, fault.detail, fault.next_step, fault.code)


def worst(findings: Sequence[Finding]) -> Literal["ok", "warning", "bad"]:
    """The verdict on all; what was not looked at is not held against anybody."""
    states = {finding.state for finding in findings}
    return "bad" if "bad" in states else "warning" if "warning" in states else "ok"
