"""Structured log lines: one event a line, as key=value text or JSON, or as the journal's fields."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from datetime import datetime, timezone
from typing import Literal, TextIO

from .faults import Fault
from .service.journal import SOCKET, Journal, field_name, is_journal

Format = Literal["text", "json"]
_log = logging.getLogger("spektron_edge")


class _Formatter(logging.Formatter):
    def __init__(self, form: Format) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, timezone.utc)
        head = {
            "time": at.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
        }
        if self._form == "json":
            line = {**head, "event": record.getMessage(), **_fields(record)}
            return json.dumps(line, default=str)
        return f"{head['time']} {head['level']:7} {_in_words(record)}"


class _JournalHandler(logging.Handler):
    """Entries with fields. What the journal does not take goes to stderr, as it would without."""

    _PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))

    def __init__(self, journal: Journal, instrument: str, instead: logging.Handler) -> None:
        super().__init__()
        self._journal, self._instrument, self._instead = journal, instrument, instead

    def emit(self, record: logging.LogRecord) -> None:
        priority = next((p for level, p in self._PRIORITIES if record.levelno >= level), 7)
        entry: dict[str, object] = {
            "MESSAGE": _in_words(record),
            "PRIORITY": priority,
            "SYSLOG_IDENTIFIER": "spektron-edge",
            "SPEKTRON_INSTRUMENT": self._instrument,
            "SPEKTRON_EVENT": record.getMessage(),
        }
        for name, value in _fields(record).items():
            entry.setdefault(field_name(name), value)
        try:
            self._journal.send(entry)
        except Exception:  # noqa: BLE001  no line is worth the measurement
            self._instead.handle(record)

    def close(self) -> None:
        self._journal.close()
        super().close()


def _fields(record: logging.LogRecord) -> dict[str, object]:
    fields: dict[str, object] = getattr(record, "fields", {})
    return fields


def _in_words(record: logging.LogRecord) -> str:
    said = (f"{name}={_quoted(value)}" for name, value in _fields(record).items())
    return " ".join([record.getMessage(), *said])


def _quoted(value: object) -> str:
    text = str(value)
    plain = text.isprintable() and not any(c in text for c in ' "=')
    return text if text and plain else json.dumps(text)


def set_up(form: Format, level: str, stream: TextIO | None = None, *, instrument: str = "") -> None:
    """Send the package's log to a stream (stderr unless told), or to the journal with its fields
    where that is what is behind the stream. instrument: a field of every entry there."""
    stream = stream or sys.stderr
    handler: logging.Handler = logging.StreamHandler(stream)
    handler.setFormatter(_Formatter(form))
    if is_journal(stream, os.environ.get("JOURNAL_STREAM")):
        with contextlib.suppress(OSError):
            handler = _JournalHandler(Journal(SOCKET), instrument, handler)
    before = _log.handlers[:]
    _log.handlers[:] = [handler]
    for replaced in before:
        replaced.close()
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
