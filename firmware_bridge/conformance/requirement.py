"""A requirement: what is promised, and how it is tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from firmware_bridge.conformance.subject import Subject
from firmware_bridge.protocol import Capability


class Severity(Enum):
    """MUST: a host relies on it. SHOULD: a host gets on without, people do not."""

    MUST = "must"
    SHOULD = "should"


Check: TypeAlias = Callable[[Subject], None]


@dataclass(frozen=True)
class Requirement:
    """promise: words of docs/protocol.md.

    check: raises Broken, or LinkError where the port fails; needs: without these of INFO's
    capabilities it is skipped; long: left out of a quick run.
    """

    id: str
    promise: str
    check: Check
    severity: Severity = Severity.MUST
    needs: Capability = Capability.NONE
    long: bool = False


def requires(
    into: list[Requirement],
    name: str,
    promise: str,
    *,
    severity: Severity = Severity.MUST,
    needs: Capability = Capability.NONE,
    long: bool = False,
) -> Callable[[Check], Check]:
    """Add the decorated check to `into`."""

    def add(check: Check) -> Check:
        into.append(Requirement(name, promise, check, severity, needs, long))
        return check

    return add
