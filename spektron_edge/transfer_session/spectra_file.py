"""Repeat scans from a CSV file: a header of wavelengths in nm, one row of absorbance a scan."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spektron_edge.faults import Fault, Faults
from spektron_edge.resampling import check_axis

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
        lines = [row for row in csv.reader(raw.decode("utf-8-sig").splitlines()) if any(row)]
    except OSError as error:
        raise Fault(Faults.TRANSFER_INPUT, f"cannot read {path}: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise Fault(Faults.TRANSFER_INPUT, f"{path} is not CSV: {error}") from None
    if len(lines) < 2:
        detail = f"{path} holds no scans; give wavelengths in nm as first line, then a line a scan"
        raise Fault(Faults.TRANSFER_INPUT, detail)
    axis = _numbers(path, 1, lines[0])
    rows = [_numbers(path, number, line) for number, line in enumerate(lines[1:], start=2)]
    for number, row in enumerate(rows, start=2):
        if row.size != axis.size:
            detail = f"{path}, line {number}: {row.size} values for {axis.size} wavelengths"
            raise Fault(Faults.TRANSFER_INPUT, detail)
    try:
        check_axis(axis)
    except Fault as fault:
        raise Fault(Faults.TRANSFER_INPUT, f"{path}, line 1: {fault.detail}") from None
    return Scans(np.stack(rows), axis)


def _numbers(path: Path, number: int, cells: list[str]) -> Array:
    try:
        return np.array([float(cell) for cell in cells])
    except ValueError:
        wrong = next(cell for cell in cells if not _is_number(cell))
        detail = f"{path}, line {number}: {wrong[:20]!r} is no number; write numbers with a point"
        raise Fault(Faults.TRANSFER_INPUT, f"{detail}, separated by commas") from None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
