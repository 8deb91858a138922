"""The records as metrics: predictions are the device's, events and the state the edge node's."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from spektron_edge import __version__

from .payload import REBIRTH, Definition, Reading, Scalar
from .wire import DataType

_Record = Mapping[str, Any]
_Column = tuple[str, DataType, str | None, Callable[[_Record], Scalar | None]]

REBIRTH_METRIC = Definition(REBIRTH, DataType.BOOLEAN)
_VALUE = (("Value", "value"), ("Low", "low"), ("High", "high"))
# What came into the records later is asked for by `get`: an outbox may hold older ones.

_PREDICTION: tuple[_Column, ...] = (
    ("Record ID", DataType.STRING, None, lambda r: str(r["id"])),
    ("Valid", DataType.BOOLEAN, None, lambda r: bool(r["valid"])),
    ("Reasons", DataType.STRING, None, lambda r: ", ".join(r["reasons"])),
    ("Clock Suspect", DataType.BOOLEAN, None, lambda r: bool(r["time"]["clock"] != "ok")),
    ("Scan/Number", DataType.INT64, None, lambda r: int(r["scan"]["number"])),
    ("Scan/Missing Before", DataType.INT64, None, lambda r: r["scan"].get("missing_before")),
    ("Scan/Temperature", DataType.DOUBLE, "°C", lambda r: _number(r["scan"]["temperature_c"])),
    ("Scan/Dark Age", DataType.DOUBLE, "s", lambda r: _number(r["scan"]["dark_age_s"])),
    ("Scan/White Age", DataType.DOUBLE, "s", lambda r: _number(r["scan"]["white_age_s"])),
    ("Applicability/T2", DataType.DOUBLE, None, lambda r: _distance(r, "t2")),
    ("Applicability/T2 Limit", DataType.DOUBLE, None, lambda r: _distance(r, "t2_limit")),
    ("Applicability/Q", DataType.DOUBLE, None, lambda r: _distance(r, "q")),
    ("Applicability/Q Limit", DataType.DOUBLE, None, lambda r: _distance(r, "q_limit")),
    ("Applicability/Neighbour", DataType.DOUBLE, None, lambda r: _distance(r, "neighbour")),
    (
        "Applicability/Neighbour Limit",
        DataType.DOUBLE,
        None,
        lambda r: _distance(r, "neighbour_limit"),
    ),
    ("Model/Bundle", DataType.STRING, None, lambda r: str(r["model"]["bundle"])),
)
_EVENT: tuple[_Column, ...] = (
    ("Event/ID", DataType.STRING, None, lambda r: str(r["id"])),
    ("Event/Code", DataType.STRING, None, lambda r: str(r["code"])),
    ("Event/Level", DataType.STRING, None, lambda r: str(r["level"])),
    ("Event/Message", DataType.STRING, None, lambda r: str(r["message"])),
)
_STATE: tuple[_Column, ...] = (
    ("State/Faults", DataType.STRING, None, lambda r: ", ".join(r["faults"])),
    ("State/Unsent", DataType.INT64, None, lambda r: int(r["counters"]["unsent"])),
    ("State/Refused", DataType.INT64, None, lambda r: int(r["counters"]["refused"])),
    ("State/Missed Scans", DataType.INT64, None, lambda r: int(r["counters"]["missed_scans"])),
    ("State/Uptime", DataType.DOUBLE, "s", lambda r: float(r["uptime_s"])),
)
_COLUMNS = {"prediction": _PREDICTION, "event": _EVENT, "state": _STATE}


def node_definitions() -> list[Definition]:
    """What the edge node ever reports on."""
    return [
        REBIRTH_METRIC,
        *(d.definition for d in node_constants(0)[1:]),
        *(Definition(name, kind, unit) for name, kind, unit, _ in (*_EVENT, *_STATE)),
    ]


def node_constants(now_ms: int) -> list[Reading]:
    """What a birth says of the node that no record says."""
    return [
        Reading(REBIRTH_METRIC, value=False, at_ms=now_ms),
        Reading(Definition("Properties/Software", DataType.STRING), "Spektron Edge", now_ms),
        Reading(Definition("Properties/Version", DataType.STRING), __version__, now_ms),
    ]


def device_definitions(properties: Mapping[str, str]) -> list[Definition]:
    """What the device reports on with a model of these properties and their units."""
    values = [
        Definition(f"Values/{name}/{part}", DataType.DOUBLE, unit)
        for name, unit in properties.items()
        for part, _ in _VALUE
    ]
    return [*values, *(Definition(name, kind, unit) for name, kind, unit, _ in _PREDICTION)]


def readings(kind: str, payload: bytes) -> list[Reading]:
    """A record's metrics. kind: prediction, event or state."""
    record = json.loads(payload)
    at_ms = _ms(record["time"]["utc"])
    good = kind != "prediction" or bool(record["valid"])
    found = [
        Reading(Definition(name, datatype, unit), value(record), at_ms)
        for name, datatype, unit, value in _COLUMNS[kind]
    ]
    for name, value in record.get("values", {}).items():
        found += [
            Reading(
                Definition(f"Values/{name}/{part}", DataType.DOUBLE, value["unit"]),
                _number(value[key]),
                at_ms,
                good,
            )
            for part, key in _VALUE
        ]
    return found


def _ms(utc: str) -> int:
    # Python 3.10 does not read the Z.
    return round(1000 * datetime.fromisoformat(str(utc).replace("Z", "+00:00")).timestamp())


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def _distance(record: _Record, key: str) -> float | None:
    applicability = record["applicability"]
    return None if applicability is None else _number(applicability.get(key))
