"""A file, or a folder of files, in any format that is read: CSV, MAT, HDF5, SPC, JCAMP-DX."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..spectral_set import DataError, SpectralSet, merged
from . import jcamp_dx, mat, spc
from .csv_table import Declared, csv_blocks
from .files import need_path

_CSV_SUFFIXES = frozenset({".csv", ".csv.gz"})
SUFFIXES = _CSV_SUFFIXES | mat.MAT_SUFFIXES | mat.HDF5_SUFFIXES | spc.SUFFIXES | jcamp_dx.SUFFIXES
_BLOCK_ROWS = 1024
_ROW = np.array([0])


def files_in(source: Path) -> list[Path]:
    """`source` itself, or the files of a folder whose suffix is known, by name.

    Raises DataError when there are none, or the file's suffix is unknown.
    """
    need_path(source)
    known = f"one of {', '.join(sorted(SUFFIXES))}"
    if source.is_file():
        if _suffix(source) not in SUFFIXES:
            raise DataError(f"{source} has a suffix that is not read; {known} is")
        return [source]
    found = sorted(p for p in source.iterdir() if p.is_file() and _suffix(p) in SUFFIXES)
    if not found:
        raise DataError(f"{source} holds no file with {known}")
    return found


def folder_blocks(
    source: Path, declared: Declared, rows: int = _BLOCK_ROWS
) -> Iterator[SpectralSet]:
    """The spectra of a file or folder, at most `rows` of a CSV file at a time.

    All blocks have the axis, units, quantity and properties of the first. Raises DataError,
    also naming two files that differ.
    """
    first: SpectralSet | None = None
    for path in files_in(source):
        for block in _read(path, declared, rows):
            if first is None:
                first = block
            # Checks that they agree; one row is enough.
            merged(str(source), [first.take(_ROW), block.take(_ROW)])
            yield block


def read_folder(source: Path, declared: Declared) -> SpectralSet:
    """All spectra of a file or folder as one set. Raises DataError as `folder_blocks` does."""
    return merged(str(source), list(folder_blocks(source, declared)))


def _read(path: Path, declared: Declared, rows: int) -> Iterator[SpectralSet]:
    suffix = _suffix(path)
    if suffix in _CSV_SUFFIXES:
        yield from csv_blocks(path, declared, rows)
    elif suffix in spc.SUFFIXES:
        yield spc.read_spc(path, declared)
    elif suffix in jcamp_dx.SUFFIXES:
        yield from jcamp_dx.read_jcamp(path, declared)
    else:
        yield mat.read_mat(path, declared)


def _suffix(path: Path) -> str:
    name = path.name.lower()
    return ".csv.gz" if name.endswith(".csv.gz") else path.suffix.lower()
