"""`spektron-edge adapt service-event` and `adapt stability`."""

from __future__ import annotations

import argparse
from pathlib import Path

from .argument_types import name, reason, seconds, with_config
from .show import show


def add(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add these actions to the parser."""
    service = actions.add_parser("service-event", help="somebody worked on the instrument")
    service.add_argument("--what", type=reason, required=True, metavar="TEXT", help="was done")
    service.add_argument("--by", type=name, required=True, metavar="WHO", help="who did it")
    with_config(service)
    service.set_defaults(command=_service)

    stability = actions.add_parser(
        "stability", help="a kept sample lies in the beam: remember it, or compare it"
    )
    stability.add_argument("sample", type=name, metavar="NAME", help="of the kept sample")
    stability.add_argument(
        "--scans",
        type=int,
        choices=range(3, 11),
        default=5,
        metavar="3-10",
        help="that are taken (5)",
    )
    stability.add_argument("--operator", required=True, help="who asks the daemon")
    stability.add_argument("--key", type=Path, help="key file (default: the configuration's)")
    stability.add_argument("--timeout", type=seconds, default=10.0, help="seconds to wait (10)")
    with_config(stability)
    stability.set_defaults(command=_stability)


def _service(arguments: argparse.Namespace) -> int:
    from spektron_edge.adaptation.evidence_store import EvidenceStore
    from spektron_edge.clock import Clock
    from spektron_edge.config.loading import load_config

    store = EvidenceStore(load_config(arguments.config).state_dir)
    event = store.service(arguments.what, arguments.by, Clock().now())
    report: dict[str, object] = {
        "recorded": event.what,
        "by": event.who,
        "next": "a running daemon takes it up within a second",
    }
    show(report, as_json=arguments.json)
    return 0


def _stability(arguments: argparse.Namespace) -> int:
    from spektron_edge.faults import Faults
    from spektron_edge.mqtt.request import send_command

    response = send_command(
        arguments.config,
        "adapt-stability",
        arguments.operator,
        arguments.key,
        arguments.timeout,
        {"sample": arguments.sample, "scans": arguments.scans},
    )
    show(response, as_json=arguments.json)
    return 0 if response["ok"] else Faults.COMMAND_FAILED.value.exit_status
