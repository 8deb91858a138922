"""`spektron-edge transfer`: its arguments, and what they call."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from . import transfer_session
from .argument_types import positive, with_config
from .local_operator import local_operator
from .show import show

if TYPE_CHECKING:
    from spektron_edge.transfer_state import StateStore, Version, Versions


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add these commands to the parser."""
    transfer = commands.add_parser(
        "transfer", help="bring the calibration to this instrument with a few samples"
    )
    actions = transfer.add_subparsers(required=True, metavar="ACTION")
    transfer_session.add(actions)
    listing = actions.add_parser("list", help="all transfers, and which are in use")
    with_config(listing)
    listing.set_defaults(command=_list)
    activate = actions.add_parser("activate", help="use a stored transfer (again)")
    activate.add_argument(
        "version", type=positive, help="of the transfer, as `transfer list` shows it"
    )
    with_config(activate)
    activate.set_defaults(command=_activate)
    rollback = actions.add_parser(
        "rollback", help="back to the transfer before, or to the bundle's own calibration"
    )
    rollback.add_argument(
        "--serial", help="of the instrument (default: the only one with a transfer in use)"
    )
    with_config(rollback)
    rollback.set_defaults(command=_rollback)


def _list(arguments: argparse.Namespace) -> int:
    versions = _store(arguments.config).read()
    report: dict[str, object] = {
        f"transfer {version.number}": _described(version, versions) for version in versions.held
    }
    show(report or {"transfers": "none"}, as_json=arguments.json)
    return 0


def _activate(arguments: argparse.Namespace) -> int:
    versions = _store(arguments.config).activate(arguments.version, local_operator())
    return _now(arguments, versions, versions.version(arguments.version).header.serial)


def _rollback(arguments: argparse.Namespace) -> int:
    from spektron_edge.faults import Fault, Faults

    store = _store(arguments.config)
    try:
        versions = store.read()
    except Fault as fault:
        if fault.kind is not Faults.TRANSFER_UNUSABLE:
            raise
        kept = store.set_aside(local_operator())
        damaged: dict[str, object] = {
            "in use": "the bundle's own calibration, on every instrument",
            "damaged": f"kept as {kept}",
            "next": "a running daemon takes it at `spektron-edge command reload`",
        }
        show(damaged, as_json=arguments.json)
        return 0
    serial = arguments.serial or _only_one(versions)
    return _now(arguments, store.roll_back(serial, local_operator()), serial)


def _now(arguments: argparse.Namespace, versions: Versions, serial: str) -> int:
    now = versions.active(serial)
    report: dict[str, object] = {
        "instrument": serial,
        "in use": "the bundle's own calibration" if now is None else f"transfer {now.number}",
        "next": "a running daemon takes it at `spektron-edge command reload`, or when it starts",
    }
    show(report, as_json=arguments.json)
    return 0


def _only_one(versions: Versions) -> str:
    from spektron_edge.faults import Fault, Faults

    in_use = [serial for serial, stack in versions.used.items() if stack]
    if len(in_use) != 1:
        have = ", ".join(in_use) or "none"
        detail = f"name the instrument by --serial; with a transfer in use: {have}"
        raise Fault(Faults.TRANSFER_MISSING, detail)
    return in_use[0]


def _described(version: Version, versions: Versions) -> dict[str, object]:
    header = version.header
    used = versions.used.get(header.serial, ())
    return {
        "in use": bool(used) and used[-1] == version.number,
        "instrument": header.serial,
        "product": f"{header.product} of {header.bundle}",
        "made": f"{header.created:%Y-%m-%d %H:%M} UTC by {header.by}",
        "samples": ", ".join(header.samples),
        **{
            p.name: f"predicted RMSEP {p.rmsep:.3g} {p.unit} ({p.method})"
            if p.valid
            else f"not valid ({p.method})"
            for p in header.properties
        },
    }


def _store(config: Path) -> StateStore:
    from spektron_edge.config.loading import load_config
    from spektron_edge.transfer_state import StateStore

    return StateStore(load_config(config).state_dir)
