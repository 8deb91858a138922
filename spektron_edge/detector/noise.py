"""Variance of an absorbance from the variances of the counts it was made of."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .linearity import Linearity

Array = NDArray[np.float64]
_PER_DECADE = 1.0 / math.log(10.0)


def absorbance_variance(
    light: Array,
    full: Array,
    linearity: Linearity,
    sample: Array,
    dark: Array,
    white: Array,
) -> Array:
    """(P,) variance of A = -log10(lin(S - D) / lin(W - D)), to first order in the errors.

    light, full: S - D and W - D, (P,) counts as measured; sample, dark, white: variances of S, D
    and W, (P,) counts squared, independent of each other. The dark is in both light and full, so
    its error partly cancels. GUM (JCGM 100:2008) 5.1.2.
    """
    of_light = linearity.slope(light) / linearity.apply(light)
    of_full = linearity.slope(full) / linearity.apply(full)
    variance: Array = _PER_DECADE**2 * (
        of_light**2 * sample + of_full**2 * white + (of_light - of_full) ** 2 * dark
    )
    return variance
