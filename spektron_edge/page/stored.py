"""Predictions in the outbox, which only the daemon writes. All of this blocks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spektron_edge.outbox.questions import asked_of

LOWEST, HIGHEST = "0" * 26, "Z" * 26
# A payload that is no JSON any more is left out: SQLite would end the whole question at it.
_PREDICTIONS = (
    "(SELECT id, CAST(payload AS TEXT) AS doc FROM record "
    "WHERE kind = 'prediction' AND id >= ? AND id <= ? ORDER BY id {order}) WHERE json_valid(doc)"
)


@dataclass(frozen=True, slots=True)
class Point:
    """One prediction of one property; value, low and high are None where none was given."""

    utc: str
    value: float | None
    low: float | None
    high: float | None
    valid: bool


@dataclass(frozen=True)
class Curve:
    """A property's points, the oldest first, and the unit of the newest."""

    points: tuple[Point, ...]
    unit: str


def predictions(
    state_dir: Path, first: str, last: str, limit: int, *, newest_first: bool
) -> list[dict[str, Any]]:
    """Those of these ids, both included. Raises Fault(STATE_DAMAGED, STATE_UNWRITABLE)."""
    order = _PREDICTIONS.format(order="DESC" if newest_first else "ASC")
    # Of constants, here and below.
    rows = asked_of(state_dir, f"SELECT doc FROM {order} LIMIT ?", (first, last, limit))  # noqa: S608
    return [json.loads(doc) for (doc,) in rows]


def properties(state_dir: Path, first: str, last: str) -> tuple[str, ...]:
    """Names of all that was predicted. Raises Fault as `predictions`."""
    of = _PREDICTIONS.format(order="ASC")
    asked = (
        f"SELECT DISTINCT json_each.key FROM (SELECT doc FROM {of}), "  # noqa: S608
        "json_each(doc, '$.values')"
    )
    return tuple(sorted(str(name) for (name,) in asked_of(state_dir, asked, (first, last))))


def curve(state_dir: Path, name: str, first: str, last: str) -> Curve:
    """A property over time; name: as a bundle may name it. Raises Fault as `predictions`."""
    of = f"$.values.{name}"
    paths = ("$.time.utc", f"{of}.value", f"{of}.low", f"{of}.high", "$.valid", f"{of}.unit", of)
    asked = (
        "SELECT json_extract(doc, ?, ?, ?, ?, ?, ?), json_type(doc, ?) FROM "  # noqa: S608
        + _PREDICTIONS.format(order="ASC")
    )
    points, unit = [], ""
    for told, kind in asked_of(state_dir, asked, (*paths, first, last)):
        if kind == "object":
            utc, value, low, high, valid, unit = json.loads(told)
            points.append(Point(utc, value, low, high, valid))
    return Curve(tuple(points), unit)
