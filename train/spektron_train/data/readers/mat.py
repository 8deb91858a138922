"""MAT files and HDF5 files of plain arrays: version 5 by scipy, 7.3 and HDF5 by h5py.

Arrays are found by name: `spectra` or `X` (n, L), `axis`, `wavelengths`, `wavenumbers` or `wv`
(L), optionally `references` or `y` (n, m).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..spectral_set import Array, DataError, SpectralSet
from .csv_table import Declared
from .files import check_declared, float64, fractions, need_path, sha256_of
from .mat_tags import check_tags

MAT_SUFFIXES = frozenset({".mat"})
HDF5_SUFFIXES = frozenset({".h5", ".hdf5"})
_SPECTRA = ("spectra", "X")
_AXIS = ("axis", "wavelengths", "wavenumbers", "wv")
_REFERENCES = ("references", "y")
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_NUMERIC = frozenset(
    {"double", "single", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}
)
# A version 7.3 file has a 512-byte MATLAB block before the HDF5 signature.
_MAT73_OFFSET = 512


def read_arrays(path: Path) -> dict[str, Array]:
    """Every numeric array of a MAT or HDF5 file by name, complex and text left out.

    Arrays of a version 7.3 file are turned round, since MATLAB stores columns first. Raises
    DataError when the file is damaged or declares more than it can hold.
    """
    need_path(path)
    try:
        with path.open("rb") as stream:
            head = stream.read(_MAT73_OFFSET + len(_HDF5_MAGIC))
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error})") from None
    if head[_MAT73_OFFSET:] == _HDF5_MAGIC:
        return {name: value.T for name, value in _hdf5(path).items()}
    return _hdf5(path) if head.startswith(_HDF5_MAGIC) else _version_5(path)


def read_mat(path: Path, declared: Declared) -> SpectralSet:
    """The set in a MAT or HDF5 file of named arrays. Raises DataError naming what is missing."""
    if declared.axis_unit is None or declared.quantity is None:
        raise DataError(f"{path} does not say what it measures; name axis unit and quantity")
    arrays = read_arrays(path)
    spectra = _named(path, arrays, _SPECTRA)
    axis = _named(path, arrays, _AXIS).ravel()
    if spectra.ndim != 2 or spectra.shape[1] != axis.size:
        raise DataError(
            f"{path}: spectra have shape {spectra.shape} and the axis {axis.size} values; spectra "
            "must be (samples, axis values)"
        )
    n = len(spectra)
    references = next((arrays[name] for name in _REFERENCES if name in arrays), np.empty((n, 0)))
    if references.shape[0] != n and references.size == n:
        references = references.reshape(n, 1)
    if references.ndim != 2:
        references = references.reshape(len(references), -1)
    m = references.shape[1]
    return SpectralSet(
        name=str(path),
        spectra=fractions(path, spectra, declared.quantity, declared.percent),
        axis=axis,
        axis_unit=declared.axis_unit,
        quantity=declared.quantity,
        references=references,
        properties=tuple(f"y{i + 1}" for i in range(m)),
        units=("",) * m,
        sample_ids=tuple(f"{path.stem}-{i + 1}" for i in range(n)),
        instruments=(path.stem,) * n,
        sha256=sha256_of([path]),
        licence=declared.licence,
    )


def _named(path: Path, arrays: Mapping[str, Array], names: tuple[str, ...]) -> Array:
    for name in names:
        if name in arrays:
            return arrays[name]
    held = ", ".join(sorted(arrays)[:6]) or "no numeric array"
    raise DataError(f"{path} holds {held}; one of {', '.join(names)} is needed")


def _numeric(values: Mapping[str, Any]) -> dict[str, Array]:
    return {
        name: float64(value)
        for name, value in values.items()
        if getattr(value, "dtype", np.dtype(object)).kind in "fiu"
    }


def _version_5(path: Path) -> dict[str, Array]:
    from scipy.io import loadmat, whosmat
    from scipy.io.matlab import MatReadWarning

    try:
        check_tags(path)
        with warnings.catch_warnings():
            # Two variables of one name: scipy warns and keeps the last, which would be a guess.
            warnings.simplefilter("error", MatReadWarning)
            size = path.stat().st_size
            declared = whosmat(path)
            numeric = [name for name, _, kind in declared if kind in _NUMERIC]
            for name, shape, _ in declared:
                if name in numeric:
                    check_declared(path, math.prod(shape), size)
            return _numeric(loadmat(path, variable_names=numeric))
    except DataError:
        raise
    except Exception as error:  # noqa: BLE001  scipy raises many unrelated types on damage
        raise DataError(
            f"{path} is not a MAT file that can be read ({type(error).__name__}: {error}); get it "
            "again, or save it with -v7 or -v7.3"
        ) from None


def _hdf5(path: Path) -> dict[str, Array]:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            found = {}
            for name, value in file.items():
                if isinstance(value, h5py.Dataset) and value.dtype.kind in "fiu":
                    check_declared(path, math.prod(value.shape), value.id.get_storage_size())
                    # A damaged name comes as bytes.
                    found[str(name)] = float64(value[()])
            return found
    except DataError:
        raise
    except Exception as error:  # noqa: BLE001  h5py raises unrelated types on damage
        raise DataError(
            f"{path} is not HDF5 that can be read ({error}); get the file again"
        ) from None
