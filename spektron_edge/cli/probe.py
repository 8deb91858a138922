"""`spektron-edge probe`: its arguments, and what it calls."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_bridge.printable import printable
from spektron_edge.faults import Fault, Faults
from spektron_edge.instrument.line_faults import as_fault

from .show import show

if TYPE_CHECKING:
    from firmware_bridge.drivers.driver import Driver
    from firmware_bridge.probe import Found, Noise, Outcome


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command to the parser."""
    probe = commands.add_parser("probe", help="find out what speaks on a serial port")
    probe.add_argument("port", nargs="?", help="device path or pyserial URL; default: list them")
    probe.add_argument(
        "--driver",
        action="append",
        default=[],
        metavar="NAME",
        help="look for this only, may be repeated; some are looked for only when named",
    )
    probe.add_argument("--json", action="store_true")
    probe.set_defaults(command=_probe)


def _probe(arguments: argparse.Namespace) -> int:
    if arguments.port is None:
        return _list_ports(as_json=arguments.json)
    from firmware_bridge.errors import LinkError
    from firmware_bridge.probe import probe

    drivers, left_out = _drivers(arguments.driver)
    try:
        outcome = probe(arguments.port, drivers, _tell)
    except LinkError as error:
        raise as_fault(error) from None
    if outcome.found is None:
        raise Fault(Faults.NOTHING_FOUND, nothing(arguments.port, outcome, left_out))
    report = _report(outcome.found)
    if arguments.json:
        show(report, as_json=True)
    else:
        block = report.pop("configuration")
        show(report, as_json=False)
        sys.stdout.write(f"\n{block}")
    return 0


def _tell(said: str) -> None:
    sys.stderr.write(f"{printable(said)}\n")


def _drivers(names: list[str]) -> tuple[list[Driver], list[str]]:
    """Those to look for, and those that are not, each with why."""
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


def _report(found: Found) -> dict[str, object]:
    from firmware_bridge.protocol import capability_names

    identity, axis = found.identity, found.identity.axis_nm
    guessed, unsaid = "wavelength_nm" in found.meanwhile, "model" in found.meanwhile
    return {
        "driver": found.driver.name,
        "baud": found.place.baud,
        "protocol": identity.protocol or None,
        "model": None if unsaid else identity.model or None,
        "serial": None if "serial" in found.meanwhile else identity.serial,
        "firmware": identity.firmware or None,
        "pixels": None if unsaid else identity.pixels,
        "wavelength_nm": None if guessed else [float(axis.min()), float(axis.max())],
        "capabilities": list(capability_names(identity.capabilities)),
        "integration_us": None
        if unsaid
        else [identity.min_integration_us, identity.max_integration_us],
        "tested": found.driver.tested,
        "met_hardware": found.driver.met_hardware,
        "configuration": found.block(),
    }


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


def _list_ports(*, as_json: bool) -> int:
    from serial.tools.list_ports import comports

    ports = [{"port": p.device, "what": p.description, "id": p.hwid} for p in comports()]
    if not ports:
        raise Fault(
            Faults.NOTHING_FOUND,
            "this machine has no serial port. Plug the instrument in, or give a pyserial URL "
            "(socket://host:port)",
        )
    if as_json:
        show({"ports": ports}, as_json=True)
    else:
        show({p["port"]: f"{p['what']} ({p['id']})" for p in ports}, as_json=False)
    return 0
