"""Which records are meant: from an id or a time on, up to another, both included."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError
from ulid import ULID

from .errors import OutboxError

_RANDOM = 16
_TIME = TypeAdapter(AwareDatetime)


class UnknownRecordError(OutboxError):
    """The outbox does not hold the record that a span begins or ends with."""


class Span(BaseModel):
    """since, until: a record's id, or a time with its zone (ISO 8601).

    By id, the order of commits counts. By time, the ids' own times count: the wall clock when a
    record was made, as it stands in the record.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: str
    until: str | None = None

    def model_post_init(self, _: object) -> None:
        """Raises ValueError for what is neither."""
        for end in (self.since, self.until):
            if end is not None:
                _parsed(end)

    @property
    def in_words(self) -> str:
        """For a reader."""
        return f"from {self.since}" + (f" to {self.until}" if self.until else " on")

    def condition(self, db: sqlite3.Connection) -> tuple[str, tuple[object, ...]]:
        """The span as SQL with its values. Raises UnknownRecordError."""
        parts: list[str] = []
        values: list[object] = []
        for end, sign, rest in ((self.since, ">=", "0"), (self.until, "<=", "Z")):
            if end is None:
                continue
            parsed = _parsed(end)
            if isinstance(parsed, datetime):
                parts.append(f"id {sign} ?")
                values.append(str(ULID.from_datetime(parsed))[:-_RANDOM] + _RANDOM * rest)
            else:
                parts.append(f"position {sign} ?")
                values.append(_position(db, parsed))
        return " AND ".join(parts), tuple(values)


def _parsed(end: str) -> str | datetime:
    """An id, or a time. Raises ValueError."""
    try:
        return str(ULID.from_str(end.upper()))
    except ValueError:
        pass
    try:
        return _TIME.validate_python(end)
    except ValidationError as error:
        why = error.errors()[0]["msg"]
        raise ValueError(f"{end!r} is no record's id and no time with its zone ({why})") from None


def _position(db: sqlite3.Connection, record_id: str) -> int:
    for (position,) in db.execute("SELECT position FROM record WHERE id = ?", (record_id,)):
        return int(position)
    raise UnknownRecordError(f"the outbox holds no record {record_id}")
