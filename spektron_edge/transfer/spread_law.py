"""What the differences of a few pairs say of directions in which they show nothing.

Pairs differ mostly in the directions in which samples differ: a cup filled anew, moisture lost on
the way and another photometer all look like a little of another sample. Along the principal
components of the source, the variance of differences follows a power of the samples' variance
closely, and the two constants of that law are well known from five pairs, where a covariance is
not. It is the mean of an empirical Bayes prior (Efron and Morris, J. Am. Stat. Assoc. 68 (1973)
117; for covariances, Ledoit and Wolf, J. Multivar. Anal. 88 (2004) 365).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_POWERS = np.linspace(0.0, 1.5, 16)
# Variances of samples, relative to the largest, that are more than rounding.
_RESOLVED = 1e-10


def principal(centred: Array) -> tuple[Array, Array]:
    """Variances (r,), falling, and directions (r, r) as columns, of samples (N, r) less mean."""
    variance, directions = np.linalg.eigh(centred.T @ centred / max(len(centred), 1))
    return np.clip(variance[::-1], 0.0, None), directions[:, ::-1]


def expected_variance(samples: Array, differences: Array) -> Array:
    """(r,) c * samples**p, of greatest likelihood for the variances that differences show.

    samples: (r,) variances of the source along its principal components, falling; differences:
    (r,) what pairs show along the same. Along components in which the source does not vary, it is
    that of the last in which it does.
    """
    resolved = samples > _RESOLVED * max(float(samples[0]), 1e-300)
    # Differences from the mean leave the last component to rounding.
    last = max(int(np.count_nonzero(resolved)) - 1, 1)
    shown = differences[:last]
    if not float(shown.sum()) > 0:
        return np.zeros_like(samples)
    relative = np.log(np.maximum(samples, max(float(samples[last - 1]), 1e-300)))
    relative -= relative[0]
    # Gaussian: log likelihood is less by the mean of log variance, once c is at its best.
    shapes = np.exp(np.multiply.outer(_POWERS, relative))
    scale = np.mean(shown / shapes[:, :last], axis=1)
    misfit = np.log(scale) + _POWERS * relative[:last].mean()
    best = int(np.argmin(misfit))
    law: Array = scale[best] * shapes[best]
    return law
