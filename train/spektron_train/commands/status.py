"""`spektron-train status`."""

from __future__ import annotations

import argparse
import time
from datetime import timedelta

from rich.console import Console
from rich.table import Table

from spektron_train.pretraining.status import Status, StatusError, read_status, seen_state

from . import EXIT_CHECKPOINT, EXIT_OK, EXIT_RUN, Failed, put_json


def run(arguments: argparse.Namespace) -> int:
    """Show a run; 6 when it failed or died. Raises Failed."""
    try:
        status = read_status(arguments.folder)
    except StatusError as error:
        raise Failed(EXIT_CHECKPOINT, error) from None
    now = time.time()
    state = seen_state(status, now)
    if arguments.json:
        put_json({**status.model_dump(mode="json"), "state": state, "silent_s": now - status.beat})
    else:
        _show(status, state, now)
    return EXIT_RUN if state in ("failed", "stale") else EXIT_OK


def _show(status: Status, state: str, now: float) -> None:
    table = Table(show_header=False, title=f"{state}, step {status.step} of {status.steps}")
    speed = "" if status.spectra_per_s is None else f"{status.spectra_per_s:.0f} spectra/s"
    left = "" if status.seconds_left is None else _span(status.seconds_left)
    hint = "go on with --resume" if state == "stale" else ""
    for name, value in (
        ("told", "; ".join(part for part in (status.told, hint) if part)),
        ("processes", f"{status.processes} on {status.device}, {status.host} ({status.pid})"),
        ("last heard of", f"{_span(now - status.beat)} ago"),
        ("throughput", speed),
        ("time left", left if state == "running" else ""),
        ("checkpoint", status.checkpoint or "none yet"),
        ("foundation", status.foundation or ""),
        ("training", _terms(status.metrics)),
        ("validation", _terms(status.validation)),
    ):
        if value:
            table.add_row(name, value)
    Console(highlight=False, markup=False).print(table)


def _terms(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items())


def _span(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
