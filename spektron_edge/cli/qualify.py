"""`spektron-edge qualify`: installation, operational and performance qualification."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from spektron_edge.faults import Fault, Faults
from spektron_edge.roles import MEANINGS

from .argument_types import name, positive, reason, with_config
from .local_operator import local_operator
from .show import show

if TYPE_CHECKING:
    from spektron_edge.config.file import Config
    from spektron_edge.qualification.keeping import Done
    from spektron_edge.qualification.plan import PlanFile


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add these commands to the parser."""
    qualify = commands.add_parser(
        "qualify", help="the protocol that a regulated plant asks for: IQ, OQ, PQ"
    )
    actions = qualify.add_subparsers(required=True, metavar="ACTION")
    for action, told in (
        ("iq", "installation: software, bundle, instrument, clock, permissions, audit log"),
        ("oq", "operation: wavelengths, linearity, noise, baseline, repeatability, by standards"),
        ("pq", "performance: values against the laboratory's, or a control sample's trend"),
    ):
        made = actions.add_parser(action, help=told)
        _signing(made, ("responsible",))
        made.add_argument("--plan", type=Path, help="default: `qualification.plan`")
        if action != "iq":
            told = "go on with what this one has measured before it was broken off"
            made.add_argument("--resume", type=positive, metavar="NUMBER", help=told)
        if action == "pq":
            what = made.add_mutually_exclusive_group(required=True)
            what.add_argument(
                "--references",
                type=Path,
                metavar="CSV",
                help="samples with the laboratory's values",
            )
            what.add_argument("--control", action="store_true", help="the plan's control samples")
        with_config(made)
        made.set_defaults(command=_qualify, action=action)
    sign = actions.add_parser("sign", help="sign a report as its reviewer, or approve it")
    sign.add_argument("number", type=positive, metavar="NUMBER", help="of the report")
    _signing(sign, MEANINGS)
    with_config(sign)
    sign.set_defaults(command=_sign)
    shown = actions.add_parser("show", help="all that there are, or one report")
    shown.add_argument(
        "number",
        type=positive,
        nargs="?",
        metavar="NUMBER",
        help="of the report (default: list them)",
    )
    with_config(shown)
    shown.set_defaults(command=_show)
    verify = actions.add_parser("verify", help="was a report changed, and which device signed it?")
    verify.add_argument("file", type=Path, help="report.json, or its folder")
    verify.add_argument("--key", metavar="HEX", help="public key of the device that has to be it")
    verify.add_argument("--config", type=Path, help="this device's configuration: its own key")
    verify.add_argument("--json", action="store_true", help="JSON on standard output")
    verify.set_defaults(command=_verify)
    plan = actions.add_parser("plan", help="an example of a plan, to start from")
    plan.set_defaults(command=_plan)


def _signing(parser: argparse.ArgumentParser, meanings: tuple[str, ...]) -> None:
    parser.add_argument("--by", type=name, required=True, help="who stands for it")
    parser.add_argument("--reason", type=reason, required=True, help="why it is signed")
    if len(meanings) > 1:
        parser.add_argument("--meaning", choices=meanings, required=True, help="of the signature")


def _qualify(arguments: argparse.Namespace) -> int:
    from spektron_edge.config.loading import load_config
    from spektron_edge.qualification.conduct import Conduct, Person
    from spektron_edge.qualification.references import read_references

    from .qualify_guide import TerminalGuide

    config = load_config(arguments.config)
    plan = _plan_of(arguments, config)
    references = None
    if arguments.action == "pq" and arguments.references is not None:
        references = read_references(arguments.references)
    person = Person(arguments.by, _proven(config, arguments.by, "responsible"), arguments.reason)
    resume = None if arguments.action == "iq" else arguments.resume
    conduct = Conduct(config, arguments.config, person, resume=resume)
    guide = TerminalGuide()
    if arguments.action == "iq":
        done = conduct.installation(plan)
    elif plan is None:
        told = "no plan: give --plan or `qualification.plan`; `qualify plan` prints an example"
        raise Fault(Faults.COMMAND_INPUT, told)
    elif arguments.action == "oq":
        done = conduct.operation(plan, guide)
    elif references is not None:
        done = conduct.comparison(plan, references, guide)
    else:
        done = conduct.control(plan, guide)
    return _tell(done, as_json=arguments.json)


def _plan_of(arguments: argparse.Namespace, config: Config) -> PlanFile | None:
    from spektron_edge.qualification.plan import read_plan

    path = arguments.plan or config.qualification.plan
    return None if path is None else read_plan(path)


def _proven(config: Config, by: str, meaning: str) -> str:
    """How we know who signs: the password of the page's account of that name, where there is one.

    Raises Fault(PAGE_ACCOUNT, PAGE_MISSING).
    """
    from spektron_edge.page.users import UserStore

    user = UserStore(config.state_dir).read().find(by)
    if user is None:
        return f"logged in on the device as {local_operator()}; no account of that name"
    if user.role == "viewer" or (meaning == "approved" and user.role != "engineer"):
        raise _refused(config, by, f"{user.name} as {user.role} may not sign as {meaning}")
    try:
        from spektron_edge.page.passwords import matches
    except ModuleNotFoundError as error:
        raise Fault(Faults.PAGE_MISSING, f"passwords need {error.name}") from None
    told = f"password of {user.name}, who signs: "
    given = getpass.getpass(told) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    if not user.active or not matches(user.hash, given):
        raise _refused(config, by, f"the password is not {user.name}'s")
    return f"the password of the account {user.name} ({user.role})"


