"""Recent spectra by the samples that they are of, since repeats of one sample tell of it alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spektron_edge.transfer_session.distances import nearest

from .population import noise_of

Array = NDArray[np.float64]
# Of the source's median distance between a sample and the nearest other.
_LIKE = 0.4


@dataclass(frozen=True, eq=False)
class Samples:
    """means (k, L): mean spectrum of each sample; noise: theirs, standard deviation."""

    means: Array
    noise: float


def samples_of(recent: Array, source: Array) -> Samples:
    """Of recent spectra (n, L), absorbance; source: as for `by_sample`."""
    means, repeats = by_sample(recent, source)
    return Samples(means, float(noise_of(recent) / np.sqrt(repeats)))


def by_sample(recent: Array, source: Array) -> tuple[Array, float]:
    """Recent spectra (n, L) -> mean of each sample (k, L), and how many each is the mean of.

    Spectra that are nearer to each other than two samples of the source (N, L) usually are, up to a
    constant offset, are one sample's.
    """
    limit = (_LIKE**2) * float(np.median(nearest(_centred(source)))) / source.shape[1]
    first: list[int] = []
    members: list[list[int]] = []
    centred = _centred(recent)
    for i, spectrum in enumerate(centred):
        apart = [float(np.mean((spectrum - centred[k]) ** 2)) for k in first]
        if apart and min(apart) < limit:
            members[int(np.argmin(apart))].append(i)
        else:
            first.append(i)
            members.append([i])
    means = np.stack([recent[rows].mean(axis=0) for rows in members])
    return means, len(recent) / len(members)


def _centred(spectra: Array) -> Array:
    centred: Array = spectra - spectra.mean(axis=1, keepdims=True)
    return centred
