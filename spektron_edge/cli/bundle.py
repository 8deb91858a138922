"""`spektron-edge bundle`, `verify` and `device-key`: their arguments, and what they call."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .argument_types import with_config
from .local_operator import local_operator
from .show import show

if TYPE_CHECKING:
    from spektron_edge.bundle.install import Terms
    from spektron_edge.bundle.slot_store import SlotStore
    from spektron_edge.bundle.slots import Slots
    from spektron_edge.config.file import Config


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add these commands to the parser."""
    verify = commands.add_parser(
        "verify", help="check a bundle: hashes, signatures, golden vectors"
    )
    verify.add_argument("bundle", type=Path, help="file of the bundle")
    verify.add_argument(
        "--keys", type=Path, help="folder of public keys; one of them must have signed"
    )
    verify.add_argument("--json", action="store_true", help="JSON on standard output")
    verify.set_defaults(command=_verify)

    key = commands.add_parser("device-key", help="make or show this device's own key")
    with_config(key)
    key.add_argument("-o", "--output", type=Path, help="write the public key here, for the vendor")
    key.set_defaults(command=_device_key)

    bundle = commands.add_parser("bundle", help="the two slots for bundles on this device")
    actions = bundle.add_subparsers(required=True, metavar="ACTION")
    install = actions.add_parser("install", help="verify a bundle and put it into the free slot")
    install.add_argument("file", type=Path, help="a bundle (*.spektron)")
    install.add_argument("--serial", help="of the instrument: refuse a bundle bound to others")
    with_config(install)
    install.set_defaults(command=_install)
    activate = actions.add_parser("activate", help="the slot that the daemon takes next")
    activate.add_argument("slot", choices=["a", "b"], help="which one")
    with_config(activate)
    activate.set_defaults(command=_activate)
    listing = actions.add_parser("list", help="what the slots hold")
    with_config(listing)
    listing.set_defaults(command=_list)
    rollback = actions.add_parser(
        "rollback",
        help="back to the other slot, or accept the older version of a configured file",
    )
    with_config(rollback)
    rollback.set_defaults(command=_rollback)


def _verify(arguments: argparse.Namespace) -> int:
    from .verification import verify_bundle

    show(verify_bundle(arguments.bundle, arguments.keys), as_json=arguments.json)
    return 0


def _device_key(arguments: argparse.Namespace) -> int:
    from spektron_edge.bundle.device_key import show_device_key
    from spektron_edge.config.loading import load_config

    report = show_device_key(load_config(arguments.config).state_dir, arguments.output)
    show(report, as_json=arguments.json)
    return 0


def _install(arguments: argparse.Namespace) -> int:
    from spektron_edge.bundle import BundleError
    from spektron_edge.bundle.install import install

    config, store, terms = _opened(arguments.config, arguments.serial)
    try:
        done = install(store, arguments.file, terms, local_operator())
    except BundleError as error:
        raise error.fault from None
    report: dict[str, object] = {
        "slot": done.slot,
        "bundle": done.bundle,
        "signed by": None if done.signer is None else str(done.signer),
        "tried": list(done.tried),
        "next": f"spektron-edge bundle activate {done.slot} --config {arguments.config}",
    }
    show(_with_note(report, config), as_json=arguments.json)
    return 0


def _activate(arguments: argparse.Namespace) -> int:
    from spektron_edge.bundle import BundleError
    from spektron_edge.bundle.install import activate

    config, store, terms = _opened(arguments.config)
    try:
        slots = activate(store, arguments.slot, terms, local_operator())
    except BundleError as error:
        raise error.fault from None
    return _switched(arguments, config, str(slots.active), _bundle_of(slots))


def _rollback(arguments: argparse.Namespace) -> int:
    from spektron_edge.bundle import BundleError
    from spektron_edge.bundle.install import accept_older, roll_back

    config, store, terms = _opened(arguments.config)
    try:
        if config.uses_slots:
            slots = roll_back(store, terms, local_operator())
            return _switched(arguments, config, str(slots.active), _bundle_of(slots))
        accepted = accept_older(store, config.bundle_path, terms, local_operator())
    except BundleError as error:
        raise error.fault from None
    return _switched(arguments, config, str(config.bundle_path), accepted.id)


def _list(arguments: argparse.Namespace) -> int:
    from spektron_edge.support.state_report import describe_slots

    config, store, _ = _opened(arguments.config)
    show(_with_note(describe_slots(store), config), as_json=arguments.json)
    return 0


def _bundle_of(slots: Slots) -> str | None:
    return None if slots.current is None else slots.current.bundle


def _switched(arguments: argparse.Namespace, config: Config, where: str, bundle: str | None) -> int:
    from spektron_edge.prediction.left_behind import left_behind

    report: dict[str, object] = {
        "active": where,
        "bundle": bundle,
        "next": "a running daemon takes it at `spektron-edge command reload`, or when it starts",
    }
    if told := left_behind(config.state_dir, bundle or ""):
        report["results are invalid until"] = [str(one) for one in told]
    show(_with_note(report, config), as_json=arguments.json)
    return 0


def _with_note(report: dict[str, object], config: Config) -> dict[str, object]:
    if config.uses_slots:
        return report
    note = (
        f'the configuration names {config.bundle_path}; `bundle = "slots"` makes it use the slots'
    )
    return {**report, "note": note}


def _opened(path: Path, serial: str | None = None) -> tuple[Config, SlotStore, Terms]:
    from spektron_edge.bundle.slot_store import SlotStore
    from spektron_edge.config.loading import load_config
    from spektron_edge.prediction.product import terms_of

    config = load_config(path)
    return config, SlotStore(config.state_dir), terms_of(config, serial)
