"""`spektron-edge operator`: a way out for an operator whose clock was years ahead."""

from __future__ import annotations

import argparse

from spektron_edge.faults import Fault, Faults

from .argument_types import with_config
from .local_operator import local_operator
from .show import show


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command to the parser."""
    operator = commands.add_parser("operator", help="on the device: operators of commands")
    actions = operator.add_subparsers(required=True, metavar="ACTION")
    reset = actions.add_parser(
        "reset-counter", help="let an operator's counter begin anew, at this machine's clock"
    )
    reset.add_argument("name", metavar="OPERATOR", help="name in the configuration")
    with_config(reset)
    reset.set_defaults(command=_reset)


def _reset(arguments: argparse.Namespace) -> int:
    from spektron_edge.config.loading import load_config
    from spektron_edge.mqtt.counters import Reset, ask

    config = load_config(arguments.config)
    if arguments.name not in (operator.name for operator in config.commands.operators):
        detail = f"no operator {arguments.name!r} in {arguments.config}"
        raise Fault(Faults.COMMAND_INPUT, detail)
    ask(config.state_dir, Reset(operator=arguments.name, by=local_operator()))
    report: dict[str, object] = {
        "operator": arguments.name,
        "asked": True,
        "next": "the daemon does it within a second, or when it starts; give a new key where "
        "somebody may have recorded requests that were dated ahead",
    }
    show(report, as_json=arguments.json)
    return 0
