"""`spektron-edge page`, `page-user`, `page-certificate`: the instrument's own page, accounts on the
device, and a certificate for it."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path

from spektron_edge.faults import Fault, Faults

from .argument_types import with_config
from .local_operator import local_operator
from .show import show


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add these commands to the parser."""
    page = commands.add_parser("page", help="serve the instrument's own page")
    with_config(page)
    page.set_defaults(command=_page)
    certificate = commands.add_parser(
        "page-certificate", help="make a self-signed certificate for the page"
    )
    certificate.add_argument(
        "names", nargs="+", metavar="NAME", help="host name or address that browsers ask for"
    )
    certificate.add_argument(
        "--out", type=Path, default=Path(), metavar="FOLDER", help="where it is written"
    )
    certificate.add_argument("--json", action="store_true", help="JSON on standard output")
    certificate.set_defaults(command=_certificate)
    user = commands.add_parser("page-user", help="on the device: accounts of the page")
    actions = user.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="who has an account")
    with_config(listing)
    listing.set_defaults(command=_list)
    for name, told in (
        ("add", "a new account; the password is asked for, or read from standard input"),
        ("role", "another role"),
        ("password", "another password"),
        ("remove", "no account any more"),
    ):
        action = actions.add_parser(name, help=told)
        action.add_argument("name", metavar="NAME", help="of the account")
        if name in ("add", "role"):
            action.add_argument(
                "role",
                choices=["viewer", "operator", "engineer"],
                help="what the account may do (docs/page.md)",
            )
        with_config(action)
        action.set_defaults(command=_change, action=name)


def _page(arguments: argparse.Namespace) -> int:
    try:
        from spektron_edge.page.serving import serve
        from spektron_edge.service.service import Service
    except ModuleNotFoundError as error:
        raise _missing(error) from None

    def say(report: dict[str, object]) -> None:
        show(report, as_json=arguments.json)
        sys.stdout.flush()

    return serve(arguments.config, say, Service.of_process())


def _certificate(arguments: argparse.Namespace) -> int:
    from spektron_edge.page.certificate import make

    made = make(arguments.out, arguments.names)
    show(
        {
            "certificate": str(made.certificate),
            "key": str(made.key),
            "sha-256 fingerprint": made.fingerprint,
            "ends": made.ends.date().isoformat(),
            "next": "give certificate and key in `[page]`; compare the fingerprint in the browser",
        },
        as_json=arguments.json,
    )
    return 0


def _list(arguments: argparse.Namespace) -> int:
    from spektron_edge.config.loading import load_config
    from spektron_edge.page.users import UserStore

    users = UserStore(load_config(arguments.config).state_dir).read()
    show({user.name: user.role for user in users.held}, as_json=arguments.json)
    return 0


def _change(arguments: argparse.Namespace) -> int:
    try:
        from spektron_edge.page.local_accounts import change
    except ModuleNotFoundError as error:
        raise _missing(error) from None
    from spektron_edge.config.loading import load_config

    action = arguments.action
    password = _password() if action in ("add", "password") else None
    role = arguments.role if action in ("add", "role") else None
    state_dir = load_config(arguments.config).state_dir
    change(state_dir, action, arguments.name, role, password, local_operator())
    show({"user": arguments.name, "done": action}, as_json=arguments.json)
    return 0


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("password: ")
    if getpass.getpass("once more: ") != first:
        raise Fault(Faults.PAGE_ACCOUNT, "the two passwords differ; nothing was changed")
    return first


def _missing(error: ModuleNotFoundError) -> Fault:
    return Fault(Faults.PAGE_MISSING, f"the page needs {error.name}")
