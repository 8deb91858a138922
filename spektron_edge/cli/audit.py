"""`spektron-edge audit verify`: whether the trail of what was done is whole."""

from __future__ import annotations

import argparse
from pathlib import Path

from .argument_types import digest, natural, with_config
from .show import show


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command to the parser."""
    audit = commands.add_parser("audit", help="the trail of what was done to this device")
    actions = audit.add_subparsers(required=True, metavar="ACTION")
    verify = actions.add_parser("verify", help="check every line, and a head that was published")
    verify.add_argument(
        "--head",
        type=digest,
        metavar="HEX",
        help="a head that was published (`audit_head` of the state): must be one of a line's",
    )
    verify.add_argument(
        "--lines", type=natural, metavar="N", help="lines that the log has had: fewer were cut"
    )
    verify.add_argument(
        "--archive",
        type=Path,
        action="append",
        default=[],
        metavar="FILE.zip",
        help="lines that `archive` moved away; may be given again",
    )
    with_config(verify)
    verify.set_defaults(command=_verify)


def _verify(arguments: argparse.Namespace) -> int:
    from spektron_edge.config.loading import load_config
    from spektron_edge.faults import Fault, Faults
    from spektron_edge.files.audit import AuditError
    from spektron_edge.files.audit_segments import check
    from spektron_edge.files.state_folder import AUDIT_FILE, storage_fault
    from spektron_edge.retention.archive import archived_segments
    from spektron_edge.support.state_report import describe_audit

    path = load_config(arguments.config).state_dir / AUDIT_FILE
    elsewhere = [part for archive in arguments.archive for part in archived_segments(archive)]
    try:
        whole = check(path, arguments.head, arguments.lines, elsewhere)
    except AuditError as error:
        raise Fault(Faults.AUDIT_BROKEN, str(error)) from None
    except FileNotFoundError:
        raise Fault(Faults.AUDIT_BROKEN, f"{path}: there is no log") from None
    except OSError as error:
        raise storage_fault(error, path) from None
    report: dict[str, object] = {"audit log": str(path), **describe_audit(whole)}
    if whole.first > 1:
        report["next"] = "give --archive FILE.zip with the lines before to have them verified"
    if arguments.head is not None:
        behind = whole.chain.lines - (whole.found or 0)
        report["published head"] = f"found at line {whole.found}, {behind} lines before the end"
    if aside := sorted(other.name for other in path.parent.glob(f"{path.name}.*")):
        # A log whose chain was broken when the daemon started: this one began anew after it.
        report["set aside"] = aside
    show(report, as_json=arguments.json)
    return 0
