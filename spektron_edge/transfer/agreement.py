"""Whether pairs are pairs: does a sample's target spectrum follow its source spectrum?

Swapped cups are an easy mistake in the field. Errors of a handful of held-out pairs may be small by
chance even then; spectra of hundreds of channels are not alike by chance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .alignment import AlignmentMethod, AsMeasured
from .filters import filters_for
from .problem import Problem
from .smooth import SCALE, Smooth

Array = NDArray[np.float64]
# Below this, pairs are no more alike than spectra of different samples may be.
LEAST_AGREEMENT = 0.3
# Corn on three instruments: 0.998; bands shifted by half their width: 0.8; by a width: below 0.2.
LEAST_LIKENESS = 0.5


def agreement(problem: Problem, trust: Array) -> float:
    """1 for pairs that differ by a constant spectrum, about 0 for spectra dealt out at random.

    The correlation of the two instruments' differences between samples, over all channels of the
    first derivative or the spectrum, after the smooth alignment that makes it largest.
    """
    used = trust > 0
    source, target = problem.pairs_source[used], problem.pairs_target[used]
    best = -1.0
    methods: tuple[AlignmentMethod, ...] = (AsMeasured(), SCALE, Smooth())
    for method in methods:
        if method.least > len(source):
            continue
        alignment = method.fit(source, target)
        for filter_ in filters_for(problem.axis.size)[:2]:
            s = filter_.apply(alignment.source(source))
            t = filter_.apply(alignment.target(target))
            s, t = s - s.mean(axis=0), t - t.mean(axis=0)
            power = float(np.sum(s * s)) * float(np.sum(t * t))
            if power > 0:
                best = max(best, float(np.sum(s * t)) / float(np.sqrt(power)))
    return best


def likeness(problem: Problem) -> float:
    """Of mean spectra, without pairs: 1 where one is a multiple of the other, offset apart.

    The correlation of their differences from channel to channel.
    """
    s, t = (np.diff(x.mean(axis=0)) for x in (problem.source, problem.unpaired))
    power = float(s @ s) * float(t @ t)
    return float(s @ t) / float(np.sqrt(power)) if power > 0 else 0.0
