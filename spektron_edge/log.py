"""Structured log lines: one event a line, as key=value text or as JSON."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone
from typing import Literal, TextIO

from .faults import Fault

Format = Literal["text", "json"]
_log = logging.getLogger("spektron_edge")


class _Formatter(logging.Formatter):
    def __init__(self, form: Format) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, timezone.utc)
        line = {
            "time": at.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if self._form == "json":
            return json.dumps(line, default=str)
        head = f"{line.pop('time')} {line.pop('level'):7} {line.pop('event')}"
        return " ".join([head, *(f"{k}={_quoted(v)}" for k, v in line.items())])


def _quoted(value: object) -> str:
    text = str(value)
    plain = text.isprintable() and not any(c in text for c in ' "=')
    return text if text and plain else json.dumps(text)


def set_up(form: Format, level: str, stream: TextIO | None = None) -> None:
    """Send the package's log to a stream (stderr unless told)."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Formatter(form))
    _log.handlers[:] = [handler]
    _log.setLevel(level.upper())
    _log.propagate = False


def info(event: str, **fields: object) -> None:
    """Something happened as it should."""
    _log.info(event, extra={"fields": fields})


def warn(event: str, **fields: object) -> None:
    """Something is wrong; the daemon goes on."""
    _log.warning(event, extra={"fields": fields})


def fault(fault: Fault) -> None:
    """A fault, with its next step."""
    _log.error(fault.code, extra={"fields": {"detail": fault.detail, "next": fault.next_step}})


def also(handler: logging.Handler) -> None:
    """Send the package's log there as well."""
    _log.addHandler(handler)
