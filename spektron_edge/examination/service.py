"""What systemd says of the daemon's unit and the page's."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from spektron_edge.faults import Faults

from .finding import Finding, bad, ok, unseen, warning

PART = "service"
UNIT, PAGE_UNIT = "spektron-edge.service", "spektron-edge-page.service"
# sd_booted(3).
_BOOTED = Path("/run/systemd/system")
_ASKED = ("LoadState", "ActiveState", "SubState", "UnitFileState", "NRestarts", "ExecMainStatus")
_WAIT_S = 5.0


def properties(unit: str) -> dict[str, str] | None:
    """What `systemctl show` says; None where systemd does not run this machine. Raises OSError."""
    program = shutil.which("systemctl")
    if program is None or not _BOOTED.is_dir():
        return None
    try:
        said = subprocess.run(  # noqa: S603 - fixed words
            [program, "show", "--property=" + ",".join(_ASKED), unit],
            capture_output=True,
            text=True,
            timeout=_WAIT_S,
            check=False,
        ).stdout
    except subprocess.TimeoutExpired:
        raise OSError(f"systemctl does not answer within {_WAIT_S:g} s") from None
    return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)


def look() -> Iterator[Finding]:
    """Raises OSError."""
    for unit in (UNIT, PAGE_UNIT):
        known = properties(unit)
        if known is None:
            yield unseen(PART, "systemd does not run this machine")
            return
        yield _unit(unit, known)


def _unit(unit: str, known: dict[str, str]) -> Finding:
    if known.get("LoadState") != "loaded":
        return unseen(PART, f"{unit} is not installed")
    active = known.get("ActiveState", "unknown")
    said = f"{unit} is {active} ({known.get('SubState')}), {known.get('UnitFileState')}"
    log = f"journalctl -u {unit} -n 50"
    if active == "failed":
        return bad(PART, f"{said}{_why(known)}", f"{log}; then systemctl restart {unit}")
    if active in ("active", "activating", "reloading"):
        if (again := known.get("NRestarts", "0")) not in ("", "0"):
            return warning(PART, f"{said}, restarted {again} times by itself", log)
        return ok(PART, said)
    if known.get("UnitFileState") == "enabled":
        return bad(PART, f"{said}{_why(known)}", f"systemctl start {unit}; {log}")
    if unit == PAGE_UNIT:
        return unseen(PART, f"{said}: nobody asked for it")
    return warning(PART, f"{said}: it does not start by itself", f"systemctl enable --now {unit}")


def _why(known: dict[str, str]) -> str:
    status = known.get("ExecMainStatus", "0")
    codes = [f.value.code for f in Faults if str(f.value.exit_status) == status]
    return f"; its last process ended with {status}, {codes[0]}" if codes else ""
