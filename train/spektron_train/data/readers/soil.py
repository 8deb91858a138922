"""Soil libraries as CSV, read by blocks of rows: OSSL, LUCAS 2009 and ICRAF-ISRIC.

OSSL 1.2 (manual of the Open Soil Spectral Library, "Database"): scan_visnir.<nm>_ref, reflectance
as a fraction, scan_mir.<cm-1>_abs, absorbance, laboratory columns that end in their unit. LUCAS
2009 topsoil (LUCAS.SOIL_corr.csv of ESDAC): spc.<nm>, absorbance. ICRAF-ISRIC
(ICRAF_ISRIC_MIR_spectra.csv, DOI 10.34725/DVN/MFHA9C): m<cm-1>, absorbance, laboratory values in
another file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..spectral_set import Array, AxisUnit, DataError, Quantity, SpectralSet
from .files import fractions
from .table import Block, read_blocks

# As text, a row of 3501 numbers takes a quarter of a megabyte.
BLOCK_ROWS = 128
_MISSING = frozenset({"", "NA", "NaN", "nan", "N/A"})
# Above this an absorbance is no decimal logarithm; some libraries store thousandths.
_MOST_ABSORBANCE = 20.0


@dataclass(frozen=True)
class Layout:
    """Columns of one library.

    channel: matches a spectral column, its first group is the axis value; samples, instruments:
    possible columns, best first; reference: matches a laboratory column, with a group `unit`, or
    the names and units are in `known`; span: the part of the axis that is read.
    """

    name: str
    channel: str
    axis_unit: AxisUnit
    quantity: Quantity
    samples: tuple[str, ...]
    instruments: tuple[str, ...]
    reference: str
    known: tuple[tuple[str, str], ...]
    span: tuple[float, float]
    licence: str


_OSSL_UNITS = r"w\.pct|w\.frac|mg\.kg|g\.kg|cmolc\.kg|index|g\.cm3|ds\.m"
_OSSL_REFERENCE = rf"(?P<name>.+)_(?P<unit>{_OSSL_UNITS})"
_OSSL_SAMPLES = ("id.layer_uuid_txt", "id.layer_local_c")
_NONE = r"(?!)"
OSSL_VISNIR = Layout(
    "OSSL VisNIR",
    r"scan_visnir\.(\d+(?:\.\d+)?)_ref",
    "nm",
    "reflectance",
    _OSSL_SAMPLES,
    ("scan.visnir.model.code_any_txt", "dataset.code_ascii_txt"),
    _OSSL_REFERENCE,
    (),
    # Many of its instruments start at 400 nm.
    (400.0, 2500.0),
    "per sub-library, column scan.visnir.license.title_ascii_txt; mostly CC BY 4.0",
)
OSSL_MIR = Layout(
    "OSSL MIR",
    r"scan_mir\.(\d+(?:\.\d+)?)_abs",
    "cm-1",
    "absorbance",
    _OSSL_SAMPLES,
    ("scan.mir.model.code_any_txt", "dataset.code_ascii_txt"),
    _OSSL_REFERENCE,
    (),
    (650.0, 4000.0),
    "per sub-library, column scan.mir.license.title_ascii_txt; mostly CC BY 4.0",
)
LUCAS_2009 = Layout(
    "LUCAS 2009",
    r"spc\.(\d+(?:\.\d+)?)",
    "nm",
    "absorbance",
    ("POINT_ID",),
    (),
    _NONE,
    (
        ("coarse", "%"),
        ("clay", "%"),
        ("silt", "%"),
        ("sand", "%"),
        ("pH.in.CaCl2", ""),
        ("pH.in.H2O", ""),
        ("OC", "g/kg"),
        ("CaCO3", "g/kg"),
        ("N", "g/kg"),
        ("P", "mg/kg"),
        ("K", "mg/kg"),
        ("CEC", "cmol(+)/kg"),
    ),
    (400.0, 2500.0),
    "JRC licence agreement of ESDAC; registration needed, no redistribution",
)
ICRAF_MIR = Layout(
    "ICRAF-ISRIC MIR",
    r"m(\d+(?:\.\d+)?)",
    "cm-1",
    "absorbance",
    ("SSN",),
    (),
    _NONE,
    (),
    (0.0, 10_000.0),
    "CC BY 4.0, DOI 10.34725/DVN/MFHA9C",
)


def soil_blocks(
    path: Path, layout: Layout, skipped: Counter[str], rows: int = BLOCK_ROWS
) -> Iterator[SpectralSet]:
    """The scans of a library's CSV file (.csv or .csv.gz), `rows` lines at a time.

    skipped: counts lines without a scan of this kind, and with a scan that has gaps inside the
    layout's span; neither can be used. Raises DataError.
    """
    for block in read_blocks(path, rows):
        part = _from_block(block, layout, skipped)
        if part is not None:
            yield part


def _from_block(block: Block, layout: Layout, skipped: Counter[str]) -> SpectralSet | None:
    columns, axis = _channels(block, layout)
    references = _references(block, layout)
    kept = []
    for i, row in enumerate(block.rows):
        missing = sum(row[c].strip() in _MISSING for c in columns)
        if missing:
            skipped["no scan" if missing == len(columns) else "scan with gaps"] += 1
        else:
            kept.append(i)
    if not kept:
        return None
    # The whole block's rows, so that a message names the right line.
    spectra = block.numbers(columns, gaps=True)[kept]
    top = float(spectra.max())
    if layout.quantity == "absorbance" and top > _MOST_ABSORBANCE:
        raise DataError(
            f"{block.path} has absorbance up to {top:g}, so it is scaled; give it as log10 units"
        )
    n = len(block.rows)
    names = _cells(block, layout.samples) or tuple(f"line-{block.line + i}" for i in range(n))
    instruments = _cells(block, layout.instruments) or (layout.name,) * n
    return SpectralSet(
        name=f"{layout.name} ({block.path})",
        spectra=fractions(block.path, spectra, layout.quantity, percent=False),
        axis=axis,
        axis_unit=layout.axis_unit,
        quantity=layout.quantity,
        references=block.numbers([c for c, _, _ in references], gaps=True)[kept],
        properties=tuple(name for _, name, _ in references),
        units=tuple(unit for _, _, unit in references),
        sample_ids=tuple(names[i] for i in kept),
        instruments=tuple(instruments[i] for i in kept),
        sha256=block.sha256,
        licence=layout.licence,
    )


def _channels(block: Block, layout: Layout) -> tuple[list[int], Array]:
    matches = [(c, re.fullmatch(layout.channel, name)) for c, name in enumerate(block.header)]
    low, high = layout.span
    found = [(c, float(m[1])) for c, m in matches if m and low <= float(m[1]) <= high]
    if len(found) < 2:
        raise DataError(
            f"{block.path} has no columns like {layout.channel}, so it is not {layout.name}; name "
            "the right library, or use the CSV convention"
        )
    return [c for c, _ in found], np.array([value for _, value in found])


def _references(block: Block, layout: Layout) -> list[tuple[int, str, str]]:
    """Column, property and unit of each laboratory value."""
    known = dict(layout.known)
    found = []
    for c, name in enumerate(block.header):
        if name in known:
            found.append((c, name, known[name]))
        elif match := re.fullmatch(layout.reference, name):
            found.append((c, match["name"], match["unit"]))
    return found


def _cells(block: Block, names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name in block.header:
            c = block.header.index(name)
            return tuple(row[c].strip() for row in block.rows)
    return ()
