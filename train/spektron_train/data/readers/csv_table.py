"""The CSV convention of this package (docs/data.md): a row a spectrum, a header of wavelengths."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..spectral_set import AxisUnit, DataError, Quantity, SpectralSet
from .files import fractions
from .table import Block, is_number, read_blocks

# The empty name is what pandas writes above its index.
_SAMPLE_NAMES = frozenset({"", "id", "sample", "sample_id"})
_UNIT = re.compile(r"(.+?)\s*[\[(](.*)[\])]")


@dataclass(frozen=True)
class Declared:
    """What the user says of files that do not say it themselves.

    percent: reflectance or transmittance is in percent; decimal: "." or ",".
    """

    axis_unit: AxisUnit | None = None
    quantity: Quantity | None = None
    percent: bool = False
    decimal: str = "."
    licence: str = "not stated"


@dataclass(frozen=True)
class Columns:
    """Which column of a table is what, by index."""

    samples: int | None
    instruments: int | None
    references: list[int]
    spectrum: list[int]


def csv_blocks(path: Path, declared: Declared, rows: int) -> Iterator[SpectralSet]:
    """The file's spectra, `rows` at a time.

    Columns whose header is not a number come first: `id`, `sample` or `sample_id`, `instrument`,
    and properties with their unit in brackets ("moisture [%]"); then one column a wavelength.
    Raises DataError when unit or quantity is not declared, and as `read_blocks` does.
    """
    if declared.axis_unit is None or declared.quantity is None:
        raise DataError(
            f"{path} does not say what it measures; name the axis unit (nm or cm-1) and the "
            "quantity (absorbance, reflectance, transmittance, raman or intensity)"
        )
    first = 1
    for block in read_blocks(path, rows, declared.decimal):
        yield _from_block(block, first, declared.axis_unit, declared.quantity, declared)
        first += len(block.rows)


def _from_block(
    block: Block, first: int, unit: AxisUnit, quantity: Quantity, declared: Declared
) -> SpectralSet:
    columns, n = columns_of(block), len(block.rows)
    named = [split_unit(block.header[c]) for c in columns.references]
    stem = block.path.name.split(".")[0]
    header = [block.header[c].replace(declared.decimal, ".") for c in columns.spectrum]
    spectra = block.numbers(columns.spectrum)
    return SpectralSet(
        name=str(block.path),
        spectra=fractions(block.path, spectra, quantity, declared.percent),
        axis=np.array([float(cell) for cell in header]),
        axis_unit=unit,
        quantity=quantity,
        references=block.numbers(columns.references, gaps=True),
        properties=tuple(name for name, _ in named),
        units=tuple(unit for _, unit in named),
        sample_ids=texts(block, columns.samples) or tuple(f"{stem}-{first + i}" for i in range(n)),
        instruments=texts(block, columns.instruments) or (stem,) * n,
        sha256=block.sha256,
        licence=declared.licence,
    )


def split_unit(header: str) -> tuple[str, str]:
    """A property's name and unit, "moisture [%]"; the unit is empty where there is none."""
    match = _UNIT.fullmatch(header)
    return (match[1], match[2]) if match else (header, "")


def columns_of(block: Block) -> Columns:
    """Sort a header into samples, instruments, references and spectrum. Raises DataError."""
    numeric = [is_number(name.replace(block.decimal, ".")) for name in block.header]
    if True not in numeric:
        raise DataError(f"{block.path}: no column of the header is a wavelength")
    start = numeric.index(True)
    if not all(numeric[start:]):
        late = block.header[start + numeric[start:].index(False)]
        raise DataError(
            f"{block.path}: column {late!r} comes after the wavelengths; put it before them"
        )
    samples = instruments = None
    references = []
    for c, name in enumerate(block.header[:start]):
        if name.lower() in _SAMPLE_NAMES and samples is None:
            samples = c
        elif name.lower() == "instrument" and instruments is None:
            instruments = c
        else:
            references.append(c)
    return Columns(samples, instruments, references, list(range(start, len(block.header))))


def texts(block: Block, column: int | None) -> tuple[str, ...]:
    """The cells of a column; none when there is no such column."""
    return () if column is None else tuple(row[column].strip() for row in block.rows)
