"""What adaptation starts from and what it comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .correction import Correction

Array = NDArray[np.float64]
Vector = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Batch:
    """Recent spectra (n, L), absorbance on the model's grid, oldest first.

    scans: boot id and number of each, as the instrument counts them.
    """

    spectra: Array
    scans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Adapted:
    """What an adapted instrument predicts with: correction of the spectrum, then theta (P,)."""

    correction: Correction
    theta: Vector


@dataclass(frozen=True, eq=False)
class Candidate:
    """A proposal; metrics: figures that the trail keeps, by name."""

    adapted: Adapted
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Verdict:
    """Of the guard. refusals: why it must not be used at all; doubts: why a person has to decide.

    Both empty: `auto` may install it.
    """

    refusals: tuple[str, ...]
    doubts: tuple[str, ...]
    metrics: Mapping[str, float]
