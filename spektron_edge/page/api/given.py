"""What several questions have in common: a time, a record's id."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator, Field, StringConstraints, WithJsonSchema

from spektron_edge.outbox.span import first_id, last_id

from ..declaration import Given
from ..stored import HIGHEST, LOWEST

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}T\d")


def _dated(given: object) -> object:
    # Without this, a plain number would be seconds since 1970.
    if not isinstance(given, str) or not _DATE.match(given):
        raise ValueError("a time is written 2026-11-22T10:00:00Z")
    return given


When = Annotated[
    AwareDatetime,
    BeforeValidator(_dated),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
RecordId = Annotated[str, StringConstraints(pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]


class SpanQuery(Given):
    """From a time to another, both included; as far as there is anything without them."""

    since: When | None = Field(None, alias="from", description="ISO 8601, with its zone")
    until: When | None = Field(None, alias="to", description="ISO 8601, with its zone")

    @property
    def ids(self) -> tuple[str, str]:
        """The lowest and the highest id that a record of that time may have."""
        return _first(self.since), HIGHEST if self.until is None else last_id(self.until)


def _first(at: datetime | None) -> str:
    return LOWEST if at is None else first_id(at)
