"""Galactic/Thermo SPC spectra (new format, least significant byte first), read by `spc_io` (0.2).

Layout: "A brief guide to SPC file format", Thermo Galactic. The low level of spc_io is used: its
high level fails on log texts with two equal signs in a line, and its reader expects the log
directly behind the data, so the log is hidden from it. For single files it also takes the
exponent of integer data from the sub-header, where the format says the main header.
"""

from __future__ import annotations

import hashlib
import io
import logging
from pathlib import Path
from typing import Any

import numpy as np

from ..spectral_set import Array, AxisUnit, DataError, Quantity, SpectralSet, merged
from .csv_table import Declared
from .files import float64, fractions, read_bytes

SUFFIXES = frozenset({".spc"})
_HEADER_BYTES = 512
_FLOAT = -0x80
_AXES: dict[str, tuple[AxisUnit, float]] = {
    "XWAVEN": ("cm-1", 1.0),
    "XRAMANS": ("cm-1", 1.0),
    "XNMETR": ("nm", 1.0),
    "XUMETR": ("nm", 1000.0),
}
_QUANTITIES: dict[str, Quantity] = {
    "YABSRB": "absorbance",
    "YLOGDR": "absorbance",
    "YTRANS": "transmittance",
    "YREFLEC": "reflectance",
}


def read_spc(path: Path, declared: Declared) -> SpectralSet:
    """The file's spectra, one a sub-file; they must share an axis.

    Units are those of the header; `declared` fills in what it leaves open and may not contradict
    it. Raises DataError, also for the old format and for most-significant-byte-first files.
    """
    raw = read_bytes(path)
    content = _content(path, raw)
    header = content.main_header
    unit, scale = _axis(path, str(header.fxtype), declared)
    quantity = _quantity(path, header, declared)
    parts = []
    for i, sub in enumerate(content.subs, start=1):
        axis = _x(path, content, sub) * scale
        y = float64(sub.yarray)
        if header.fexp != _FLOAT and sub.header.subexp != _FLOAT and not header.ftflgs.TMULTI:
            y = y * 2.0 ** (header.fexp - sub.header.subexp)
        parts.append(
            SpectralSet(
                name=f"{path} (trace {i})",
                spectra=fractions(path, y[None, :], quantity, declared.percent),
                axis=axis,
                axis_unit=unit,
                quantity=quantity,
                references=np.empty((1, 0)),
                properties=(),
                units=(),
                sample_ids=(path.stem if len(content.subs) == 1 else f"{path.stem}-{i}",),
                instruments=(header.fsource.decode("latin-1") or "unknown",),
                sha256=hashlib.sha256(raw).hexdigest(),
                licence=declared.licence,
            )
        )
    return merged(str(path), parts)


def _content(path: Path, raw: bytes) -> Any:
    from spc_io.low_level.headers.spchdr import SpcHdr
    from spc_io.low_level.spc_raw import SpcRaw

    if len(raw) < _HEADER_BYTES:
        raise DataError(f"{path} is too short for an SPC file; get it again")
    # It warns of the bytes after the data, which are the log that is hidden here.
    logging.getLogger("spc_io.low_level.spc_raw").setLevel(logging.ERROR)
    hidden = bytearray(raw)
    log = SpcHdr.flogoff
    hidden[log.offset : log.offset + log.size] = bytes(log.size)
    try:
        content = SpcRaw.from_bytes_io(io.BytesIO(bytes(hidden)))
    except NotImplementedError as error:
        raise DataError(
            f"{path} is an SPC variant that is not read ({error}); export it in the new format, or "
            "as CSV"
        ) from None
    except Exception as error:  # noqa: BLE001  ctypes raises unrelated types on damage
        raise DataError(
            f"{path} is damaged or no SPC file ({type(error).__name__}: {error}); get it again"
        ) from None
    return content


def _x(path: Path, content: Any, sub: Any) -> Array:
    header = content.main_header
    for own in (sub.xarray, content.xarray):
        if own is not None:
            return float64(own)
    if header.fnpts < 2:
        raise DataError(f"{path} has traces of {header.fnpts} points")
    return np.linspace(header.ffirst, header.flast, header.fnpts)


def _axis(path: Path, said: str, declared: Declared) -> tuple[AxisUnit, float]:
    if said in _AXES:
        unit, scale = _AXES[said]
        if declared.axis_unit not in (None, unit):
            raise DataError(f"{path} is in {unit}, not in {declared.axis_unit} as was said")
        return unit, scale
    if said != "XARB" or declared.axis_unit is None:
        raise DataError(f"{path} has an axis of type {said}; name the axis unit (nm or cm-1)")
    return declared.axis_unit, 1.0


def _quantity(path: Path, header: Any, declared: Declared) -> Quantity:
    said = str(header.fytype)
    found = _QUANTITIES.get(said)
    if found is None and str(header.fxtype) == "XRAMANS":
        found = "raman"
    found = found or declared.quantity
    if found is None:
        raise DataError(f"{path} holds values of type {said}; name the quantity")
    if declared.quantity not in (None, found):
        raise DataError(f"{path} holds {found}, not {declared.quantity} as was said")
    return found
