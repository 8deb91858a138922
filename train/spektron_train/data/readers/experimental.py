"""A measured set: a folder of JCAMP-DX files and a table of their SMILES.

This is how NIST WebBook and ChEMBL-style collections are kept on disk: `smiles.csv` with the
columns `file` and `smiles`, one line for each spectrum. The published ChEMBL IR/Raman set itself
(Liang et al., Sci. Data 12, 939, 2025) is calculated and comes as SQLite with pickled values,
which are not read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..spectral_set import Array, DataError, SpectralSet, merged
from .csv_table import Declared
from .files import need_path
from .jcamp_dx import SUFFIXES, read_jcamp
from .table import read_blocks

TABLE = "smiles.csv"
BLOCK_FILES = 256
_ALL_ROWS = 2**20
_INFRARED = ("absorbance", "transmittance", "reflectance")


def experimental_blocks(
    folder: Path, declared: Declared, skipped: Counter[str], axis: Array | None = None
) -> Iterator[SpectralSet]:
    """The folder's spectra, up to 256 files at a time; sample ids are SMILES.

    Infrared spectra become absorbance. axis: (L,) to interpolate all spectra at; without it all
    files must share one. skipped: counts spectra that do not cover `axis`, and transmittance at or
    below zero. Raises DataError, also for a file without SMILES and a line without a file.
    """
    smiles = _table(folder)
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    if lost := [p for p in files if p.name not in smiles]:
        raise DataError(f"{folder / TABLE} has no line for {lost[0].name}; add it")
    if lost_names := sorted(set(smiles) - {p.name for p in files}):
        raise DataError(f"{folder} has no file {lost_names[0]}, which {TABLE} lists")
    parts: list[SpectralSet] = []
    first: SpectralSet | None = None
    for path in files:
        for spectrum in read_jcamp(path, declared):
            part = _prepared(spectrum, axis, skipped)
            if part is not None:
                first = first or part
                merged(str(folder), [first, part])
                parts.append(replace(part, sample_ids=(smiles[path.name],)))
        if len(parts) >= BLOCK_FILES:
            yield merged(str(folder), parts)
            parts = []
    if parts:
        yield merged(str(folder), parts)
    if first is None:
        raise DataError(f"{folder} has no spectrum that can be used ({dict(skipped)})")


def _prepared(
    spectrum: SpectralSet, axis: Array | None, skipped: Counter[str]
) -> SpectralSet | None:
    if axis is not None:
        if axis.min() < spectrum.axis[0] or axis.max() > spectrum.axis[-1]:
            skipped["does not cover the axis"] += 1
            return None
        spectrum = spectrum.resampled(axis)
    if spectrum.quantity not in _INFRARED:
        return spectrum
    if spectrum.quantity != "absorbance" and np.any(spectrum.spectra <= 0):
        skipped[f"{spectrum.quantity} at or below zero"] += 1
        return None
    return spectrum.to_absorbance()


def _table(folder: Path) -> dict[str, str]:
    if not need_path(folder).is_dir():
        raise DataError(f"{folder} is a file; name the folder that holds {TABLE}")
    smiles: dict[str, str] = {}
    for block in read_blocks(folder / TABLE, _ALL_ROWS):
        if missing := [name for name in ("file", "smiles") if name not in block.header]:
            raise DataError(f"{block.path} has no column {missing[0]!r}; it needs file and smiles")
        file, text = block.header.index("file"), block.header.index("smiles")
        for i, row in enumerate(block.rows):
            if not row[text].strip() or row[file] in smiles:
                raise DataError(
                    f"{block.path}, line {block.line + i}: {row[file]!r} is listed twice or has no "
                    "SMILES"
                )
            smiles[row[file]] = row[text].strip()
    return smiles
