"""A wavelength axis that somebody else measured, in place of the one the instrument has."""

from __future__ import annotations

import csv
import io
import stat
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.messages import polynomial_nm
from spektron_edge.faults import Fault, Faults

Array = NDArray[np.float64]
_MOST_BYTES = 4_000_000


def from_coefficients(coefficients: Sequence[float], pixels: int) -> Array:
    """(pixels,) nm of a polynomial in the index, from the constant on. Raises as `checked`."""
    return checked(polynomial_nm(coefficients, pixels), pixels, "`acquisition.wavelength_nm`")


def from_table(path: Path, pixels: int) -> Array:
    """(pixels,) nm of a CSV file. Raises as `read_table`, and for another number of pixels."""
    axis = read_table(path)
    if axis.size != pixels:
        raise Fault(
            Faults.AXIS_INVALID,
            f"{path} has {axis.size} pixels; expected each of 0 to {pixels - 1} once",
        )
    return axis


def read_table(path: Path) -> Array:
    """(P,) nm of a CSV file of pixel index and nm, with or without a heading.

    Every pixel from 0 on has to be there once. Raises as `checked`.
    """
    try:
        # Not a device or a pipe, which would never end, or never begin.
        if not stat.S_ISREG(path.stat().st_mode):
            raise Fault(Faults.AXIS_INVALID, f"{path} is no file")
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise Fault(Faults.AXIS_INVALID, f"{path} is larger than {_MOST_BYTES} bytes")
        stream = io.StringIO(content.decode("utf-8-sig"), newline="")
        rows = [row for row in csv.reader(stream) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Fault(Faults.AXIS_INVALID, f"cannot read {path}: {error}") from None
    found: dict[int, float] = {}
    for line, row in enumerate(rows, 1):
        try:
            pixel, nm = int(row[0]), float(row[1])
        except (ValueError, IndexError):
            if line == 1:
                continue
            told = f"{path}: row {line} is {','.join(row)[:40]!r}, expected a pixel and its nm"
            raise Fault(Faults.AXIS_INVALID, told) from None
        if pixel in found:
            raise Fault(Faults.AXIS_INVALID, f"{path}: pixel {pixel} is there twice")
        found[pixel] = nm
    pixels = len(found)
    if not found or sorted(found) != list(range(pixels)):
        raise Fault(
            Faults.AXIS_INVALID,
            f"{path} has {pixels} pixels; expected each from 0 on once",
        )
    return checked(np.array([found[i] for i in range(pixels)]), pixels, str(path))


def checked(axis: Array, pixels: int, name: str) -> Array:
    """The axis. Raises Fault(AXIS_INVALID) unless it has `pixels` finite values above 0 nm, each
    larger than the one before."""
    if axis.shape != (pixels,):
        raise Fault(Faults.AXIS_INVALID, f"{name} has {axis.size} values, the detector {pixels}")
    if not np.all(np.isfinite(axis)) or np.any(axis <= 0):
        raise Fault(Faults.AXIS_INVALID, f"{name} holds values that are not wavelengths above 0 nm")
    if np.any(np.diff(axis) <= 0):
        raise Fault(Faults.AXIS_INVALID, f"{name} does not increase throughout")
    return axis
