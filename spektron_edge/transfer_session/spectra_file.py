"""Repeat scans from a CSV file: a header of wavelengths in nm, one row of absorbance a scan."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spektron_edge.faults import Fault, Faults
from spektron_edge.spectra.resampling import check_axis

Array = NDArray[np.float64]
_MAX_BYTES = 16 * 2**20


@dataclass(frozen=True, eq=False)
class Scans:
    """absorbance: (r, P) on axis_nm (P,); taken: boot id and number of each, where known."""

    absorbance: Array
    axis_nm: Array
    taken: tuple[tuple[int, int], ...] = ()


def read_spectra(path: Path) -> Scans:
    """Raises Fault(TRANSFER_INPUT), naming the line, for a file that is not of this form."""
    # Opening a pipe would wait for its other end.
    if path.exists() and not path.is_file():
        raise Fault(Faults.TRANSFER_INPUT, f"{path} is not a file")
    try:
        with path.open("rb") as stream:
            raw = stream.read(_MAX_BYTES + 1)
        if len(raw) > _MAX_BYTES:
            raise Fault(Faults.TRANSFER_INPUT, f"{path} is larger than repeat scans can be")
    except OSError as error:
        raise Fault(Faults.TRANSFER_INPUT, f"cannot read {path}: {error.strerror}") from None
    lines = _lines(path, raw)
    if len(lines) < 2:
        detail = f"{path} holds no scans; give wavelengths in nm as first line, then a line a scan"
        raise Fault(Faults.TRANSFER_INPUT, detail)
    first, *more = lines
    axis = _numbers(path, *first)
    rows = [_numbers(path, number, line) for number, line in more]
    for (number, _), row in zip(more, rows, strict=True):
        if row.size != axis.size:
            detail = f"{path}, line {number}: {row.size} values for {axis.size} wavelengths"
            raise Fault(Faults.TRANSFER_INPUT, detail)
    try:
        check_axis(axis)
    except Fault as fault:
        raise Fault(Faults.TRANSFER_INPUT, f"{path}, line {first[0]}: {fault.detail}") from None
    return Scans(np.stack(rows), axis)


def _lines(path: Path, raw: bytes) -> list[tuple[int, list[str]]]:
    """Number and cells of each line that is not empty. Raises Fault(TRANSFER_INPUT)."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        detail = f"{path}, line {line}: not UTF-8 ({error.reason}); save it as CSV in UTF-8"
        raise Fault(Faults.TRANSFER_INPUT, detail) from None
    reader = csv.reader(text.splitlines())
    try:
        return [(reader.line_num, row) for row in reader if any(row)]
    except csv.Error as error:
        detail = f"{path}, line {reader.line_num}: not CSV ({error})"
        raise Fault(Faults.TRANSFER_INPUT, detail) from None


def _numbers(path: Path, number: int, cells: list[str]) -> Array:
    try:
        return np.array([_number(cell) for cell in cells])
    except ValueError:
        wrong = next(cell for cell in cells if not _is_number(cell))
        detail = f"{path}, line {number}: {wrong[:20]!r} is no number; write numbers with a point"
        raise Fault(Faults.TRANSFER_INPUT, f"{detail}, separated by commas") from None


def _number(cell: str) -> float:
    # Python reads 1_000 as a thousand; nothing else writes it.
    if "_" in cell:
        raise ValueError
    return float(cell)


def _is_number(cell: str) -> bool:
    try:
        _number(cell)
    except ValueError:
        return False
    return True
