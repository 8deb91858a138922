"""`spektron-edge doctor`: looks at everything that commonly goes wrong, and changes nothing."""

from __future__ import annotations

import argparse
import sys

from .argument_types import with_config
from .show import show


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command to the parser."""
    doctor = commands.add_parser(
        "doctor", help="look at everything that commonly goes wrong, and say what to do"
    )
    with_config(doctor)
    doctor.set_defaults(command=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    from spektron_edge.examination.everything import examine
    from spektron_edge.examination.finding import worst

    from . import findings

    stream = None if arguments.json else sys.stdout
    found = findings.told(examine(arguments.config), stream)
    if arguments.json:
        show({"verdict": worst(found), "findings": findings.as_json(found)}, as_json=True)
    else:
        print(f"\n{findings.summary(found)}")
    return findings.exit_status(found)
