"""`spektron-edge transfer start`, `add`, `status`, `finish` and `discard`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .argument_types import positive, seconds, with_config
from .local_operator import local_operator
from .show import show

if TYPE_CHECKING:
    from spektron_edge.transfer_session.session import Session, Status


_NONE_LEFT = "none: every sample in hand was measured"


def add(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add these actions to the parser."""
    start = actions.add_parser("start", help="begin a transfer to this instrument")
    start.add_argument(
        "--samples", metavar="ID,ID,...", help="sealed samples in hand (default: all of the source)"
    )
    start.add_argument(
        "--serial", help="of the instrument (default: the one that was connected last)"
    )
    with_config(start)
    start.set_defaults(command=_start)

    add_ = actions.add_parser("add", help="a sample that lies in the instrument, or its spectra")
    add_.add_argument("sample", nargs="?", help="id of a sample of the source")
    add_.add_argument("--new", metavar="NAME", help="a sample that the source does not know")
    add_.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="PROPERTY=VALUE",
        help="its reference value, may be repeated",
    )
    add_.add_argument(
        "--spectra",
        type=Path,
        metavar="FILE.csv",
        help="wavelengths in nm, then absorbance, a line a scan (default: ask the daemon)",
    )
    add_.add_argument(
        "--scans", type=positive, default=3, help="of the daemon's latest, how many (3)"
    )
    add_.add_argument("--operator", help="without --spectra: who asks the daemon")
    add_.add_argument("--key", type=Path, help="key file (default: the configuration's)")
    add_.add_argument("--timeout", type=seconds, default=10.0, help="seconds to wait (10)")
    with_config(add_)
    add_.set_defaults(command=_add)

    status = actions.add_parser("status", help="samples, how good they are, and which is next")
    with_config(status)
    status.set_defaults(command=_status)

    finish = actions.add_parser("finish", help="fit, report, and use it where it is valid")
    finish.add_argument("--dry-run", action="store_true", help="only report")
    with_config(finish)
    finish.set_defaults(command=_finish)

    discard = actions.add_parser("discard", help="end without a result; spectra are kept")
    with_config(discard)
    discard.set_defaults(command=_discard)


def _session(arguments: argparse.Namespace) -> Session:
    from spektron_edge.transfer_session.session import Session

    return Session(arguments.config, local_operator())


def _start(arguments: argparse.Namespace) -> int:
    held = None
    if arguments.samples is not None:
        held = [part.strip() for part in arguments.samples.split(",") if part.strip()]
    serial = (arguments.serial or "").strip() or _last_instrument(arguments.config)
    _show_status(_session(arguments).start(serial, held), as_json=arguments.json)
    return 0


def _last_instrument(config: Path) -> str:
    from spektron_edge.config.loading import load_config
    from spektron_edge.faults import Fault, Faults
    from spektron_edge.instrument.reference_store import load_references

    references = load_references(load_config(config).state_dir)
    if references is None:
        detail = "no instrument was connected yet; name it by --serial"
        raise Fault(Faults.TRANSFER_INPUT, detail)
    return references.serial


def _add(arguments: argparse.Namespace) -> int:
    from spektron_edge.faults import Fault, Faults

    if (arguments.sample is None) == (arguments.new is None):
        raise Fault(Faults.TRANSFER_INPUT, "name a sample of the source, or a new one by --new")
    name, new = arguments.sample or arguments.new, arguments.new is not None
    if arguments.spectra is None:
        return _ask_daemon(arguments, name, new=new)
    from spektron_edge.transfer_session.labels import read_labels
    from spektron_edge.transfer_session.spectra_file import read_spectra

    session = _session(arguments)
    scans = read_spectra(arguments.spectra)
    added = session.add(name, scans, new=new, labels=read_labels(arguments.label))
    report: dict[str, object] = {
        "sample": added.sample,
        "verdict": added.verdict,
        "reasons": list(added.reasons),
        "scans": added.scans,
        "next_sample": session.next_sample(),
    }
    if not arguments.json:
        report["next_sample"] = report["next_sample"] or _NONE_LEFT
    show(report, as_json=arguments.json)
    return 0


def _ask_daemon(arguments: argparse.Namespace, name: str, *, new: bool) -> int:
    from spektron_edge.commands.arguments import Argument
    from spektron_edge.faults import Fault, Faults
    from spektron_edge.mqtt.request import send_command

    if arguments.operator is None:
        detail = "give --spectra FILE.csv, or --operator to ask the running daemon for its spectra"
        raise Fault(Faults.TRANSFER_INPUT, detail)
    given: dict[str, Argument] = {"sample": name, "new": new, "scans": arguments.scans}
    if arguments.label:
        given["labels"] = tuple(arguments.label)
    response = send_command(
        arguments.config,
        "transfer-add",
        arguments.operator,
        arguments.key,
        arguments.timeout,
        given,
    )
    show(response, as_json=arguments.json)
    return 0 if response["ok"] else Faults.COMMAND_FAILED.value.exit_status


def _status(arguments: argparse.Namespace) -> int:
    _show_status(_session(arguments).status(), as_json=arguments.json)
    return 0


def _finish(arguments: argparse.Namespace) -> int:
    from spektron_edge.faults import Faults

    done = _session(arguments).finish(
        dry_run=arguments.dry_run, progress=lambda step: print(step, file=sys.stderr)
    )
    report = done.report()
    if done.in_use:
        report["next"] = "a running daemon takes it at `spektron-edge command reload`"
    if not arguments.json:
        if done.result.version is None:
            report["version"] = "none: a dry run stores nothing"
        report["left_out"] = done.result.left_out or "none"
        report["properties"] = [
            f"{p.name}: {'valid' if p.valid else 'NOT VALID'}, predicted RMSEP {p.rmsep:.3g} "
            f"({p.rmsep_low:.3g} to {p.rmsep_high:.3g}) {p.unit}, {p.method}"
            for p in done.result.properties
        ]
    show(report, as_json=arguments.json)
    return 0 if done.result.valid else Faults.TRANSFER_INVALID.value.exit_status


def _discard(arguments: argparse.Namespace) -> int:
    show({"message": _session(arguments).discard()}, as_json=arguments.json)
    return 0


def _show_status(status: Status, *, as_json: bool) -> None:
    report = status.report()
    if not as_json:
        report["samples"] = [
            f"{s.sample:12} {s.kind:14} {s.scans} scans  {s.verdict}"
            + (f": {'; '.join(s.reasons)}" if s.reasons else "")
            for s in status.samples
        ]
        report["next_sample"] = status.next_sample or _NONE_LEFT
    show(report, as_json=as_json)
