"""`spektron-edge wavelength-check`: a wavelength standard lies in the beam."""

from __future__ import annotations

import argparse
from pathlib import Path

from .argument_types import name, positive, seconds, with_config
from .show import show


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command to the parser."""
    check = commands.add_parser(
        "wavelength-check", help="compare the bands of a standard in the beam with its table"
    )
    check.add_argument(
        "--standard",
        type=name,
        required=True,
        help="polystyrene, srm-2035, or a table standards/NAME.csv in `state_dir`",
    )
    check.add_argument("--scans", type=positive, default=8, help="that are averaged (8)")
    check.add_argument("--limit", type=float, default=1.0, metavar="NM", help="that passes (1.0)")
    check.add_argument("--operator", required=True, help="who asks the daemon")
    check.add_argument("--key", type=Path, help="key file (default: the configuration's)")
    check.add_argument("--timeout", type=seconds, default=300.0, help="seconds to wait (300)")
    with_config(check)
    check.set_defaults(command=_check)


def _check(arguments: argparse.Namespace) -> int:
    from spektron_edge.faults import Faults
    from spektron_edge.mqtt.request import send_command

    response = send_command(
        arguments.config,
        "wavelength-check",
        arguments.operator,
        arguments.key,
        arguments.timeout,
        {
            "standard": arguments.standard,
            "scans": arguments.scans,
            "limit_nm": arguments.limit,
        },
    )
    show(response, as_json=arguments.json)
    if response["ok"]:
        return 0
    result = response["result"]
    judged = isinstance(result, dict) and "passed" in result
    failed = Faults.WAVELENGTH_ASTRAY if judged else Faults.COMMAND_FAILED
    return failed.value.exit_status
