"""`spektron-edge conformance`: its arguments, and what it calls."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from spektron_edge.faults import Fault, Faults
from spektron_edge.instrument.line_faults import as_fault

from .argument_types import positive
from .show import show

_SWITCH = "Switch the instrument off and on now; when it has started, press Enter."


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command to the parser."""
    conformance = commands.add_parser(
        "conformance", help="try what docs/protocol.md promises on an instrument or firmware"
    )
    conformance.add_argument("port", help="a device path or any pyserial URL")
    conformance.add_argument("--baud", type=positive, default=921600, help="line speed (921600)")
    conformance.add_argument("--quick", action="store_true", help="without a megabyte of noise")
    conformance.add_argument("--report", type=Path, metavar="FILE.html", help="also as a page")
    how = conformance.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="JSON on standard output")
    how.add_argument(
        "--power-cycle",
        action="store_true",
        help="also what a power-on must change: asks for it, and waits for Enter",
    )
    conformance.set_defaults(command=_conformance)


def _conformance(arguments: argparse.Namespace) -> int:
    from firmware_bridge.conformance.shown import as_data, as_page, line, summary
    from firmware_bridge.conformance.subject import Subject
    from firmware_bridge.conformance.suite import Result, examine
    from firmware_bridge.errors import LinkError
    from firmware_bridge.transport import Transport

    def tell(result: Result) -> None:
        told = sys.stderr if arguments.json else sys.stdout
        told.write(f"{line(result)}\n")
        told.flush()

    def opened() -> Transport:
        ports.append(Transport(arguments.port, arguments.baud))
        ports[-1].drain()
        return ports[-1]

    def power_cycle() -> Transport:
        # A port of the instrument's own goes with it.
        ports[-1].close()
        sys.stdout.write(f"{_SWITCH}\n")
        sys.stdout.flush()
        if not sys.stdin.readline():
            raise Fault(Faults.COMMAND_INPUT, "--power-cycle: nobody is there to press Enter")
        return opened()

    ports: list[Transport] = []
    try:
        try:
            report = examine(
                Subject(opened(), arguments.baud),
                arguments.port,
                quick=arguments.quick,
                tell=tell,
                power_cycle=power_cycle if arguments.power_cycle else None,
            )
        finally:
            for port in ports:
                port.close()
    except LinkError as error:
        raise as_fault(error) from None
    if arguments.json:
        show(as_data(report), as_json=True)
    else:
        sys.stdout.write(f"{summary(report)}\n")
    if arguments.report is not None:
        try:
            arguments.report.write_text(as_page(report), encoding="utf-8")
        except OSError as error:
            told = f"{arguments.report}: {error.strerror}"
            raise Fault(Faults.REPORT_UNWRITABLE, told) from None
    if report.conforms:
        return 0
    broken = ", ".join(r.requirement.id for r in report.failed) or "nothing could be tried"
    fault = Fault(Faults.NOT_CONFORMING, broken)
    sys.stderr.write(f"spektron-edge: {fault}\n")
    return fault.exit_status
