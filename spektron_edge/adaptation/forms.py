"""How much of each thing that instruments do one spectrum shows, weighed against what samples do.

For a change b of the mean spectrum and samples that scatter with covariance C, b' C^-1 (x - mean)
tells best whether x has it (Fisher's discriminant); what compositions do is in C and counts little.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .correction import TERMS, Correction
from .line_shape import broadening
from .population import Population

Array = NDArray[np.float64]
# Terms of the correction, each with its sign, and the line shape.
_OF_TERMS = ("gain", "curvature", "stray", "linearity_0")
FORMS = (*_OF_TERMS, "line_shape")
# Absorbance. An instrument in use is noisier than the source's spectra, and noise tells nothing.
_NOISE = 3e-4


@dataclass(frozen=True, eq=False)
class Forms:
    """mean (L,) of the source spectra; rows (5, L), which give each of FORMS with variance 1 over
    samples."""

    mean: Array
    rows: Array

    def of(self, spectrum: Array) -> Array:
        """(5,) of a spectrum (L,): positive where the instrument reads more than the source."""
        found: Array = self.rows @ (spectrum - self.mean)
        return found


def forms_of(spectra: Array) -> Forms:
    """From source spectra (N, L), absorbance."""
    population = Population.of(spectra)
    mean = population.mean
    columns = Correction.none(np.arange(mean.size, dtype=np.float64)).columns(mean[None])[:, 0]
    changes = [columns[TERMS.index(name)] for name in _OF_TERMS]
    changes = [*changes, broadening(mean, 0.0)]
    return Forms(mean, np.stack([_row(change, population) for change in changes]))


def _row(change: Array, population: Population) -> Array:
    """C^-1 b over the root of b' C^-1 b, by Woodbury's formula: C is noise plus a few factors."""
    factors, noise = population.factors, max(population.noise, _NOISE) ** 2
    small = noise * np.eye(len(factors)) + factors @ factors.T
    weighed = (change - factors.T @ np.linalg.solve(small, factors @ change)) / noise
    row: Array = weighed / np.sqrt(max(float(change @ weighed), 1e-300))
    return row
