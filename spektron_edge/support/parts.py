"""What goes into a support file."""

from __future__ import annotations

import platform
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata

from spektron_edge import __version__
from spektron_edge.config.file import Config
from spektron_edge.faults import Fault
from spektron_edge.files.audit_tail import newest
from spektron_edge.files.state_folder import AUDIT_FILE
from spektron_edge.outbox.questions import latest_events

from .state_report import inspect_state

LINES = 500
EVENTS = 200


@dataclass(frozen=True)
class Part:
    """A file of the zip. made: value of JSON, or text; what: for a reader."""

    name: str
    what: str
    made: object


def parts_of(config: Config) -> list[Part]:
    """All that configuration and state folder say. What cannot be read says why instead."""
    state_dir = config.state_dir
    audit = state_dir / AUDIT_FILE
    return [
        Part(
            "configuration.json",
            "the configuration with its defaults; files of keys by name only",
            config.model_dump(mode="json"),
        ),
        Part("versions.json", "software and machine", _versions()),
        Part(
            "state-folder.json",
            "as `spektron-edge inspect` shows it",
            _tried(lambda: inspect_state(state_dir)),
        ),
        Part(
            "audit.json",
            f"the last {LINES} lines of the audit log, the newest first",
            _tried(lambda: [line.entry for line in newest(audit, LINES)]),
        ),
        Part(
            "events.json",
            f"the last {EVENTS} events, the newest first",
            _tried(lambda: latest_events(state_dir, EVENTS)),
        ),
    ]


def _tried(read: Callable[[], object]) -> object:
    try:
        return read()
    except (Fault, OSError) as error:
        return {"cannot be read": str(error)}


def _versions() -> dict[str, object]:
    packages = {d.metadata["Name"]: d.version for d in metadata.distributions()}
    return {
        "spektron-edge": __version__,
        "python": sys.version,
        "sqlite": sqlite3.sqlite_version,
        "machine": platform.machine(),
        "system": platform.platform(),
        "packages": dict(sorted(packages.items(), key=lambda item: str(item[0]).lower())),
    }
