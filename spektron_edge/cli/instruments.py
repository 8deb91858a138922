"""`spektron-edge instruments`: what can be spoken with, and against what that was tested."""

from __future__ import annotations

import argparse

from .show import show


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command to the parser."""
    instruments = commands.add_parser("instruments", help="the instruments that can be used")
    instruments.add_argument("--json", action="store_true", help="JSON on standard output")
    instruments.set_defaults(command=_instruments)


def _instruments(arguments: argparse.Namespace) -> int:
    from firmware_bridge.drivers.registry import Broken, everything

    report: dict[str, object] = {}
    for found in everything():
        if isinstance(found, Broken):
            # Its name may be another's, who is listed under it.
            key = f"{found.name} of {found.package}" if found.name in report else found.name
            report[key] = {"of": found.package, "cannot be loaded": found.why}
            continue
        report[found.name] = {
            "instruments": found.instruments,
            "baud": list(found.bauds) if arguments.json else ", ".join(map(str, found.bauds)),
            "needs": list(found.needs) if arguments.json else ", ".join(found.needs) or None,
            "takes": list(found.takes) if arguments.json else ", ".join(found.takes) or None,
            "source": found.source,
            "tested against": found.tested,
            "hardware": "met" if found.met_hardware else "never met the hardware",
        }
    show(report, as_json=arguments.json)
    return 0
