"""Findings of `setup` and `doctor`, one after the other, for a reader or as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TextIO

from firmware_bridge.printable import printable
from spektron_edge.examination.finding import Finding, worst
from spektron_edge.faults import Faults

_WARNINGS = 1
_MARKS = {"ok": "ok", "warning": "WARNING", "bad": "BAD", "not looked at": "-"}


def told(findings: Iterable[Finding], stream: TextIO | None) -> list[Finding]:
    """All of them, each written as it comes; stream: None for nowhere."""
    seen = []
    for finding in findings:
        seen.append(finding)
        if stream is not None:
            code = f" [{finding.code}]" if finding.code else ""
            said = printable(f"{finding.said}{code}")
            stream.write(f"{_MARKS[finding.state]:8} {finding.part + ':':20} {said}\n")
            if finding.next_step:
                stream.write(f"{'':29} Next: {printable(finding.next_step)}.\n")
            stream.flush()
    return seen


def as_json(findings: list[Finding]) -> list[dict[str, object]]:
    """For `--json`."""
    return [asdict(finding) for finding in findings]


def summary(findings: list[Finding]) -> str:
    """How many of each, in words."""
    count = {state: sum(f.state == state for f in findings) for state in _MARKS}
    return ", ".join(f"{n} {state}" for state, n in count.items())


def exit_status(findings: list[Finding]) -> int:
    """0, 1 where there are warnings only, else that of `examination_bad`."""
    bad = Faults.EXAMINATION_BAD.value.exit_status
    return {"ok": 0, "warning": _WARNINGS, "bad": bad}[worst(findings)]
