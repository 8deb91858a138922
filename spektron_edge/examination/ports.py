"""Serial ports: which there are, who may use one, who holds it, which drivers are looked for."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spektron_edge.faults import Fault, Faults
from spektron_edge.files.lock_files import is_locked

from .finding import Finding, of_fault, ok, unseen
from .subject import Subject
from .users import READ, WRITE, daemon_user, group_name

if TYPE_CHECKING:
    from firmware_bridge.drivers.driver import Driver
    from firmware_bridge.probe import Noise, Outcome

PART = "port"
# Major numbers of pseudo terminals' ends: whoever made one holds it as well (devices.txt of Linux).
_PSEUDO = range(136, 144)


@dataclass(frozen=True)
class SerialPort:
    """path: of the device; what, id: as the system describes it."""

    path: str
    what: str
    id: str


def serial_ports() -> list[SerialPort]:
    """All that this machine has."""
    from serial.tools.list_ports import comports

    return [SerialPort(p.device, p.description, p.hwid) for p in comports()]


def look(subject: Subject) -> Iterator[Finding]:
    """Raises OSError."""
    url = subject.config.serial.url
    if "://" in url:
        yield unseen(PART, f"{url} is no device of this machine")
        return
    path = Path(url)
    if not path.exists():
        told = f"{url} is not there{_others(url)}"
        yield of_fault(PART, Fault(Faults.PORT_MISSING, told))
        return
    device = path.stat()
    if not stat.S_ISCHR(device.st_mode):
        told = f"{url} is no serial port"
        yield of_fault(PART, Fault(Faults.PORT_MISSING, told))
        return
    user = daemon_user(subject.config.state_dir)
    if not user.may(path, READ | WRITE):
        group = group_name(device.st_gid)
        told = f"{user.name}, who runs the daemon, may not use {url} (group {group})"
        step = f"usermod -a -G {group} {user.name}, then restart the daemon"
        yield Finding(PART, "bad", told, step, Faults.PORT_DENIED.value.code)
        return
    held = [] if subject.running else holders(path)
    if held:
        told = f"{url} is held by {', '.join(held)}"
        yield Finding(PART, "bad", told, "stop it", Faults.PORT_BUSY.value.code)
        return
    by = ", in use by the daemon" if subject.running else ""
    yield ok(PART, f"{url} is there, and {user.name} may use it{by}")


def holders(path: Path) -> list[str]:
    """Other processes that have it open, as far as this user can see; none of a pseudo terminal's
    that do not lock it, since whoever made it holds it, too."""
    device = path.stat()
    if os.major(device.st_rdev) in _PSEUDO and not is_locked(path):
        return []
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) != os.getpid() and _holds(process, device):
            with contextlib.suppress(OSError):
                name = (process / "comm").read_text("utf-8", "replace").strip()
                found.append(f"{name} (process {process.name})")
    return found


def _holds(process: Path, device: os.stat_result) -> bool:
    # Processes end while they are looked at, and those of others are closed to us.
    with contextlib.suppress(OSError):
        for handle in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                found = handle.stat()
                if stat.S_ISCHR(found.st_mode) and _same(found, device):
                    return True
    return False


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    if one.st_rdev != other.st_rdev:
        return False
    # Each container counts its pseudo terminals anew, on a file system of its own.
    return os.major(one.st_rdev) not in _PSEUDO or one.st_dev == other.st_dev


def _others(url: str) -> str:
    there = [port.path for port in serial_ports() if port.path != url]
    return f"; there are {', '.join(there)}" if there else "; this machine has no serial port"


def wanted_drivers(names: list[str]) -> tuple[list[Driver], list[str]]:
    """Those to look for, and those that are not, each with why. names: these only, if any.

    Raises Fault(NOTHING_FOUND) for a name that is none.
    """
    from firmware_bridge.drivers.registry import Broken, UnknownDriver, driver, everything

    if names:
        try:
            chosen = [driver(name) for name in names]
        except UnknownDriver as error:
            raise Fault(Faults.NOTHING_FOUND, str(error)) from None
        return chosen, [f"{d.name} (speaks no serial line)" for d in chosen if not d.bauds]
    chosen, left_out = [], []
    for found in everything():
        if isinstance(found, Broken):
            left_out.append(f"{found.name} of {found.package} ({found.why})")
        elif not found.bauds:
            left_out.append(f"{found.name} (speaks no serial line)")
        elif found.quiet:
            left_out.append(f"{found.name} (only by --driver {found.name}: nothing proves it)")
        else:
            chosen.append(found)
    return chosen, left_out


def nothing(port: str, outcome: Outcome, left_out: list[str]) -> str:
    """Why nothing was found, and what to do."""
    tried = ", ".join(f"{a.driver} {a.baud}" for a in outcome.attempts) or "nothing"
    told = f"no instrument recognised on {port}; tried {tried}"
    if left_out:
        told += f"; not tried: {', '.join(left_out)}"
    heard = [noise for noise in outcome.heard if noise.size]
    consoles = [noise for noise in heard if noise.console]
    if consoles:
        tty = Path(port).resolve().name if Path(port).exists() else "ttyX"
        return (
            f"{told}; there answers {_noise(consoles[0])}: a login console, another shell, an "
            f"echo, or TX and RX joined. If it is this machine's own console, end it: systemctl "
            f"disable --now serial-getty@{tty}.service (on a Jetson: nvgetty.service), and take "
            f"console={tty} out of the kernel's command line"
        )
    if not heard:
        return (
            f"{told}; not one byte came by itself. Check power and cable (TX and RX crossed, "
            f"3.3 V against RS-232), and whether the instrument is set to USB"
        )
    readable = [noise for noise in heard if noise.text is not None]
    shown = "; ".join(_noise(noise) for noise in (readable or heard)[:3])
    hint = "A login console or another instrument speaks" if readable else "The speed may be wrong"
    return f"{told}; by itself came {shown}. {hint}; `--driver` looks for one by name"


def _noise(noise: Noise) -> str:
    what = f"{noise.size} bytes at {noise.baud} baud, {noise.begins.hex(' ')}"
    return what if noise.text is None else f"{what} ({noise.text!r})"