def _refused(config: Config, by: str, why: str) -> Fault:
    """It is in the audit log as well."""
    from spektron_edge.files.ledger import Action
    from spektron_edge.qualification.book import BookStore

    details: dict[str, str | int | bool | None] = {"why": why, "through": local_operator()}
    BookStore(config.state_dir).note(Action(what="qualification_refused", who=by, details=details))
    return Fault(Faults.PAGE_ACCOUNT, f"{why}; nothing was done")


def _tell(done: Done, *, as_json: bool) -> int:
    from spektron_edge.qualification.html import value
    from spektron_edge.qualification.report import REPORT

    report = done.sealed.report
    told: dict[str, object] = {
        "number": report.number,
        "kind": report.kind,
        "about": report.about,
        "verdict": report.verdict,
        "instrument": report.serial,
        "calibration": None if report.calibration is None else report.calibration.told,
        "signed": [f"{s.by}, {s.meaning}: {s.reason}" for s in done.sealed.signatures],
        "report": done.sealed.sha256,
        "page": str(done.page),
        "file": str(done.folder / REPORT),
    }
    if report.verdict == "incomplete" and report.data is not None:
        told["to go on"] = f"`qualify {report.kind} --resume {report.number}` within 24 hours"
    if as_json:
        told["items"] = [item.model_dump(mode="json") for item in report.items]
    else:
        told["items"] = [
            f"{item.verdict:9} {item.part}, {item.what}: {value(item)} {item.unit}".rstrip(": ")
            + (f" ({item.limit})" if item.limit else "")
            + (f"; {item.told}" if item.told and item.verdict in ("fail", "not done") else "")
            for item in report.items
        ]
    show(told, as_json=as_json)
    if report.verdict == "fail":
        return Faults.QUALIFICATION_FAILED.value.exit_status
    return Faults.QUALIFICATION_DUE.value.exit_status if report.verdict == "incomplete" else 0


def _sign(arguments: argparse.Namespace) -> int:
    from spektron_edge.config.loading import load_config
    from spektron_edge.qualification.keeping import sign, signature

    config = load_config(arguments.config)
    proven = _proven(config, arguments.by, arguments.meaning)
    signed = signature(arguments.by, arguments.meaning, arguments.reason, proven)
    done = sign(config.state_dir, arguments.number, signed)
    told: dict[str, object] = {
        "number": arguments.number,
        "signed": [f"{s.by}, {s.meaning}: {s.reason}" for s in done.sealed.signatures],
        "report": done.sealed.sha256,
        "page": str(done.page),
    }
    show(told, as_json=arguments.json)
    return 0


def _show(arguments: argparse.Namespace) -> int:
    from spektron_edge.config.loading import load_config
    from spektron_edge.qualification.book import BookStore
    from spektron_edge.qualification.keeping import Done, folder_of, kept

    state_dir = load_config(arguments.config).state_dir
    if arguments.number is not None:
        sealed = kept(state_dir, arguments.number, _own_key(state_dir))
        folder = folder_of(state_dir, arguments.number)
        return _tell(Done(sealed, folder), as_json=arguments.json)
    book = BookStore(state_dir).read()
    runs = {
        f"qualification {run.number}": f"{run.kind}, {run.about}: {run.verdict}; by {run.by}, "
        f"{_day(run.utc_s)}; {run.serial}"
        for run in book.runs
    }
    left = sorted(set(range(1, book.next_number)) - {run.number for run in book.runs})
    runs |= {f"qualification {number}": _broken_off(state_dir, number) for number in left}
    show(dict(runs) or {"qualifications": "none"}, as_json=arguments.json)
    return 0


def _broken_off(state_dir: Path, number: int) -> str:
    from spektron_edge.qualification.book import FOLDER
    from spektron_edge.qualification.resuming import UNFINISHED

    told = "broken off; it has no report"
    for found in (state_dir / FOLDER).glob(f"{number:04d}-?q/{UNFINISHED}"):
        told += f"; go on with `qualify {found.parent.name[-2:]} --resume {number}`"
    return told


def _day(utc_s: float) -> str:
    from datetime import datetime, timezone

    return f"{datetime.fromtimestamp(utc_s, timezone.utc):%Y-%m-%d %H:%M} UTC"


def _own_key(state_dir: Path) -> bytes:
    from spektron_edge.bundle.device_signature import device_signer

    return device_signer(state_dir).public


def _verify(arguments: argparse.Namespace) -> int:
    from spektron_edge.qualification.seal import verified

    key = None
    if arguments.key is not None:
        try:
            key = bytes.fromhex(arguments.key)
        except ValueError:
            raise Fault(Faults.COMMAND_INPUT, "--key is not hexadecimal") from None
    elif arguments.config is not None:
        from spektron_edge.config.loading import load_config

        key = _own_key(load_config(arguments.config).state_dir)
    sealed = verified(arguments.file, key)
    whose = "as asked for" if key is not None else "by its own word: compare it with the device's"
    told: dict[str, object] = {
        "report": sealed.sha256,
        "verdict": sealed.report.verdict,
        "instrument": sealed.report.serial,
        "device's key": f"{sealed.device.public} ({whose})",
        "signed": [
            f"{s.by}, {s.meaning}: {s.reason}, {s.utc}, {s.proven}" for s in sealed.signatures
        ],
        "holds": "signature, page and raw data",
    }
    show(told, as_json=arguments.json)
    return 0


def _plan(_: argparse.Namespace) -> int:
    from spektron_edge.qualification.plan import example

    sys.stdout.write(example())
    return 0
