"""`spektron-edge mqtt-clear`: nothing stays behind at the broker."""

from __future__ import annotations

import argparse

from .argument_types import seconds, with_config
from .show import show


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command to the parser."""
    clear = commands.add_parser(
        "mqtt-clear", help="out of service: remove what the stopped daemon retained at the broker"
    )
    clear.add_argument(
        "--everywhere",
        action="store_true",
        help="also at brokers that were configured before, with the credentials of now",
    )
    clear.add_argument("--dry-run", action="store_true", help="only name the topics")
    clear.add_argument("--timeout", type=seconds, default=10.0, help="seconds to wait (10)")
    with_config(clear)
    clear.set_defaults(command=_clear)


def _clear(arguments: argparse.Namespace) -> int:
    from spektron_edge.mqtt.clear import clear_retained

    report = clear_retained(
        arguments.config,
        arguments.timeout,
        everywhere=arguments.everywhere,
        dry_run=arguments.dry_run,
    )
    show(report, as_json=arguments.json)
    return 0
