"""Predictions as CSV (RFC 4180), of which a spreadsheet makes no formulas."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_OF_RECORD = ("id", "utc", "clock", "site", "instrument", "serial", "boot_id", "scan")
_OF_VALUE = ("", "_low", "_high", "_unit", "_basis")
_OF_REST = (
    "valid",
    "reasons",
    "t2",
    "t2_limit",
    "q",
    "q_limit",
    "neighbour",
    "neighbour_limit",
    "temperature_c",
    "dark_age_s",
    "white_age_s",
    "bundle",
    "product",
    "transfer",
    "adaptation",
)


def head(properties: Sequence[str]) -> str:
    """The first line."""
    values = [f"{name}{end}" for name in properties for end in _OF_VALUE]
    return _lines([[*_OF_RECORD, *values, *_OF_REST]])


def lines(records: Sequence[Mapping[str, Any]], properties: Sequence[str]) -> str:
    """A line of each prediction; empty where something was not known."""
    return _lines([_cells(record, properties) for record in records])


def _cells(record: Mapping[str, Any], properties: Sequence[str]) -> list[object]:
    time, scan, model = (record.get(name) or {} for name in ("time", "scan", "model"))
    rest = {
        "valid": "true" if record.get("valid") else "false",
        "reasons": " ".join(record.get("reasons", ())),
        **(record.get("applicability") or {}),
        **{name: scan.get(name) for name in ("temperature_c", "dark_age_s", "white_age_s")},
        **{name: model.get(name) for name in ("bundle", "product")},
        "transfer": _told(model.get("transfer")),
        "adaptation": _told(model.get("adaptation")),
    }
    cells: list[object] = [
        record.get("id"),
        time.get("utc"),
        time.get("clock"),
        *(record.get(name) for name in ("site", "instrument", "serial")),
        scan.get("boot_id"),
        scan.get("number"),
    ]
    for name in properties:
        value = record.get("values", {}).get(name, {})
        cells += [value.get(part) for part in ("value", "low", "high", "unit", "basis")]
    return [*cells, *(rest.get(name) for name in _OF_REST)]


def _told(of_model: object) -> object:
    return of_model.get("id") if isinstance(of_model, Mapping) else of_model


def _lines(rows: Sequence[Sequence[object]]) -> str:
    stream = io.StringIO()
    csv.writer(stream).writerows([[_safe(cell) for cell in row] for row in rows])
    return stream.getvalue()


def _safe(cell: object) -> object:
    """Text that a spreadsheet would work out gets an apostrophe before it (OWASP, CSV injection);
    numbers stay numbers."""
    if isinstance(cell, str) and cell.lstrip(" ").startswith(_FORMULA):
        return f"'{cell}"
    return cell
