"""Spectra that INT8's ranges are seen on, where they are not the checkpoint's own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spektron_edge.faults import Fault
from spektron_edge.spectra.resampling import Resampler
from spektron_train.checkpoint import Card
from spektron_train.data.readers.csv_table import Declared
from spektron_train.data.readers.folder import read_folder
from spektron_train.data.readers.jcamp_dx import SUFFIXES as JCAMP_SUFFIXES
from spektron_train.data.readers.spc import SUFFIXES as SPC_SUFFIXES
from spektron_train.data.spectral_set import DataError, SpectralSet

from .errors import ExportError

# These say themselves what they measure; a table is taken for absorbance over nm.
_SAYS_ITSELF = JCAMP_SUFFIXES | SPC_SUFFIXES
_PROVENANCE = "spectra for INT8 ranges"


@dataclass(frozen=True, eq=False)
class RangeSpectra:
    """x: (n, L) absorbance on the model's grid; sha256: of the bytes that were read."""

    x: NDArray[np.float64]
    sha256: str
    licence: str

    def noted_on(self, card: Card) -> Card:
        """The card of a checkpoint, naming these too."""
        return card.model_copy(
            update={
                "data": {**card.data, _PROVENANCE: self.sha256},
                "licences": {**card.licences, _PROVENANCE: self.licence},
            }
        )


def read_absorbance(path: Path) -> SpectralSet:
    """The spectra of a file or folder as absorbance over nm, in any format that is read.

    Raises ExportError for what cannot be read, and for Raman spectra and intensities.
    """
    declared = Declared(axis_unit="nm", quantity="absorbance")
    if path.suffix.lower() in _SAYS_ITSELF:
        declared = Declared()
    try:
        spectra = read_folder(path, declared).to_absorbance()
        if spectra.axis_unit == "cm-1":
            # A new set puts the axis into rising order again.
            return replace(spectra, axis=1e7 / spectra.axis, axis_unit="nm")
    except DataError as error:
        raise ExportError(str(error)) from None
    if spectra.axis_unit != "nm":
        raise ExportError(f"{path} has channel numbers instead of wavelengths in nm")
    return spectra


def read_range_spectra(path: Path, grid_nm: NDArray[np.float64]) -> RangeSpectra:
    """Read and bring to the model's grid (L,) as the daemon would.

    Raises ExportError, also when the spectra do not cover the grid.
    """
    spectra = read_absorbance(path)
    try:
        resampler = Resampler.between(spectra.axis, grid_nm)
    except Fault as fault:
        raise ExportError(f"{path}: {fault}; give spectra that cover the model's grid") from None
    x = np.stack([resampler.apply(row) for row in spectra.spectra])
    return RangeSpectra(x, spectra.sha256, spectra.licence)
