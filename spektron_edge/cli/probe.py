"""`spektron-edge probe`: its arguments, and what it calls."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from firmware_bridge.printable import printable
from spektron_edge.faults import Fault, Faults
from spektron_edge.instrument.line_faults import as_fault

from .show import show

if TYPE_CHECKING:
    from firmware_bridge.probe import Found


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
    probe.add_argument("--json", action="store_true", help="JSON on standard output")
    probe.set_defaults(command=_probe)


def _probe(arguments: argparse.Namespace) -> int:
    if arguments.port is None:
        return _list_ports(as_json=arguments.json)
    from firmware_bridge.errors import LinkError
    from firmware_bridge.probe import probe
    from spektron_edge.examination.ports import nothing, wanted_drivers

    drivers, left_out = wanted_drivers(arguments.driver)
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


def _list_ports(*, as_json: bool) -> int:
    from spektron_edge.examination.ports import serial_ports

    ports = [{"port": p.path, "what": p.what, "id": p.id} for p in serial_ports()]
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
