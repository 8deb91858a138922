"""QM9S: calculated IR, Raman and UV spectra of about 130 000 molecules, read by blocks of rows.

Two layouts. Figshare 10.6084/m9.figshare.24235333: ir_boraden.csv and raman_boraden.csv (3501
wavenumbers, 500 to 4000 cm-1), uv_boraden.csv (701 energies, 1 to 15 eV), each with an unnamed
first column of row numbers; "boraden" is their spelling. Second, the qm9s_processed.h5 of the
ktubhyam/Spektron research code: `ir` and `raman` (n, 2048), `smiles`, `has_ir`, `has_raman`,
attribute wavenumber_range; spectra are standardised there. qm9s.pt is a pickle and is not read.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..spectral_set import Array, DataError, Quantity, SpectralSet
from .files import check_declared, float64, need_path
from .table import Block, read_blocks

LICENCE = "see figshare 10.6084/m9.figshare.24235333 (Zou et al., Nat. Comput. Sci. 3, 957, 2023)"
Kind = Literal["ir", "raman", "uv"]
# As text, a row of 3501 numbers takes a quarter of a megabyte.
BLOCK_ROWS = 128
# 1 eV in cm-1 (CODATA 2018); energies become wavenumbers, an axis in proportion.
_CM_PER_EV = 8065.543937
_QUANTITIES: dict[Kind, Quantity] = {"ir": "intensity", "raman": "raman", "uv": "intensity"}
_HDF5_RANGE = "500-4000 cm^-1"
_WIDEST = 2**16


def qm9s_blocks(
    source: Path, kind: Kind, skipped: Counter[str], rows: int = BLOCK_ROWS
) -> Iterator[SpectralSet]:
    """The molecules' spectra of one kind, `rows` at a time, on an axis in cm-1.

    source: the folder of the CSV files, one of them, or the HDF5 file; skipped: counts molecules
    without a spectrum. Raises DataError.
    """
    path = _find(need_path(source), kind)
    if path.suffix == ".pt":
        raise DataError(
            f"{path} is a pickle, which can run code and is not read; give the CSV file"
        )
    if path.suffix in (".h5", ".hdf5"):
        yield from _hdf5_blocks(path, kind, skipped, rows)
        return
    for block in read_blocks(path, rows):
        yield _from_csv(block, kind)


def _find(source: Path, kind: Kind) -> Path:
    if source.is_file():
        return source
    names = (f"{kind}_boraden.csv", f"{kind}_broaden.csv", "qm9s_processed.h5")
    for name in names:
        if (source / name).is_file():
            return source / name
    raise DataError(f"{source} holds none of {', '.join(names)}; get them from figshare 24235333")


def _from_csv(block: Block, kind: Kind) -> SpectralSet:
    grid = 1 + 0.02 * np.arange(701) if kind == "uv" else 500.0 + np.arange(3501)
    try:
        axis = np.array([float(cell) for cell in block.header[1:]])
    except ValueError:
        axis = np.empty(0)
    if block.header[0] or axis.shape != grid.shape or not np.allclose(axis, grid, atol=1e-6):
        raise DataError(
            f"{block.path} is not QM9S's {kind} table: an unnamed column and {len(grid)} of "
            f"{grid[0]:g} to {grid[-1]:g} are needed"
        )
    numbers = [row[0] for row in block.rows]
    if not all(number.isdecimal() for number in numbers):
        raise DataError(f"{block.path}: the first column must be row numbers")
    return _set(
        block.path,
        kind,
        block.numbers(list(range(1, len(block.header)))),
        axis * _CM_PER_EV if kind == "uv" else axis,
        tuple(f"qm9s-{number}" for number in numbers),
        block.sha256,
    )


def _hdf5_blocks(path: Path, kind: Kind, skipped: Counter[str], rows: int) -> Iterator[SpectralSet]:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            spectra, has, smiles = _members(path, file, kind)
            axis = np.linspace(500.0, 4000.0, spectra.shape[1])
            for start in range(0, len(spectra), rows):
                part = slice(start, start + rows)
                keep = np.asarray(has[part], bool)
                skipped[f"no {kind} spectrum"] += int(np.count_nonzero(~keep))
                if not keep.any():
                    continue
                stored = spectra[part]
                names = smiles.asstr()[part]
                yield _set(
                    path,
                    kind,
                    float64(stored)[keep],
                    axis,
                    tuple(str(name) for name in names[keep]),
                    hashlib.sha256(stored.tobytes()).hexdigest(),
                )
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path} is damaged or no HDF5 file ({error}); get it again") from None


def _members(path: Path, file: Any, kind: Kind) -> tuple[Any, Any, Any]:
    import h5py

    wanted = (kind, f"has_{kind}", "smiles")
    if missing := [n for n in wanted if not isinstance(file.get(n), h5py.Dataset)]:
        raise DataError(f"{path} has no data set {missing[0]!r}; it is not qm9s_processed.h5")
    spectra, has, smiles = (file[name] for name in wanted)
    if spectra.ndim != 2 or spectra.dtype.kind != "f" or not 1 < spectra.shape[1] <= _WIDEST:
        raise DataError(f"{path}: {kind} has shape {spectra.shape}, type {spectra.dtype}")
    if has.shape != spectra.shape[:1] or smiles.shape != spectra.shape[:1]:
        raise DataError(f"{path}: has_{kind} and smiles must have {spectra.shape[0]} values")
    if file.attrs.get("wavenumber_range") != _HDF5_RANGE:
        raise DataError(f"{path}: attribute wavenumber_range must be {_HDF5_RANGE!r}")
    # Against the bytes stored: a table that was declared and never written reads as zeros.
    check_declared(path, spectra.shape[1], spectra.id.get_storage_size())
    if spectra.id.get_storage_size() * 1032 < spectra.shape[0] * spectra.shape[1]:
        raise DataError(
            f"{path}: {kind} declares {spectra.shape} and stores far less; get it again"
        )
    return spectra, has, smiles


def _set(
    path: Path, kind: Kind, spectra: Array, axis: Array, ids: tuple[str, ...], sha256: str
) -> SpectralSet:
    return SpectralSet(
        name=f"QM9S {kind} ({path})",
        spectra=spectra,
        axis=axis,
        axis_unit="cm-1",
        quantity=_QUANTITIES[kind],
        references=np.empty((len(spectra), 0)),
        properties=(),
        units=(),
        sample_ids=ids,
        instruments=("calculated",) * len(spectra),
        sha256=sha256,
        licence=LICENCE,
    )
