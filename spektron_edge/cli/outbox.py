"""`spektron-edge replay-outbox`: its arguments, and what it calls."""

from __future__ import annotations

import argparse

from spektron_edge.faults import Fault, Faults

from .argument_types import with_config
from .local_operator import local_operator
from .show import show


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command to the parser."""
    replay = commands.add_parser(
        "replay-outbox",
        help="send acknowledged records again, for a broker or consumer that lost them",
    )
    replay.add_argument(
        "--since",
        required=True,
        metavar="TIME|ID",
        help="first record: its id, or a time with its zone (2026-11-22T10:00Z)",
    )
    replay.add_argument("--until", metavar="TIME|ID", help="last record (default: the newest)")
    replay.add_argument("--dry-run", action="store_true", help="only say what would be sent")
    with_config(replay)
    replay.set_defaults(command=_replay)


def _replay(arguments: argparse.Namespace) -> int:
    from pydantic import ValidationError

    from spektron_edge.config.loading import load_config
    from spektron_edge.files.state_folder import OUTBOX_FILE
    from spektron_edge.outbox.errors import OutboxDamagedError, OutboxError
    from spektron_edge.outbox.replay import ask, matching
    from spektron_edge.outbox.span import Span

    folder = load_config(arguments.config).state_dir
    try:
        span = Span(since=arguments.since, until=arguments.until)
        report = matching(folder / OUTBOX_FILE, span)
    except ValidationError as error:
        why = error.errors()[0]["msg"]
        raise Fault(Faults.REPLAY_REFUSED, f"nothing was sent: {why}") from None
    except OutboxDamagedError as error:
        raise Fault(Faults.STATE_DAMAGED, f"nothing was sent: {error}") from None
    except OutboxError as error:
        raise Fault(Faults.REPLAY_REFUSED, f"nothing was sent: {error}") from None
    report["asked"] = bool(report["records"]) and not arguments.dry_run
    if report["asked"]:
        ask(folder, span, local_operator())
        report["next"] = "the daemon sends them behind everything else, or when it starts"
    show(report, as_json=arguments.json)
    return 0
