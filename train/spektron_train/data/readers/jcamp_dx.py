"""JCAMP-DX 4.24 and 5 spectra, read by `jcamp` (1.3).

jcamp prints its own check failures and goes on, ignores bytes it cannot decode and believes
NPOINTS; here each of these is an error. It also misreads repeat counts above nine, which the
FIRSTY, MAXY and MINY of the header then give away.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
from pathlib import Path
from typing import Any

import numpy as np

from ..spectral_set import Array, AxisUnit, DataError, Quantity, SpectralSet
from .csv_table import Declared
from .files import fractions, read_bytes

SUFFIXES = frozenset({".jdx", ".dx", ".jcm", ".jcamp"})
_AXES: dict[str, tuple[AxisUnit, float]] = {
    "1/CM": ("cm-1", 1.0),
    "CM-1": ("cm-1", 1.0),
    "CM^-1": ("cm-1", 1.0),
    "NANOMETERS": ("nm", 1.0),
    "NM": ("nm", 1.0),
    "MICROMETERS": ("nm", 1000.0),
    "UM": ("nm", 1000.0),
}
_QUANTITIES: dict[str, Quantity] = {
    "ABSORBANCE": "absorbance",
    "TRANSMITTANCE": "transmittance",
    "% TRANSMITTANCE": "transmittance",
    "%T": "transmittance",
    "REFLECTANCE": "reflectance",
    "% REFLECTANCE": "reflectance",
}


def read_jcamp(path: Path, declared: Declared) -> list[SpectralSet]:
    """Each spectrum of the file (several where it is a LINK block), one row each.

    Units are those of XUNITS and YUNITS; `declared` fills in what they leave open and may not
    contradict them. Raises DataError.
    """
    raw = read_bytes(path)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Titles of older files; the numbers are ASCII either way.
        text = raw.decode("latin-1")
    if not re.search(r"^##END\s*=", text, re.MULTILINE | re.IGNORECASE):
        raise DataError(f"{path} has no ##END=, so it is cut short or no JCAMP-DX; get it again")
    for points in re.findall(r"^##NPOINTS\s*=\s*([0-9.,eE+]+)", text, re.MULTILINE | re.IGNORECASE):
        # No form packs more than nine values in a character.
        if not points.isdigit() or not 1 < int(points) <= 9 * len(raw):
            raise DataError(f"{path} has NPOINTS={points}, which a file of its size cannot hold")
    blocks = _parse(path, [line.split("$$")[0] for line in text.splitlines()])
    digest = hashlib.sha256(raw).hexdigest()
    return [
        _spectrum(
            path, block, declared, digest, path.stem if len(blocks) == 1 else f"{path.stem}-{i}"
        )
        for i, block in enumerate(blocks, start=1)
    ]


def _parse(path: Path, lines: list[str]) -> list[dict[str, Any]]:
    import jcamp

    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            parsed = jcamp.read(lines)
    except Exception as error:  # noqa: BLE001  jcamp raises bare Exception, KeyError, IndexError
        raise DataError(
            f"{path} is not JCAMP-DX that can be read ({type(error).__name__}: {error}); export it "
            "again as XYDATA=(X++(Y..Y))"
        ) from None
    blocks: list[dict[str, Any]] = parsed.get("children", [parsed])
    if not blocks:
        raise DataError(f"{path} is a LINK block without spectra")
    if any("peak table" in block for block in blocks):
        raise DataError(f"{path} is a table of peaks and no spectrum; remove it")
    if problem := said.getvalue().strip():
        raise DataError(f"{path} is damaged, get it again: {problem.splitlines()[0]}")
    return blocks


def _spectrum(
    path: Path, block: dict[str, Any], declared: Declared, digest: str, sample: str
) -> SpectralSet:
    x, y = np.asarray(block["x"], np.float64), np.asarray(block["y"], np.float64)
    if not len(y):
        raise DataError(f"{path} has no table of the form (X++(Y..Y)) or (XY..XY)")
    if "npoints" in block and block["npoints"] != len(y):
        raise DataError(f"{path} has {len(y)} points and says {block['npoints']}; it is cut short")
    _check_ordinates(path, block, y)
    unit, scale = _axis(path, block, declared)
    quantity, percent = _quantity(path, block, declared)
    return SpectralSet(
        name=str(path),
        spectra=fractions(path, y[None, :], quantity, percent),
        axis=x * scale,
        axis_unit=unit,
        quantity=quantity,
        references=np.empty((1, 0)),
        properties=(),
        units=(),
        sample_ids=(sample,),
        instruments=(str(block.get("spectrometer/data system", "") or "unknown"),),
        sha256=digest,
        licence=declared.licence,
    )


def _check_ordinates(path: Path, block: dict[str, Any], y: Array) -> None:
    """FIRSTY, MAXY and MINY must be those of the data, within 1 % of its span.

    Some writers give them before YFACTOR is applied, so either form is taken.
    """
    factor = block.get("yfactor", 1)
    slack = 0.01 * float(np.ptp(y)) + 1e-6 * float(np.abs(y).max())
    for label, found in (("firsty", y[0]), ("maxy", y.max()), ("miny", y.min())):
        said = block.get(label)
        if not isinstance(said, (int, float)):
            continue
        if not any(abs(v - found) <= slack for v in (said, said * factor)):
            raise DataError(
                f"{path} says {label.upper()}={said:g} and its data give {found:g}; it is damaged, "
                "or packed in a way that jcamp misreads: export it again without compression"
            )


def _axis(path: Path, block: dict[str, Any], declared: Declared) -> tuple[AxisUnit, float]:
    said = str(block.get("xunits", "")).strip().upper()
    if said in _AXES:
        unit, scale = _AXES[said]
        if declared.axis_unit not in (None, unit):
            raise DataError(f"{path} is in {unit}, not in {declared.axis_unit} as was said")
        return unit, scale
    if declared.axis_unit is None:
        raise DataError(f"{path} has XUNITS={said or 'nothing'}; name the axis unit (nm or cm-1)")
    return declared.axis_unit, 1.0


def _quantity(path: Path, block: dict[str, Any], declared: Declared) -> tuple[Quantity, bool]:
    said = str(block.get("yunits", "")).strip().upper()
    percent = declared.percent or "%" in said or "PERCENT" in said
    found = _QUANTITIES.get(said.replace("PERCENT", "%"))
    if found is None and "RAMAN" in str(block.get("data type", "")).upper():
        found = "raman"
    if found is None:
        found = declared.quantity
    if found is None:
        raise DataError(f"{path} has YUNITS={said or 'nothing'}; name the quantity")
    if declared.quantity not in (None, found):
        raise DataError(f"{path} holds {found}, not {declared.quantity} as was said")
    return found, percent
