"""Variance of an absorbance from the variances of the counts it was made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_PER_DECADE = 1.0 / math.log(10.0)


@dataclass(frozen=True, eq=False)
class ReferenceNoise:
    """What the references add: slope, (P,), d(ln lin)/d(counts) of the white above dark; white:
    (P,) its relative variance; dark: (P,) variance of the dark, counts squared."""

    slope: Array
    white: Array
    dark: Array

    @classmethod
    def of(cls, slope: Array, white: Array, dark: Array) -> ReferenceNoise:
        """white, dark: (P,) variances of both, counts squared."""
        return cls(slope, slope**2 * white, dark)


def absorbance_variance(slope: Array, sample: Array, references: ReferenceNoise) -> Array:
    """(P,) variance of A = -log10(lin(S - D) / lin(W - D)), to first order in the errors.

    slope: (P,) d(ln lin)/d(counts) of S - D; sample: (P,) variance of S, counts squared; S, D and
    W independent of each other. The dark is in both differences, so its error partly cancels.
    GUM (JCGM 100:2008) 5.1.2.
    """
    apart = slope - references.slope
    variance: Array = slope * slope * sample
    variance += references.white
    variance += apart * apart * references.dark
    variance *= _PER_DECADE**2
    return variance
