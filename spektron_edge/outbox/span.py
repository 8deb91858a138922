"""Which records are meant: from an id or a time on, up to another, both included."""

from __future__ import annotations

import re
import sqlite3
from datetime import datetime, timezone

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError
from ulid import ULID

from .errors import OutboxError

_RANDOM = 16
_TIME = TypeAdapter(AwareDatetime)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]")
_FIRST = datetime(1970, 1, 1, tzinfo=timezone.utc)


class SpanError(OutboxError):
    """A span that begins or ends with a record that the outbox does not hold, or ends first."""


class Span(BaseModel):
    """since, until: a record's id, or a time with its zone (ISO 8601).

    By id, the order of commits counts. By time, the ids' own times count: the wall clock when a
    record was made, as it stands in the record.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: str
    until: str | None = None

    def model_post_init(self, _: object) -> None:
        """Raises ValueError for what is neither, and for a time before the one it begins with."""
        first, last = (None if end is None else _parsed(end) for end in (self.since, self.until))
        if isinstance(first, datetime) and isinstance(last, datetime) and last < first:
            raise ValueError(f"the span ends before it begins: {self.until} is before {self.since}")

    @property
    def in_words(self) -> str:
        """For a reader."""
        return f"from {self.since}" + (f" to {self.until}" if self.until else " on")

    def condition(self, db: sqlite3.Connection) -> tuple[str, tuple[object, ...]]:
        """The span as SQL with its values. Raises SpanError."""
        parts: list[str] = []
        values: list[object] = []
        positions: list[int] = []
        for end, sign, bound in ((self.since, ">=", first_id), (self.until, "<=", last_id)):
            if end is None:
                continue
            parsed = _parsed(end)
            if isinstance(parsed, datetime):
                parts.append(f"id {sign} ?")
                values.append(bound(parsed))
            else:
                parts.append(f"position {sign} ?")
                positions.append(_position(db, parsed))
                values.append(positions[-1])
        if positions != sorted(positions):
            raise SpanError(f"{self.until} was committed before {self.since}")
        return " AND ".join(parts), tuple(values)


def first_id(at: datetime) -> str:
    """The lowest id that a record of that millisecond may have."""
    return _time(at) + _RANDOM * "0"


def last_id(at: datetime) -> str:
    """The highest."""
    return _time(at) + _RANDOM * "Z"


def _time(at: datetime) -> str:
    # Ids have no time before 1970.
    return str(ULID.from_datetime(max(at, _FIRST)))[:-_RANDOM]


def _parsed(end: str) -> str | datetime:
    """An id, or a time. Raises ValueError."""
    try:
        return str(ULID.from_str(end.upper()))
    except ValueError:
        pass
    try:
        # Without this, a plain number would be seconds since 1970.
        if not _DATE.match(end):
            raise ValueError("a time begins with its date: 2026-11-22T10:00Z")
        return _TIME.validate_python(end)
    except ValueError as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise ValueError(f"{end!r} is no record's id and no time with its zone ({why})") from None


def _position(db: sqlite3.Connection, record_id: str) -> int:
    for (position,) in db.execute("SELECT position FROM record WHERE id = ?", (record_id,)):
        return int(position)
    raise SpanError(f"the outbox holds no record {record_id}")
