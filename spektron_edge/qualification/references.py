"""The laboratory's values: a CSV file of samples, headed `sample` and `property [unit]`."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from spektron_edge.faults import Fault, Faults

_MOST_BYTES = 1_000_000
_RECORDS = "records"
_HEADED = re.compile(r"^(?P<name>[^\[\]]+?)\s*\[(?P<unit>[^\[\]]+)\]$")


@dataclass(frozen=True)
class References:
    """values: sample -> property -> value, NaN where the laboratory has none; units: by property;
    records: sample -> ids of predictions, for samples that were measured before."""

    values: Mapping[str, Mapping[str, float]]
    units: Mapping[str, str]
    records: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read_references(path: Path) -> References:
    """Raises Fault(COMMAND_INPUT) naming what is wrong, and where."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _wrong(f"{path} is larger than {_MOST_BYTES} bytes")
        rows = list(csv.reader(path.read_text("utf-8-sig").splitlines(), strict=True))
    except OSError as error:
        raise _wrong(f"cannot read {path}: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise _wrong(f"{path} is no table: {error}") from None
    rows = [[cell.strip() for cell in row] for row in rows if any(cell.strip() for cell in row)]
    if not rows or rows[0][0].lower() != "sample" or len(rows[0]) < 2:
        raise _wrong(f"{path}: expected a heading such as: sample,moisture [% by mass]")
    at = [i for i, heading in enumerate(rows[0]) if heading.lower() == _RECORDS]
    if len(at) > 1:
        raise _wrong(f"{path}: the heading {_RECORDS} is there twice")
    units = _units(path, [heading for i, heading in enumerate(rows[0]) if i and i not in at])
    if not units:
        raise _wrong(f"{path}: no property, as in `moisture [% by mass]`")
    values: dict[str, dict[str, float]] = {}
    records: dict[str, tuple[str, ...]] = {}
    before: set[str] = set()
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(rows[0]) or not row[0]:
            raise _wrong(f"{path}: row {number} has not one value for each heading")
        if row[0] in values or len(row[0]) > 64 or not row[0].isprintable():
            raise _wrong(f"{path}: row {number}: {row[0][:64]!r} is there twice, or is no name")
        cells = [cell for i, cell in enumerate(row) if i and i not in at]
        values[row[0]] = {
            name: _number(path, number, cell) for name, cell in zip(units, cells, strict=True)
        }
        if ids := tuple(id_ for i in at for id_ in row[i].split()):
            if len(set(ids)) < len(ids) or (before & set(ids)):
                raise _wrong(f"{path}: row {number}: a prediction is there twice")
            before |= set(ids)
            records[row[0]] = ids
    if not values:
        raise _wrong(f"{path} has no sample")
    return References(values, units, records)


def _units(path: Path, headings: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for heading in headings:
        match = _HEADED.match(heading)
        if match is None or match["name"] in found:
            told = "has no unit, as in `moisture [% by mass]`, or is there twice"
            raise _wrong(f"{path}: the heading {heading[:64]!r} {told}")
        found[match["name"]] = match["unit"].strip()
    return found


def _number(path: Path, row: int, cell: str) -> float:
    if not cell:
        return math.nan
    try:
        # float() would take 1_000 and digits of other scripts as well.
        value = float(cell) if cell.isascii() and "_" not in cell else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _wrong(f"{path}: row {row}: {cell[:64]!r} is no number; leave it empty for none")
    return value


def _wrong(told: str) -> Fault:
    return Fault(Faults.COMMAND_INPUT, told)
