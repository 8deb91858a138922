"""Recent spectra by the samples that they are of, since repeats of one sample tell of it alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Of the source's median distance between a sample and the nearest other.
_LIKE = 0.4


def by_sample(recent: Array, source: Array) -> tuple[Array, float]:
    """Recent spectra (n, L) -> mean of each sample (k, L), and how many each is the mean of.

    Spectra that are nearer to each other than two samples of the source (N, L) usually are, up to a
    constant offset, are one sample's.
    """
    limit = (_LIKE**2) * float(np.median(_nearest(source)))
    first: list[int] = []
    members: list[list[int]] = []
    centred = recent - recent.mean(axis=1, keepdims=True)
    for i, spectrum in enumerate(centred):
        apart = [float(np.mean((spectrum - centred[k]) ** 2)) for k in first]
        if apart and min(apart) < limit:
            members[int(np.argmin(apart))].append(i)
        else:
            first.append(i)
            members.append([i])
    means = np.stack([recent[rows].mean(axis=0) for rows in members])
    return means, len(recent) / len(members)


def _nearest(spectra: Array) -> Array:
    """(N,) mean square distance of each spectrum to the nearest other, offsets apart."""
    centred = spectra - spectra.mean(axis=1, keepdims=True)
    squares = np.mean(centred**2, axis=1)
    apart = squares[:, None] + squares - 2 * centred @ centred.T / spectra.shape[1]
    np.fill_diagonal(apart, np.inf)
    nearest: Array = np.maximum(apart.min(axis=1), 0.0)
    return nearest
