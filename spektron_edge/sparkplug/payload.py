"""Metrics, and the payloads they travel in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .wire import DataType, DecodeError, Payload

REBIRTH = "Node Control/Rebirth"
BD_SEQ = "bdSeq"
# Section 6.4.6 of the specification knows these two and 500, stale.
_GOOD, _BAD = 192, 0

Scalar = bool | int | float | str


@dataclass(frozen=True)
class Definition:
    """What a birth says of a metric, once and for all that follow."""

    name: str
    datatype: DataType
    unit: str | None = None


@dataclass(frozen=True)
class Reading:
    """A metric's value. at_ms: since 1970, UTC; value: None for one that could not be had."""

    definition: Definition
    value: Scalar | None
    at_ms: int
    good: bool = True


def birth(
    readings: Iterable[tuple[Reading, int | None]], seq: int, now_ms: int, bd_seq: int | None = None
) -> bytes:
    """NBIRTH or DBIRTH: every metric with name and, where it has one, alias.

    bd_seq: of the session; an NBIRTH only.
    """
    payload = Payload(timestamp=now_ms, seq=seq)
    if bd_seq is not None:
        _add_bd_seq(payload, bd_seq, now_ms)
    for reading, alias in readings:
        metric = _add(payload, reading)
        metric.name = reading.definition.name
        if alias is not None:
            metric.alias = alias
    return bytes(payload.SerializeToString())


def data(
    readings: Iterable[tuple[Reading, int]], seq: int, now_ms: int, *, historical: bool
) -> bytes:
    """NDATA or DDATA: aliases in place of names. historical: it was stored before it was sent."""
    payload = Payload(timestamp=now_ms, seq=seq)
    for reading, alias in readings:
        metric = _add(payload, reading)
        metric.alias = alias
        if historical:
            metric.is_historical = True
    return bytes(payload.SerializeToString())


def device_death(seq: int, now_ms: int) -> bytes:
    """DDEATH."""
    return bytes(Payload(timestamp=now_ms, seq=seq).SerializeToString())


def node_death(bd_seq: int, now_ms: int) -> bytes:
    """NDEATH: which births it ends, and no sequence number."""
    payload = Payload(timestamp=now_ms)
    _add_bd_seq(payload, bd_seq, now_ms)
    return bytes(payload.SerializeToString())


def asks_for_rebirth(payload: bytes, alias: int) -> bool:
    """Whether an NCMD does, by name or alias. Raises ValueError for what is no payload."""
    try:
        command = Payload.FromString(payload)
    except DecodeError as error:
        raise ValueError(str(error)) from None
    return any(
        m.boolean_value and (m.name == REBIRTH or (not m.name and m.alias == alias))
        for m in command.metrics
    )


def _add_bd_seq(payload: Any, bd_seq: int, now_ms: int) -> None:
    payload.metrics.add(name=BD_SEQ, timestamp=now_ms, datatype=DataType.INT64, long_value=bd_seq)


def _add(payload: Any, reading: Reading) -> Any:
    definition = reading.definition
    metric = payload.metrics.add(timestamp=reading.at_ms, datatype=definition.datatype)
    if reading.value is None:
        metric.is_null = True
    else:
        _FIELDS[definition.datatype](metric, reading.value)
    _property(metric, "Quality", DataType.INT32, int_value=_GOOD if reading.good else _BAD)
    if definition.unit is not None:
        _property(metric, "engUnit", DataType.STRING, string_value=definition.unit)
    return metric


def _property(metric: Any, key: str, kind: DataType, **value: Scalar) -> None:
    metric.properties.keys.append(key)
    metric.properties.values.add(type=kind, **value)


def _set_long(metric: Any, value: Scalar) -> None:
    # The schema has no signed fields: two's complement.
    metric.long_value = int(value) % 2**64


def _set_double(metric: Any, value: Scalar) -> None:
    metric.double_value = float(value)


def _set_boolean(metric: Any, value: Scalar) -> None:
    metric.boolean_value = bool(value)


def _set_string(metric: Any, value: Scalar) -> None:
    metric.string_value = str(value)


_FIELDS = {
    DataType.INT64: _set_long,
    DataType.DOUBLE: _set_double,
    DataType.BOOLEAN: _set_boolean,
    DataType.STRING: _set_string,
}
